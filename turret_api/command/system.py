"""Everything that Turret consists of, on one machine, started and ended as one: what `turret up` and the demo run.

    database     the embedded Postgres, unless TURRET_DATABASE_URL names one (see `turret_api.processes.postgres`)
    api          `turret serve`: collector, read API, dashboard
    code         Dagster's code server, shared by the two below and by every run
    dagster-ui   Dagster's web server, on 127.0.0.1 only, because it has no login
    daemon       Dagster's daemon: sensors, automation, the queue of runs, retries

    home locked ──left-overs ended──▶ database ──▶ api, code ──▶ dagster-ui, daemon ──▶ all healthy ──a signal──▶ ended
                                                       └──one keeps dying, or is late (StartError)──▶ ended

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

from turret_api.accounts import Accounts, NewProject
from turret_api.command.dagster_home import WORKSPACE, dagster_environment, has_tables, turret_environment
from turret_api.command.demo_keys import kept_keys
from turret_api.command.health import accepts, answers, connects, last_heartbeat
from turret_api.command.private_home import make_private
from turret_api.command.upgrade import upgrade
from turret_api.processes import guard
from turret_api.processes.postgres import database, database_kept
from turret_api.processes.supervisor import Component, StartError, Supervisor, tail
from turret_api.serve.tls import check_tls
from turret_pipeline.settings import Settings

HOST = "127.0.0.1"
API_S = 120.0
DAGSTER_S = 180.0
"""Seconds that a start may take on a busy machine, where it takes a tenth of that otherwise."""


@dataclass(frozen=True)
class System:
    """Everything, running: its addresses, and the projects whose keys are known (of a first start, of the demo)."""

    settings: Settings
    database_url: str
    supervisor: Supervisor
    first_project: NewProject | None
    demo: NewProject | None = None
    start_rest: Callable[[], None] | None = None
    """Starts what does not run because the database did not start; None: everything does."""

    @property
    def url(self) -> str:
        """Where the API and the dashboard are."""
        return f"{self.settings.scheme}://{HOST}:{self.settings.port}"

    @property
    def dagster_url(self) -> str:
        """Where Dagster's UI is."""
        return f"http://{HOST}:{self.settings.dagster_port}"

    def wait(self) -> None:
        """Serve until a signal raises KeyboardInterrupt, or the whole cannot go on (`StartError`)."""
        waits = self.start_rest is not None
        while True:
            self.supervisor.check()
            if waits and self.start_rest is not None and connects(self.database_url):
                self.start_rest()
                waits = False
            time.sleep(0.5)


@contextlib.contextmanager
def system(settings: Settings, say: Callable[[str], None]) -> Iterator[System]:
    """Yield everything, started and healthy; end all of it afterwards. Raise `click.ClickException` if it cannot start.

    What a crashed `up` of this home left over is ended first, and runs that were under way are handed to Dagster's
    retries before its daemon starts.
    """
    check_tls(settings)
    with _home(settings) as lock:
        if left_over := guard.end(settings.home):
            say(f"ended {left_over} processes that an earlier `turret up` left over")
        if open_to_others := make_private(settings.home):
            say(open_to_others)
        _check_ports(settings)
        if settings.model_problem:
            say(settings.model_problem)
        reasons: list[str] = []
        say("starting the database")
        with database(settings, reasons.append) as url:
            try:
                if reasons:
                    with _without_database(settings, url, lock, reasons[0], say) as whole:
                        yield whole
                    return
                upgrade(settings, url, say)
                with Supervisor(settings.home, say, lambda: _note(lock, settings, supervisor)) as supervisor:
                    accounts = Accounts(url)
                    say("starting the API and the dashboard")
                    _start(supervisor, settings, url)
                    # Made last: its keys are shown once, and only if the start succeeds.
                    first = None if accounts.projects() else accounts.create_project("default")
                    demo = kept_keys(settings, accounts)
                    accounts.close()
                    with database_kept(settings, url, supervisor.say, supervisor.fail):
                        yield System(settings, url, supervisor, first, demo)
            except StartError as error:
                raise click.ClickException(str(error)) from error


@contextlib.contextmanager
def _without_database(
    settings: Settings, url: str, lock: IO[str], reason: str, say: Callable[[str], None]
) -> Iterator[System]:
    """Yield the API alone, which takes events of known keys; the rest is started once the database runs."""
    say(f"{reason}; only events are taken until it does")
    with Supervisor(settings.home, say, lambda: _note(lock, settings, supervisor)) as supervisor:
        supervisor.start(_api(settings, url))
        supervisor.wait_until_healthy(["api"], API_S)

        def start_rest() -> None:
            upgrade(settings, url, supervisor.say)
            _start(supervisor, settings, url, api_runs=True)
            supervisor.say("everything runs")

        with database_kept(settings, url, supervisor.say, supervisor.fail):
            yield System(settings, url, supervisor, None, start_rest=start_rest)


def running(settings: Settings) -> dict[str, object] | None:
    """Return what the `up` of this home says of itself, or None: none runs. It is empty until the first process is up.

    `pid`, `url` and `dagster_url`; and of each component by its name `pids` (those that live) and `ports`.
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


def _api(settings: Settings, url: str) -> Component:
    return Component(
        "api",
        [sys.executable, "-m", "turret_api", "serve"],
        turret_environment(settings, url),
        settings.home / "logs" / "api.log",
        lambda: answers(f"{settings.scheme}://{HOST}:{settings.port}/healthz"),
        settings.port,
    )


def _start(supervisor: Supervisor, settings: Settings, url: str, api_runs: bool = False) -> None:
    code_port = _code_port(settings)
    dagster = dagster_environment(settings, url, code_port)
    logs = settings.home / "logs"
    python = [sys.executable, "-m"]
    host = ["--host", HOST, "--port"]

    code = Component(
        "code",
        [*python, "dagster", "api", "grpc", *host, str(code_port), "--module-name", "turret_pipeline.definitions"],
        dagster,
        logs / "code.log",
        lambda: accepts(code_port),
        code_port,
    )
    web = Component(
        "dagster-ui",
        [*python, "dagster_webserver", *host, str(settings.dagster_port), "--workspace", str(WORKSPACE)],
        dagster,
        logs / "dagster-ui.log",
        lambda: answers(f"http://{HOST}:{settings.dagster_port}/server_info"),
        settings.dagster_port,
    )
    started_at = time.time()
    daemon = Component(
        "daemon",
        [*python, "dagster._daemon", "run", "--workspace", str(WORKSPACE)],
        dagster,
        logs / "daemon.log",
        lambda: last_heartbeat(url) > started_at,
    )
    # The first to come makes Dagster's tables, and two at once get in each other's way.
    fresh = not has_tables(url)
    supervisor.start(*([] if api_runs else [_api(settings, url)]), *([] if fresh else [code]))
    # Before the daemon, which would take runs that a crash cut off for living ones.
    _recover(dagster, logs / "recover.log")
    if fresh:
        supervisor.start(code)
    supervisor.wait_until_healthy(["api"], API_S)
    supervisor.say(f"the dashboard answers at {settings.scheme}://{HOST}:{settings.port}; starting the pipeline")
    if settings.ray_address is not None:
        supervisor.say(f"looking whether the nodes of the Ray cluster at {settings.ray_address} can execute runs")
        _check_nodes(dagster)
    supervisor.wait_until_healthy(["code"], DAGSTER_S)
    supervisor.say("the pipeline is loaded; starting Dagster's UI and daemon")
    supervisor.start(web, daemon)
    supervisor.wait_until_healthy(["dagster-ui", "daemon"], DAGSTER_S)
    supervisor.all_are_healthy()


def _recover(environment: dict[str, str], log: Path) -> None:
    with log.open("a") as out:
        done = subprocess.run(
            [sys.executable, "-m", "turret_pipeline.orchestration.recover"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
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
            where = f" (pid {other['pid']}, {other['url']})" if "pid" in other else ""
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


def _note(lock: IO[str], settings: Settings, supervisor: Supervisor) -> None:
    known = {
        "pid": os.getpid(),
        "url": f"{settings.scheme}://{HOST}:{settings.port}",
        "dagster_url": f"http://{HOST}:{settings.dagster_port}",
        "pids": supervisor.pids(),
        "ports": supervisor.ports(),
    }
    lock.truncate(0)
    lock.write(orjson.dumps(known).decode())
    lock.flush()


def _check_ports(settings: Settings) -> None:
    for variable, port, host in (
        ("TURRET_PORT", settings.port, "0.0.0.0"),
        ("TURRET_DAGSTER_PORT", settings.dagster_port, HOST),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise click.ClickException(
                    f"port {port} cannot be used ({error.strerror}): end what uses it, or set {variable} to another"
                ) from error
    if settings.port == settings.dagster_port:
        raise click.ClickException(f"TURRET_PORT and TURRET_DAGSTER_PORT are both {settings.port}: change one")


def _code_port(settings: Settings) -> int:
    """Return a free port for the code server: that of last time where possible, as Dagster tells servers by it."""
    file = settings.home / "dagster" / "code_port"
    for port in (int(file.read_text()) if file.exists() else 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            file.parent.mkdir(exist_ok=True)
            file.write_text(str(found))
            return found
    raise StartError("there is no free TCP port on 127.0.0.1")
