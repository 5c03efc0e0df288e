"""Turns whose end has not come survive the end of the process, and become events in time."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.collector.conftest import Server
from turret_api.accounts import NewProject
from turret_api.collector.desk import Desk
from turret_api.otlp import turns
from turret_api.otlp.calls import all_said
from turret_api.otlp.journal import Journal
from turret_api.otlp.memory import Memory
from turret_api.otlp.receiver import Receiver

from .spans import logs, protobuf, read, record, span, span_id

ASKED = {"role": "user", "content": "Where is my order?"}
CALLS = {"role": "assistant", "tool_calls": [{"id": "call-1", "type": "function"}]}


def call(n: int, given: list[Any], gave: dict[str, Any]) -> dict[str, Any]:
    said = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": given, "gen_ai.output.messages": [gave]}
    return span(said, own_id=span_id(n), parent=span_id(1), start_s=n)


FIRST = call(2, [ASKED], CALLS)
LAST = call(3, [ASKED, CALLS, {"role": "tool", "tool_call_id": "call-1"}], {"role": "assistant", "content": "Here."})


def send(server: Server, key: str, *spans: dict[str, Any]) -> int:
    headers = {"X-API-Key": key, "Content-Type": "application/x-protobuf"}
    return server.request("POST", "/v1/traces", protobuf(*spans), headers).status


def kept(server: Server, project: NewProject, n: int) -> list[dict[str, Any]]:
    return [json.loads(each) for each in server.wait_for_events(project.project_id, n)["metadata"]]


@pytest.mark.slow
def test_a_turn_that_waits_outlives_a_kill_and_is_one_event_with_its_end(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject]
) -> None:
    project = new_project()
    server = make_server().start()
    assert send(server, project.write_key, FIRST) == 200
    server.kill()
    server.start()
    assert send(server, project.write_key, LAST) == 200
    (event,) = kept(server, project, 1)
    assert (event["prompt"], event["response"]) == ("Where is my order?", "Here.")
    server.kill()
    assert server.start().stop() == 0  # what was written down is the same event once more
    assert len(kept(server, project, 1)) == 1


def test_what_is_answered_outlives_a_kill_before_it_is_in_the_lake(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject]
) -> None:
    project = new_project()
    server = make_server(launch=["--die-at", "roll.after_plan"]).start()
    assert send(server, project.write_key, LAST) == 200
    assert server.wait() != 0
    server.launch = []
    server.start()
    assert len(kept(server, project, 1)) == 1


def test_an_end_of_the_server_makes_events_of_what_waits(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject]
) -> None:
    project = new_project()
    server = make_server().start()
    assert send(server, project.write_key, FIRST) == 200
    assert server.stop() == 0
    assert [each["prompt"] for each in kept(server, project, 1)] == ["Where is my order?"]
    assert (server.home / "spool" / "0" / "turns.ndjson").read_bytes() == b""


@pytest.mark.slow
def test_a_turn_whose_end_does_not_come_is_an_event_after_a_while(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject]
) -> None:
    project = new_project()
    server = make_server(launch=["--otlp-wait", "0.5"]).start()
    assert send(server, project.write_key, FIRST) == 200
    assert [each["prompt"] for each in kept(server, project, 1)] == ["Where is my order?"]
    message = logs(record("gen_ai.user.message", {"role": "user", "content": "And now?"}, trace="c" * 32))
    headers = {"X-API-Key": project.write_key, "Content-Type": "application/json"}
    assert server.request("POST", "/v1/logs", json.dumps(message), headers).json == {}
    assert [each["prompt"] for each in kept(server, project, 2)] == ["Where is my order?", "And now?"]


def waiting() -> list[Any]:
    spans = read(FIRST)
    return turns.plan(Memory(), "p", spans, list(all_said(spans))).waiting


def test_the_journal_gives_back_the_turns_as_they_were_last(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "turns.ndjson")
    assert journal.load() == []
    (turn,) = waiting()
    journal.add([turn])
    turn.session_id = "another"
    journal.add([turn])
    assert Journal(tmp_path / "turns.ndjson").load() == [turn]


def test_a_line_that_is_cut_off_costs_no_other(tmp_path: Path) -> None:
    file = tmp_path / "turns.ndjson"
    Journal(file).add(waiting())
    file.write_bytes(file.read_bytes() + file.read_bytes()[:50])
    assert len(Journal(file).load()) == 1
    Journal(file).add([])
    journal = Journal(file)
    journal.load()
    journal.replace([])
    assert journal.is_empty and Journal(file).load() == []


@pytest.mark.slow
def test_a_kill_while_the_journal_is_written_anew_costs_no_turn(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject]
) -> None:
    project = new_project()
    server = make_server().start()
    assert send(server, project.write_key, FIRST) == 200
    server.kill()
    server.launch = ["--die-at", "turns.before_rename"]
    server.begin()
    assert server.wait() != 0
    server.launch = []
    server.start()
    assert send(server, project.write_key, LAST) == 200
    (event,) = kept(server, project, 1)
    assert (event["prompt"], event["response"]) == ("Where is my order?", "Here.")


def test_a_write_that_failed_half_way_costs_no_other_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "turns.ndjson"
    journal = Journal(file)
    (turn,) = waiting()
    journal.add([turn])
    n_bytes = file.stat().st_size

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            journal.replace([])
        assert Journal(file).load() == [turn]
        with pytest.raises(OSError, match="No space"):
            journal.add(waiting())
    os.truncate(file, n_bytes + 50)
    turn.event_id = "another"
    journal.add([turn])
    assert [each.event_id for each in Journal(file).load()] == [waiting()[0].event_id, "another"]


def test_turns_of_a_process_that_is_not_started_again_are_taken_up(tmp_path: Path) -> None:
    mine, left = tmp_path / "0", tmp_path / "1"
    mine.mkdir()
    left.mkdir()
    Journal(left / "turns.ndjson").add(waiting())
    house = SimpleNamespace()
    collector = SimpleNamespace(slot=SimpleNamespace(folder=mine), house=house, roller=SimpleNamespace())

    async def take_up() -> None:
        Receiver(cast(Desk, SimpleNamespace(collector=collector, masker=lambda _: None))).start()
        await asyncio.to_thread(house.on_left, left)

    asyncio.run(take_up())
    assert Journal(left / "turns.ndjson").load() == []
    (turn,) = Journal(mine / "turns.ndjson").load()
    assert turn.said == waiting()[0].said
