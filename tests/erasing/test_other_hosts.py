"""What waits in the spool of another host does not come back with its next roll once it was erased."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.collector.conftest import Server
from tests.test_one_event import until
from turret_api.accounts import Accounts, NewProject
from turret_api.accounts.directory import Directory
from turret_api.accounts.erased_ids import note_erased
from turret_api.erasing.book import Book
from turret_api.erasing.work import Workplace, perform
from turret_pipeline.settings import Settings

GONE = "ada@example.com"
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
US = round(NOW.timestamp() * 1e6)


def event(user_id: str, session_id: str, event_id: str) -> dict[str, Any]:
    return {
        "name": "said",
        "metadata": {"prompt": f"{user_id} asks"},
        "user_id": user_id,
        "session_id": session_id,
        "event_id": event_id,
    }


@pytest.mark.slow
def test_an_event_of_an_erased_user_is_left_out_where_it_waited_and_a_later_one_is_kept(
    make_server: Callable[..., Server],
    new_project: Callable[..., NewProject],
    accounts: Accounts,
    database_url: str,
    tmp_path: Path,
) -> None:
    project, lake = new_project(), tmp_path / "lake"
    there = {"TURRET_LAKE": str(lake), "TURRET_ROLL_SECONDS": "3600"}
    other = make_server(environment=there).start()
    sent = other.track(project.write_key, [event(GONE, "s1", "1"), event("bob", "s2", "2"), event(GONE, "s1", "3")])
    assert (sent.status, sent.json["accepted"]) == (200, 3)
    here = {"TURRET_HOME": str(tmp_path / "here"), "TURRET_LAKE": str(lake), "TURRET_DATABASE_URL": database_url}
    place = Workplace(Settings.from_environment(here), accounts, database_url, lambda line: None)
    done = perform(place, Book(accounts).ask(project.project_id, "user", GONE, "key:k1"))
    assert done.receipt is not None and done.receipt.n_events == 0
    assert any("leave out events that wait" in each.what and each.n for each in done.receipt.done)
    assert not any("spools of other hosts" in each for each in done.receipt.not_reached)
    until(lambda: other.track(project.write_key, event(GONE, "s3", "4")).status == 200)
    assert other.stop() == 0  # which rolls all that waits
    assert sorted(other.events(project.project_id)["event_id"]) == ["2", "4"]
    assert "events that were erased since they were received are left out" in other.log()


@pytest.mark.parametrize(
    ("after_us", "ids", "is_gone"),
    [
        (-1, ("ada", "s", "e"), True),
        (0, ("ada", "s", "e"), False),
        (-1, ("bob", "s", "e"), False),
        (-1, ("bob", "ended", "e"), True),
        (-1, ("bob", "ada", "ada"), False),  # an id of another kind
        (-1, ("ended", "s", "one"), True),
        (500_000, ("bob", "s", "one"), True),  # it was erased again, later
        (1_000_000, ("bob", "s", "one"), False),
    ],
)
def test_an_event_was_erased_if_it_is_of_the_id_and_was_received_before(
    erased: Directory, after_us: int, ids: tuple[str, str, str], is_gone: bool
) -> None:
    known, received_us = erased.erased(), US + after_us
    assert known is not None
    project_id = next(iter(known.by_project))
    assert known.has(project_id, received_us, *ids) is is_gone
    assert not known.has("another", received_us, *ids)


@pytest.fixture(scope="module")
def erased(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Directory:
    """What a collector knows that was started while Postgres is away, from the copy that it kept."""
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE erased_ids"))
    url, file = f"{database_url.rpartition('/')[0]}/erased_ids", tmp_path_factory.mktemp("kept") / "keys.json"
    with contextlib.closing(Accounts(url)) as accounts:
        accounts.migrate()
        project_id = accounts.create_project("shop").project_id
        later = NOW + dt.timedelta(seconds=1)
        noted = [("user", "ada", NOW), ("session", "ended", NOW), ("event", "one", later), ("event", "one", NOW)]
        for kind, value, before in noted:
            note_erased(accounts, project_id, kind, [value], before)
        kept = Directory(accounts, file)
        assert kept.erased() is None and kept.refresh() and kept.erased() is not None
    assert '"ada"' not in file.read_text()  # hashes have such letters too
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE erased_ids WITH (FORCE)"))
    engine.dispose()
    with contextlib.closing(Accounts(url)) as gone:
        found = Directory(gone, file)
        assert not found.refresh()
        return found
