"""A real server process, and clients that talk to it over sockets."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import itertools
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turret_api.accounts import Accounts, NewProject
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake

from .preloaded import Forked, Preloaded

LAUNCH = Path(__file__).parent / "launch.py"
START_S = 120.0
_names = itertools.count(1)


@dataclass
class Answer:
    """An answer: its status, headers (lower case) and body as JSON (None if it is none)."""

    status: int
    headers: dict[str, str]
    json: Any

    @property
    def code(self) -> str | None:
        return self.json.get("code") if isinstance(self.json, dict) else None


@dataclass
class Server:
    """One `turret serve` process with a home of its own; without `preloaded` it starts from nothing."""

    home: Path
    database_url: str
    preloaded: Preloaded | None = None
    launch: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | Forked | None = None
    port: int = 0

    def start(self) -> Server:
        """Start, and return when it takes requests."""
        self.begin()
        deadline = time.monotonic() + START_S
        assert self.process is not None and self.process.stdout is not None
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [], 0.2)
            line = self.process.stdout.readline() if ready else ""
            if found := re.search(r"listens on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                return self
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start: {self.log()}")

    def begin(self) -> None:
        """Start without waiting."""
        self.home.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "TURRET_HOME": str(self.home),
            "TURRET_DATABASE_URL": self.database_url.replace("+psycopg2", ""),
            "TURRET_ROLL_SECONDS": "1",
            "TURRET_QUESTION_SECONDS": "120",
            "PYTHONUNBUFFERED": "1",
            **self.environment,
        }
        arguments = [*self.launch, "serve", "--port", str(self.port), *self.options]
        with (self.home / "serve.log").open("a") as log:
            if self.preloaded is not None:
                self.process = self.preloaded.start(arguments, environment, log.fileno())
            else:
                self.process = subprocess.Popen(
                    [sys.executable, str(LAUNCH), *arguments],
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log(self) -> str:
        """Return what the server has logged."""
        file = self.home / "serve.log"
        return file.read_text() if file.exists() else ""

    def stop(self, timeout: float = 90) -> int:
        """End the server in order; return its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.wait(timeout)

    def wait(self, timeout: float = 90) -> int:
        assert self.process is not None
        try:
            return self.process.wait(timeout)
        finally:
            self.kill()

    def kill(self) -> None:
        """End the server at once."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()

    def connect(self, timeout: float = 90) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 90
    ) -> Answer:
        """Send one request on a connection of its own."""
        with contextlib.closing(self.connect(timeout)) as connection:
            connection.request(method, path, body, headers or {})
            return read_answer(connection)

    def track(self, key: str, body: bytes | str | dict[str, Any] | list[Any], **headers: str) -> Answer:
        """Send `body` (JSON, unless bytes or text) to `POST /track`."""
        if not isinstance(body, bytes | str):
            body = json.dumps(body)
        sent = {"X-API-Key": key, "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", "/track", body.encode() if isinstance(body, str) else body, sent)

    def lake(self) -> Lake:
        return Lake(self.environment.get("TURRET_LAKE") or str(self.home / "lake"))

    def events(self, project_id: str) -> pl.DataFrame:
        """Return the raw events of a project that are in the lake."""
        return read_parts(self.lake(), list_parts(self.lake(), project_id))

    def wait_for_events(self, project_id: str, n: int, timeout: float = 90) -> pl.DataFrame:
        """Return the raw events of a project once there are `n`, or what there is after `timeout`."""
        deadline = time.monotonic() + timeout
        while True:
            events = self.events(project_id)
            if events.height >= n or time.monotonic() > deadline:
                return events
            time.sleep(0.1)


def seconds_to_mid_month() -> float:
    """Return the seconds from now to noon of this month's 15th: a clock so far ahead meets no end of a month."""
    now = dt.datetime.now(dt.UTC)
    return (now.replace(day=15, hour=12) - now).total_seconds()


def read_answer(connection: http.client.HTTPConnection) -> Answer:
    response = connection.getresponse()
    raw = response.read()
    try:
        document = json.loads(raw)
    except ValueError:
        document = None
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, document)


@pytest.fixture(scope="session")
def preloaded() -> Iterator[Preloaded]:
    """A process that servers and commands are forked from."""
    process = Preloaded()
    yield process
    process.close()


@pytest.fixture(scope="session")
def accounts(database_url: str) -> Iterator[Accounts]:
    opened = Accounts(database_url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def new_project(accounts: Accounts) -> Callable[..., NewProject]:
    """Makes a project with a name of its own."""

    def make(plan: str = "pro", limit: int | None = None) -> NewProject:
        return accounts.create_project(f"project {os.getpid()} {next(_names)}", plan, limit)

    return make


@pytest.fixture
def make_server(tmp_path: Path, database_url: str, preloaded: Preloaded) -> Iterator[Callable[..., Server]]:
    """Makes servers, each with a home of its own unless told otherwise, and ends them."""
    made: list[Server] = []

    def make(**given: Any) -> Server:
        given.setdefault("home", tmp_path / f"home-{len(made)}")
        given.setdefault("preloaded", preloaded)
        server = Server(database_url=given.pop("database_url", database_url), **given)
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()


@pytest.fixture
def turret(tmp_path: Path, database_url: str, preloaded: Preloaded) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a `turret` command to its end, on a home of the test's own unless `home` says otherwise."""

    def run(*arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "TURRET_HOME": str(home or tmp_path / "home"),
            "TURRET_DATABASE_URL": database_url.replace("+psycopg2", ""),
        }
        with tempfile.TemporaryFile("w+") as errors:
            process = preloaded.start(arguments, environment, errors.fileno())
            with process.stdout:
                said = process.stdout.read()
            status = process.wait(START_S)
            errors.seek(0)
            return subprocess.CompletedProcess(arguments, status, said, errors.read())

    return run


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, database_url: str, preloaded: Preloaded) -> Iterator[Server]:
    """A running server that the tests of a module share."""
    running = Server(tmp_path_factory.mktemp("server"), database_url, preloaded).start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def project(new_project: Callable[..., NewProject]) -> NewProject:
    """A project that the tests of a module share."""
    return new_project()
