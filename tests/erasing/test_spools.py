"""After an erasure no file of a spool has a byte of what was erased, whether its collector runs or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.collector.conftest import Server
from tests.otlp.spans import request, span, span_id
from turret_api.accounts import NewProject
from turret_api.erasing.erased import Erased
from turret_api.erasing.spools import erase_from_spools
from turret_pipeline.settings import Settings

CANARY = "zq-canary-71"


def spans_that_wait(user: str) -> str:
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": [{"role": "user", "content": f"Hello {user}"}],
        "gen_ai.output.messages": [{"role": "assistant", "tool_calls": [{"id": f"call-{user}", "type": "function"}]}],
        "user.id": user,
    }
    return json.dumps(request(span(said, trace=user.encode().hex().rjust(32, "0"), parent=span_id(9))))


def erase(server: Server, project: NewProject) -> dict[str, int]:
    settings = Settings.from_environment({"TURRET_HOME": str(server.home)})
    erased = Erased(
        project_id=project.project_id,
        kind="user",
        values=frozenset([CANARY]),
        user_ids=frozenset([CANARY]),
        session_ids=frozenset([f"{CANARY}-s"]),
        event_ids=frozenset(f"{CANARY}-{n}" for n in range(300)),
    )
    return {each.what: each.n for each in erase_from_spools(settings, erased)}


def files_with(folder: Path, text: str) -> list[str]:
    return sorted(file.name for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes())


@pytest.mark.parametrize("how", ["running", "ended", "killed"])
def test_no_byte_of_an_erased_user_is_left_in_a_spool(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject], how: str
) -> None:
    project = new_project()
    server = make_server().start()
    headers = {"X-API-Key": project.write_key, "Content-Type": "application/json"}
    for user in (CANARY, "bob"):
        events: list[dict[str, Any]] = [
            {
                "name": user,
                "metadata": {user: user},
                "user_id": user,
                "session_id": f"{user}-s",
                "event_id": f"{user}-{n}",
            }
            for n in range(300)
        ]
        assert server.track(project.write_key, events).status == 200
        assert server.request("POST", "/v1/traces", spans_that_wait(user), headers).status == 200
    server.wait_for_events(project.project_id, 600)
    spools = server.home / "spool"
    assert "turns.ndjson" in files_with(spools, CANARY)
    if how == "ended":
        server.stop()
        server.wait_for_events(project.project_id, 602)
    elif how == "killed":
        server.kill()
    done = erase(server, project)
    assert done["ids that clients gave to events, forgotten"] == 300 + (how == "ended")  # the turn, too
    assert files_with(spools, CANARY) == []
    if how == "killed":
        server.start()
    if how != "ended":  # what others sent goes on: their turn comes, their ids are still known
        assert server.track(project.write_key, {**events[0], "event_id": "bob-7"}).json["duplicate"] is True
        assert server.stop() == 0
        assert server.events(project.project_id).filter(user_id="bob").height == 301
        assert files_with(spools, CANARY) == []
