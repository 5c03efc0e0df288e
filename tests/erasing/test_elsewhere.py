"""One erasure reaches every place outside the lake: no byte is left in the home, while its server runs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.collector.conftest import Server
from turret_api.accounts import Accounts
from turret_api.accounts.audit import record
from turret_api.erasing.elsewhere import erase_elsewhere
from turret_api.erasing.erased import Erased
from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings

CANARY = "zq-canary-71"


def files_with(home: Path, but: str) -> list[str]:
    return sorted(
        str(file.relative_to(home))
        for file in home.rglob("*")
        if file.is_file() and file.relative_to(home).parts[0] != but and CANARY.encode() in file.read_bytes()
    )


@pytest.mark.slow
def test_no_byte_is_left_outside_the_lake_and_the_receipt_names_what_could_not_be_reached(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    settings = Settings.from_environment({"TURRET_HOME": str(tmp_path / "home")})
    with database(settings) as url, contextlib.closing(Accounts(url)) as accounts:
        accounts.migrate()
        project = accounts.create_project("shop")
        server = make_server(home=settings.home, database_url=url).start()
        events = [
            {"name": CANARY, "metadata": {CANARY: CANARY}, "user_id": CANARY, "session_id": CANARY, "event_id": CANARY},
            {"name": "said", "metadata": {"prompt": "hello"}, "user_id": "bob", "event_id": "b"},
        ]
        assert server.track(project.write_key, events).status == 200
        server.wait_for_events(project.project_id, 2)
        export, archive = tmp_path / "out.csv", tmp_path / "backups" / "a.tar"
        pl.DataFrame({"event_id": [CANARY, "b"], "text": [CANARY, "hello"]}).write_csv(export)
        archive.parent.mkdir()
        archive.write_bytes(b"an archive")
        record(accounts, project.project_id, "command:me", "export", {"path": str(export)})
        record(accounts, project.project_id, "command:me", "import", {"file": f"{CANARY}.csv"})
        for path in (archive, tmp_path / "lost.tar"):
            record(accounts, None, "command:me", "backup", {"path": str(path)})
        (settings.home / "logs").mkdir(exist_ok=True)
        (settings.home / "logs" / "code.log").write_text(f"ValueError: {CANARY}\n")
        aside = settings.home / "postgres" / "damaged-20261130T080000"
        aside.mkdir()
        (aside / "base").write_text(CANARY)
        assert len(files_with(settings.home, "lake")) >= 4

        erased = Erased(
            project_id=project.project_id,
            kind="user",
            values=frozenset([CANARY]),
            user_ids=frozenset([CANARY]),
            session_ids=frozenset([CANARY]),
            event_ids=frozenset([CANARY]),
            texts=frozenset([CANARY]),
        )
        done = erase_elsewhere(settings, accounts, url, [erased])
        assert files_with(settings.home, "lake") == []
        assert CANARY not in export.read_text() and "hello" in export.read_text()
        assert server.track(project.write_key, events[1]).json["duplicate"] is True  # and all goes on
        told = {each.what: each.n for each in done}
        assert told[f"still has it, and loses it when it is restored: {archive}"] == 1
        assert told[f"not where it was written any more: {tmp_path / 'lost.tar'}"] == 0
        assert told["copies of a damaged database, removed"] == told["lines overwritten"] == 1
        notes = [settings.home / "erasures.ndjson", archive.parent / "turret-erasures.ndjson"]
        (note,) = {file.read_text() for file in notes}
        assert json.loads(note)["kind"] == "user" and CANARY not in note

        again = {each.what: each.n for each in erase_elsewhere(settings, accounts, url, [erased])}
        assert again["lines overwritten"] == again["ids that clients gave to events, forgotten"] == 0
        assert server.stop() == 0
    assert files_with(settings.home, "lake") == []
