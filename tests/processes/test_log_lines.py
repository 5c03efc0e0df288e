"""Whatever a process writes is one object of JSON a line, with its time, level and message."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes.conftest import until
from turret_api.processes.log_lines import Log, line_of, message_of

NOW = dt.datetime(2026, 11, 30, 5, 0, 0, 123_000, dt.UTC)
AT = "2026-11-30T05:00:00.123+00:00"
RUN = "cf376c09-41b7-4d4e-8663-ae9f425a1636"
LINES: dict[str, tuple[str, dict[str, Any]]] = {
    "ours": (
        '{"at":"2026-01-01T00:00:00.000+00:00","level":"warning","logger":"api","message":"m","spool":"0"}',
        {
            "at": "2026-01-01T00:00:00.000+00:00",
            "level": "warning",
            "logger": "api",
            "message": "m",
            "spool": "0",
        },
    ),
    "Dagster's JSON": (
        f'{{"event": "Checking run {RUN}", "logger": "dagster.daemon", "level": "info", '
        '"timestamp": "2026-11-30T05:37:28.234104Z"}',
        {
            "at": "2026-11-30T05:37:28.234+00:00",
            "level": "info",
            "logger": "dagster.daemon",
            "message": f"Checking run {RUN}",
            "run": RUN,
        },
    ),
    "Dagster's, in colors": (
        "\x1b[32m2026-11-30 05:37:29 +0100\x1b[0m - dagster.code_server - \x1b[34mERROR\x1b[0m - It is - over",
        {
            "at": "2026-11-30T04:37:29.000+00:00",
            "level": "error",
            "logger": "dagster.code_server",
            "message": "It is - over",
        },
    ),
    "a run's": (
        f"2026-11-30 05:37:20 +0000 - dagster - DEBUG - models - {RUN} - 29500 - RUN_SUCCESS - Finished.",
        {
            "at": "2026-11-30T05:37:20.000+00:00",
            "level": "debug",
            "logger": "dagster",
            "message": f"models - {RUN} - 29500 - RUN_SUCCESS - Finished.",
            "run": RUN,
        },
    ),
    "Postgres's": (
        "2026-11-30 05:37:35.471 UTC [26177] FATAL:  the database system is shut down",
        {
            "at": "2026-11-30T05:37:35.471+00:00",
            "level": "critical",
            "message": "the database system is shut down",
            "pid": 26177,
        },
    ),
    "any": ("Killed: 9", {"at": AT, "level": "info", "message": "Killed: 9"}),
    "JSON of another form": ('{"a": 1}', {"at": AT, "level": "info", "message": '{"a": 1}'}),
    "no JSON": ('{"at": "20', {"at": AT, "level": "info", "message": '{"at": "20'}),
    "a list": ("[1]", {"at": AT, "level": "info", "message": "[1]"}),
    "other types": ('{"event": 1, "level": 2, "timestamp": 3}', {"at": AT, "level": "info"}),
    "a broken time": ('{"event": "e", "level": "x", "timestamp": "soon"}', {"at": AT, "level": "info"}),
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_says_when_how_bad_who_and_what(name: str) -> None:
    text, expected = LINES[name]
    found = json.loads(line_of(text, "one", NOW))
    assert found.pop("process") == "one"
    assert expected.items() <= found.items()
    assert {"at", "level", "message"} <= found.keys()


def test_all_that_a_process_prints_is_in_its_log_and_a_traceback_is_one_line(tmp_path: Path) -> None:
    script = "import sys; print('a'); print('é\\x80', file=sys.stderr); print(); raise ValueError('no')"
    log = Log(tmp_path / "logs" / "one.log", "one")
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    log.copy(process.stdout)
    process.wait()
    log.wait()
    found = [json.loads(line) for line in (tmp_path / "logs" / "one.log").read_text().splitlines()]
    by_message = {each["message"]: each for each in found}
    assert set(by_message) == {"a", "é\x80", "ValueError: no"} and len(found) == 3
    assert by_message["ValueError: no"]["level"] == "error"
    assert by_message["ValueError: no"]["trace"].startswith("Traceback (most recent call last):\n")


def test_a_large_log_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turret_api.processes.log_lines.MAX_BYTES", 100)
    log = Log(tmp_path / "one.log", "one")
    for number in range(5):
        log.write(f"{number}" * 60)
    lines = [*(tmp_path / "one.log.1").read_text().splitlines(), *(tmp_path / "one.log").read_text().splitlines()]
    assert message_of(lines[-1]) == "4" * 60 and all(json.loads(line) for line in lines)


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    log = Log(tmp_path / "logs" / "one.log", "one")
    process = subprocess.Popen([sys.executable, "-c", "print('x' * 200_000)"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    log.copy(process.stdout)
    until(lambda: process.poll() is not None)
    log.wait()


def test_a_person_is_shown_the_message_of_a_line() -> None:
    assert message_of(line_of("no such thing", "one", NOW)) == "no such thing"
    assert message_of("of an earlier version") == "of an earlier version"
