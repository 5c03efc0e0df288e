"""`turret mcp` as a command: what it says when it cannot start, what it writes, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.collector.conftest import Server
from tests.collector.conftest import turret as turret
from turret_api.accounts import NewProject

Turret = Callable[..., subprocess.CompletedProcess[str]]
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--project", "nobody"], "there is no project 'nobody'"),
        ([], "choose one of the projects with --project; they are: "),
        (["--url", "turret.example"], "'turret.example' is no address of a server; expected http://HOST:PORT"),
        (["--url", "http://127.0.0.1:1"], "TURRET_READ_KEY is not set to a read key; `turret key create"),
        (["--url", "http://127.0.0.1:1", "--project", "x"], "leave out --project"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_not_on_stdout(
    turret: Turret, new_project: Callable[..., NewProject], words: list[str], said: str
) -> None:
    for _ in range(2):
        new_project()
    done = turret("mcp", *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, database_url: str, preloaded: Any) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("command"), database_url, preloaded).start()
    yield running
    running.kill()


@pytest.mark.slow
@pytest.mark.parametrize(("url", "said"), [("http://127.0.0.1:1", "there is no answer"), ("SERVER", "it answers 401")])
def test_a_server_that_does_not_take_the_key_is_told_at_the_start(
    server: Server, turret: Turret, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("TURRET_READ_KEY", "tr_wrong")
    done = turret("mcp", "--url", url.replace("SERVER", f"http://127.0.0.1:{server.port}"))
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr.splitlines()[-1]


@contextmanager
def started(home: Path, project: NewProject, database_url: str) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {
        "TURRET_HOME": str(home),
        "TURRET_DATABASE_URL": database_url.replace("+psycopg2", ""),
    }
    command = [sys.executable, "-m", "turret_api", "mcp", "--project", project.project_id]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:  # type: ignore[call-overload]
        yield process
        process.kill()


@pytest.mark.slow
def test_nothing_but_the_protocol_is_written_until_stdin_ends(
    tmp_path: Path, new_project: Callable[..., NewProject], database_url: str
) -> None:
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "topics", "arguments": {}}}
    sent = [json.dumps(HELLO), "no JSON", json.dumps(call)]
    with started(tmp_path, new_project(), database_url) as process:
        out, _ = process.communicate("\n".join(sent) + "\n", timeout=60)
    answers = [json.loads(line) for line in out.splitlines()]
    assert {each["jsonrpc"] for each in answers} == {"2.0"}
    assert {each.get("id") for each in answers} >= {1, 2}
    assert process.returncode == 0


@pytest.mark.slow
def test_ctrl_c_ends_it_at_once(tmp_path: Path, new_project: Callable[..., NewProject], database_url: str) -> None:
    with started(tmp_path, new_project(), database_url) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(HELLO) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT
