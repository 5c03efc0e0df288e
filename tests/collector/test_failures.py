"""Disks that fail, clocks that jump, a lake that is away, more than can be taken: what was answered 200 is kept."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.collector.conftest import seconds_to_mid_month
from turret_api.collector.body import MAX_PARTS

GOOD = {"name": "n", "metadata": {"a": 1}}


def begun_request(port: int, key: str, length: int) -> socket.socket:
    """Return a connection on which a request was begun whose body has not come yet."""
    connection = socket.create_connection(("127.0.0.1", port), 30)
    head = f"POST /track HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {length}\r\n\r\n{{".encode())
    return connection


@pytest.mark.slow
def test_after_a_failed_fsync_nothing_is_answered_and_the_next_start_has_all_that_was(
    make_server: Callable, new_project: Callable
) -> None:
    project = new_project()
    server = make_server(launch=["--fail-fsync-after", "25"], environment={"TURRET_ROLL_SECONDS": "3600"}).start()
    acknowledged = []
    with pytest.raises(OSError):
        for n in range(100):
            answer = server.track(project.write_key, {**GOOD, "event_id": f"e-{n}"})
            assert answer.status == 200
            acknowledged.append(answer.json["event_id"])

    assert server.wait() == 70
    assert "the spool failed" in server.log()
    server.launch = []
    server.start()
    assert server.stop() == 0
    stored = Counter(server.events(project.project_id)["event_id"].to_list())
    assert 5 < len(acknowledged) < 100
    assert set(acknowledged) <= set(stored) and max(stored.values()) == 1
    assert len(stored) <= len(acknowledged) + 1


def test_a_sqlite_that_can_lose_events_is_refused(make_server: Callable) -> None:
    server = make_server(launch=["--sqlite", "3.51.2"])
    server.begin()

    assert server.wait() == 1
    assert server.log().splitlines()[-1] == (
        "Error: SQLite 3.51.2 can lose acknowledged events; install an apsw with SQLite 3.51.3 or later"
    )


@pytest.mark.slow
def test_a_new_month_starts_at_nothing_and_a_clock_set_back_finds_the_old_count(
    make_server: Callable, new_project: Callable, tmp_path: Path
) -> None:
    project = new_project("enterprise", 3)
    clock, mid_month_s = tmp_path / "clock", seconds_to_mid_month()
    clock.write_text(str(mid_month_s))
    server = make_server(launch=["--clock", str(clock)]).start()

    def send(n: int) -> list[int]:
        return [server.track(project.write_key, GOOD).status for _ in range(n)]

    now = send(4)
    clock.write_text(str(mid_month_s + 32 * 86_400))
    next_month = send(4)
    clock.write_text(str(mid_month_s))
    back = send(2)
    clock.write_text(str(mid_month_s + 32 * 86_400))
    forth = send(2)

    assert (now, next_month, back, forth) == ([200] * 3 + [429], [200] * 3 + [429], [429] * 2, [429] * 2)
    assert server.stop() == 0
    events = server.events(project.project_id)
    assert events.height == 6
    assert events["received_at"].dt.date().n_unique() == 2


def test_a_trial_takes_nothing_after_14_days(make_server: Callable, new_project: Callable, tmp_path: Path) -> None:
    project = new_project("trial")
    clock = tmp_path / "clock"
    clock.write_text(str(13.9 * 86_400))
    server = make_server(launch=["--clock", str(clock)]).start()
    within = server.track(project.write_key, GOOD).status
    clock.write_text(str(14.1 * 86_400))
    after = server.track(project.write_key, GOOD)

    assert (within, after.status, after.code, after.json["limit"]) == (200, 429, "RATE_LIMIT_EXCEEDED", 250_000)
    # The time of its end, and what helps; no time at which it would be worth trying again.
    ended_at = dt.datetime.fromisoformat(after.json["ended_at"])
    assert abs((ended_at - dt.datetime.now(dt.UTC)).total_seconds() - 14 * 86_400) < 600
    assert after.json["retry_at"] is None
    assert after.json["error"].startswith(f"The project's trial ended at {after.json['ended_at']}; to send more, ")
    assert "turret project plan PROJECT pro" in after.json["error"]
    assert int(after.headers["retry-after"]) > 0


@pytest.mark.slow
def test_spool_and_lake_may_lie_on_two_file_systems(make_server: Callable, new_project: Callable) -> None:
    project = new_project()
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="turret-") as other:
        server = make_server(environment={"TURRET_LAKE": f"{other}/lake"})
        server.home.mkdir(parents=True)
        assert server.home.stat().st_dev != Path(other).stat().st_dev
        server.start()
        ids = [server.track(project.write_key, GOOD).json["event_id"] for _ in range(3)]
        server.kill()
        server.start()
        assert server.stop() == 0

        assert sorted(server.events(project.project_id)["event_id"]) == sorted(ids)


@pytest.mark.slow
def test_while_the_lake_is_away_events_are_taken_and_go_there_later(
    make_server: Callable, new_project: Callable
) -> None:
    project = new_project()
    server = make_server().start()
    events = server.home / "lake" / "events"
    shutil.rmtree(events, ignore_errors=True)
    events.write_text("no folder")
    ids = [server.track(project.write_key, GOOD).json["event_id"] for _ in range(5)]
    deadline = time.monotonic() + 30
    while "a roll failed" not in server.log() and time.monotonic() < deadline:
        time.sleep(0.1)
    ids.append(server.track(project.write_key, GOOD).json["event_id"])
    failures = server.request("GET", "/metrics")
    events.unlink()

    assert failures.status == 200
    assert sorted(server.wait_for_events(project.project_id, 6)["event_id"]) == sorted(ids)


def test_more_requests_than_can_be_taken_are_told_to_come_back(make_server: Callable, new_project: Callable) -> None:
    project = new_project()
    server = make_server(launch=["--most-requests", "3"]).start()
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(begun_request(server.port, project.write_key, 100))
        deadline = time.monotonic() + 8
        while (answer := server.track(project.write_key, GOOD)).status == 200 and time.monotonic() < deadline:
            time.sleep(0.05)
    deadline = time.monotonic() + 20
    while (later := server.track(project.write_key, GOOD)).status != 200 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "SERVICE_UNAVAILABLE", "1")
    assert later.status == 200


@pytest.mark.slow
def test_more_bytes_than_can_be_held_are_told_to_come_back(make_server: Callable, new_project: Callable) -> None:
    project = new_project()
    server = make_server().start()
    with begun_request(server.port, project.write_key, 16 * 2**20):
        large = server.track(project.write_key, b" " * (12 * 2**20))

    assert (large.status, large.code, large.headers["retry-after"]) == (503, "SERVICE_UNAVAILABLE", "1")
    assert server.track(project.write_key, GOOD).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"n","metadata":{"a":[' + b"[]," * (5 * 2**20) + b"1]}}",
        b"[" + b"[]," * (5 * 2**20) + b"1]",
        b'{"name":"n","metadata":{"a":[' + b"1.5," * (4 * 2**20 - 100) + b"1]}}",
        b'{"name":"n","metadata":{"a":[' + b'{"":1},' * (2 * 2**20) + b"1]}}",
    ],
    ids=["lists in an event", "lists in an array", "numbers", "objects"],
)
def test_a_body_of_millions_of_tiny_values_is_refused_before_it_fills_the_memory(server, project, body: bytes) -> None:
    before = peak_memory(server.pid)
    answers = [server.track(project.write_key, body) for _ in range(2)]

    assert {(answer.status, answer.code) for answer in answers} == {(413, "INVALID_REQUEST")}
    assert f"at most {MAX_PARTS:,}" in answers[0].json["error"]
    assert peak_memory(server.pid) - before < 120 * 2**20


def test_marks_within_texts_do_not_count_as_values(server, project) -> None:
    events = [{"name": "n", "metadata": {"t": ',[{"\\' * 12_000}} for _ in range(40)]

    assert server.track(project.write_key, json.dumps(events)).status == 200


def peak_memory(pid: int) -> int:
    """Return the most memory that the process has had in use, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
