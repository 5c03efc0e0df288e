"""Everything that Turret consists of on one host, started and ended as one: what `turret up` and the demo run.

`components` says which processes there are, `roles` which of them run on a host that has a part of the whole; before
them comes the database: the embedded Postgres, unless TURRET_DATABASE_URL names one (`turret_api.processes.postgres`).

    home locked ──left-overs ended──▶ database ──▶ api, code ──▶ dagster-ui, daemon ──▶ all healthy ──a signal──▶ ended
                                         │             └──one keeps dying, or is late (StartError)──▶ ended
                                         └──it is away, or the lake on S3 is──▶ api alone ──both answer──▶ the rest

One `up` at a time runs a home (`up.lock`). While it runs, that file says what runs where.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click
import orjson

from turret_api.accounts import AccountError, Accounts, NewProject
from turret_api.collector.slots import KEYS_FILE, slot_folders
from turret_api.command import components, lake_seen
from turret_api.command.demo_keys import kept_keys
from turret_api.command.health import connects, daemon_elsewhere
from turret_api.command.private_home import make_private
from turret_api.command.roles import HOST, Role, address, check_role, public_address
from turret_api.command.upgrade import upgrade
from turret_api.home.dagster_home import dagster_environment, has_tables
from turret_api.processes import guard
from turret_api.processes.log_lines import Log
from turret_api.processes.postgres import database, database_kept
from turret_api.processes.supervisor import StartError, Supervisor, tail
from turret_api.serve.tls import check_tls
from turret_pipeline.lake.objects import UnreachableError
from turret_pipeline.settings import Settings

API_S = 120.0
DAGSTER_S = 180.0
"""Seconds that a start may take on a busy machine, where it takes a tenth of that otherwise."""
_STARTING = {
    Role.ALL: "the API and the dashboard",
    Role.API: "the API and the dashboard",
    Role.COLLECTOR: "the collector",
    Role.PIPELINE: "the pipeline",
}


@dataclass(frozen=True)
class Part:
    """What this host does of the whole, and the address of its own on which the API listens."""

    role: Role = Role.ALL
    host: str = HOST

    def url(self, settings: Settings) -> str:
        """Return where processes of this host find the API and the dashboard."""
        return address(settings.scheme, self.host, settings.port)


@dataclass(frozen=True)
class System:
    """Everything, running: its addresses, and the projects whose keys are known (of a first start, of the demo)."""

    settings: Settings
    database_url: str
    supervisor: Supervisor
    first_project: NewProject | None
    demo: NewProject | None = None
    waits_for: str = ""
    """What is away, so that the API alone runs, which takes events; "": everything runs."""
    start_rest: Callable[[], bool] = lambda: True
    """Starts what does not run, once nothing is away any more; returns whether it has."""
    part: Part = Part()

    @property
    def url(self) -> str:
        """Where processes of this host find the API and the dashboard."""
        return self.part.url(self.settings)

    @property
    def public_url(self) -> str:
        """Where people find the API and the dashboard."""
        return public_address(self.settings.scheme, self.part.host, self.settings.port)

    @property
    def dagster_url(self) -> str:
        """Where Dagster's UI is."""
        return _dagster_url(self.settings)

    def wait(self) -> None:
        """Serve until a signal raises KeyboardInterrupt, or the whole cannot go on (`StartError`)."""
        waits = bool(self.waits_for)
        while True:
            self.supervisor.check()
            waits = waits and not self.start_rest()
            time.sleep(0.5)


@contextlib.contextmanager
def system(settings: Settings, say: Callable[[str], None], part: Part = Part()) -> Iterator[System]:
    """Yield everything, started and healthy; end all of it afterwards. Raise `click.ClickException` if it cannot start.

    What a crashed `up` of this home left over is ended first, and runs that were under way are handed to Dagster's
    retries before its daemon starts.
    """
    check_role(part.role, settings)
    check_tls(settings)
    with _home(settings) as lock:
        say = _told_twice(say, Log(settings.home / "logs" / "up.log", "up"))
        if left_over := guard.end(settings.home):
            say(f"ended {left_over} processes that an earlier `turret up` left over")
        if open_to_others := make_private(settings.home):
            say(open_to_others)
        _check_ports(settings, part.role)
        if settings.model_problem:
            say(settings.model_problem)
        reasons: list[str] = []
        say("starting the database")
        with database(settings, reasons.append) as url:
            try:
                if reasons:
                    if settings.database_url is not None and not _knows_keys(settings):
                        raise StartError(reasons[0])
                    with _events_only(settings, url, lock, "the database", reasons[0], say, part) as whole:
                        yield whole
                    return
                if reason := _upgraded(settings, url, say):
                    with _events_only(settings, url, lock, "the lake", reason, say, part) as whole:
                        yield whole
                    return
                with Supervisor(settings.home, say, lambda: _note(lock, settings, supervisor, part)) as supervisor:
                    say(f"starting {_STARTING[part.role]}")
                    _start(supervisor, settings, url, part)
                    with contextlib.closing(Accounts(url)) as accounts:
                        # Made last: its keys are shown once, and only if the start succeeds.
                        first = _first_project(accounts) if part.role.has_api else None
                        demo = kept_keys(settings, accounts)
                    with database_kept(settings, url, supervisor.say, supervisor.fail):
                        yield System(settings, url, supervisor, first, demo, part=part)
            except StartError as error:
                raise click.ClickException(str(error)) from error


def _told_twice(say: Callable[[str], None], log: Log) -> Callable[[str], None]:
    """Return what tells a person a line, and writes it into the log."""

    def both(line: str) -> None:
        log.write(line)
        say(line)

    return both


def _knows_keys(settings: Settings) -> bool:
    """Whether a collector has run here, which knows keys and takes their events without the database."""
    return any((folder / KEYS_FILE).exists() for folder in slot_folders(settings.home / "spool"))


def _first_project(accounts: Accounts) -> NewProject | None:
    """Return the project `default`, just made, or None: there are projects."""
    if accounts.projects():
        return None
    with contextlib.suppress(AccountError):  # another host has made it meanwhile
        return accounts.create_project("default")
    return None


def _upgraded(settings: Settings, url: str, say: Callable[[str], None]) -> str:
    """Bring the home to this version; return "", or why that has to wait for the lake. Raise what `upgrade` raises."""
    try:
        upgrade(settings, url, say)
    except UnreachableError as error:
        if not lake_seen.may_wait(settings, error):
            raise
        return str(error)
    return ""


@contextlib.contextmanager
def _events_only(
    settings: Settings, url: str, lock: IO[str], away: str, reason: str, say: Callable[[str], None], part: Part
) -> Iterator[System]:
    """Yield the API alone, which takes events of known keys; the rest is started once database and lake answer.

    away: what does not; reason: how it is said.
    """
    say(f"{reason}; {'only events are taken until it does' if part.role.has_api else 'waiting for it'}")
    with Supervisor(settings.home, say, lambda: _note(lock, settings, supervisor, part)) as supervisor:
        if part.role.has_api:
            supervisor.start(components.api(settings, url, part.role, part.host))
            supervisor.wait_until_healthy(["api"], API_S)

        told = reason

        def start_rest() -> bool:
            nonlocal told
            if not connects(url):
                return False
            try:
                upgrade(settings, url, supervisor.say)
            except UnreachableError as error:
                # Also where it refuses now: events that are taken here are safe, and nobody else may take them.
                if str(error) != told:
                    told = str(error)
                    supervisor.say(told)
                return False
            _start(supervisor, settings, url, part, api_runs=True)
            supervisor.say("everything runs")
            return True

        with database_kept(settings, url, supervisor.say, supervisor.fail):
            yield System(settings, url, supervisor, None, waits_for=away, start_rest=start_rest, part=part)


def running(settings: Settings) -> dict[str, object] | None:
    """Return what the `up` of this home says of itself, or None: none runs. It is empty until the first process is up.

    `pid`, `role`, and where they are there `url` and `dagster_url`; and of each component by its name `pids` (those
    that live) and `ports`.
    """
    path = settings.home / "up.lock"
    if not path.exists():
        return None
    with path.open("r") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            with contextlib.suppress(ValueError):
                found = orjson.loads(lock.read())
                if isinstance(found, dict):
                    return found
            return {}
    return None


def _start(supervisor: Supervisor, settings: Settings, url: str, part: Part, api_runs: bool = False) -> None:
    if part.role.has_api and not api_runs:
        supervisor.start(components.api(settings, url, part.role, part.host))
    if part.role.has_pipeline:
        _start_pipeline(supervisor, settings, url, part)
    else:
        supervisor.wait_until_healthy(["api"], API_S)
    supervisor.all_are_healthy()


def _start_pipeline(supervisor: Supervisor, settings: Settings, url: str, part: Part) -> None:
    port = components.code_port(settings)
    environment = dagster_environment(settings, url, port)
    code = components.code_server(settings, environment, port)
    # The first to come makes Dagster's tables, and two at once get in each other's way. Of several hosts, each may be
    # the first.
    recovered_first = settings.database_url is not None or not has_tables(url)
    if not recovered_first:
        supervisor.start(code)
    # Before the daemon, which would take runs that a crash cut off for living ones.
    _recover(environment, settings.home / "logs" / "recover.log", settings.database_url is not None)
    if recovered_first:
        supervisor.start(code)
    if part.role.has_api:
        supervisor.wait_until_healthy(["api"], API_S)
        supervisor.say(f"the dashboard answers at {part.url(settings)}; starting the pipeline")
    if settings.ray_address is not None:
        supervisor.say(f"looking whether the nodes of the Ray cluster at {settings.ray_address} can execute runs")
        _check_nodes(environment)
    supervisor.wait_until_healthy(["code"], DAGSTER_S)
    supervisor.say("the pipeline is loaded; starting Dagster's UI and daemon")
    supervisor.start(
        components.dagster_ui(settings, environment),
        components.daemon(settings, url, environment),
    )
    supervisor.wait_until_healthy(["dagster-ui", "daemon"], DAGSTER_S)
    if elsewhere := daemon_elsewhere(url, supervisor.pids().get("daemon")):
        supervisor.say(f"daemon: standing by, {elsewhere} has it")


def _recover(environment: dict[str, str], log: Path, other_hosts: bool) -> None:
    more = ["--other-hosts"] if other_hosts else []
    process = subprocess.Popen(
        [sys.executable, "-m", "turret_pipeline.orchestration.recover", *more],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    lines = Log(log, "recover")
    lines.copy(process.stdout)
    if process.wait():
        lines.wait()
        raise StartError(f"unfinished runs could not be taken up: see {log}{tail(log)}")


def _check_nodes(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "turret_pipeline.orchestration.ray_check"]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise StartError((done.stdout or done.stderr[-2000:]).decode(errors="replace").strip())


@contextlib.contextmanager
def _home(settings: Settings) -> Iterator[IO[str]]:
    """Hold the home for one `up`; yield the locked file."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        (settings.home / "logs").mkdir(exist_ok=True)
        settings.open_lake().make()
        lock = (settings.home / "up.lock").open("a+")
    except OSError as error:
        raise click.ClickException(f"cannot use the folder {error.filename}: {error.strerror}") from error
    with lock:
        if not _lock(lock):
            other = running(settings) or {}
            at = other.get("url") or f"--role {other.get('role')}"
            where = f" (pid {other['pid']}, {at})" if "pid" in other else ""
            raise click.ClickException(
                f"`turret up` already runs for {settings.home}{where}: use that, end it, or choose another TURRET_HOME"
            )
        yield lock


def _lock(lock: IO[str]) -> bool:
    # `running` holds the lock for an instant when it looks.
    for _ in range(10):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


def _note(lock: IO[str], settings: Settings, supervisor: Supervisor, part: Part) -> None:
    known = {
        "pid": os.getpid(),
        "role": part.role,
        **({"url": part.url(settings)} if part.role.has_api else {}),
        **({"dagster_url": _dagster_url(settings)} if part.role.has_pipeline else {}),
        "pids": supervisor.pids(),
        "ports": supervisor.ports(),
    }
    lock.truncate(0)
    lock.write(orjson.dumps(known).decode())
    lock.flush()


def _dagster_url(settings: Settings) -> str:
    return f"http://{HOST}:{settings.dagster_port}"


def _check_ports(settings: Settings, role: Role) -> None:
    ports = [("TURRET_PORT", settings.port, "0.0.0.0")] if role.has_api else []
    ports += [("TURRET_DAGSTER_PORT", settings.dagster_port, HOST)] if role.has_pipeline else []
    for variable, port, host in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise click.ClickException(
                    f"port {port} cannot be used ({error.strerror}): end what uses it, or set {variable} to another"
                ) from error
    if role is Role.ALL and settings.port == settings.dagster_port:
        raise click.ClickException(f"TURRET_PORT and TURRET_DAGSTER_PORT are both {settings.port}: change one")
