"""`turret build`: bring every table up to date in the foreground, through Dagster, with the database and home it needs.

The work is done by `python -m turret_pipeline.orchestration.build`, a process of its own: this one must not import
Dagster.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import signal
import subprocess
import sys
import time
from types import FrameType

import click

from turret_api.accounts import AccountError, Accounts
from turret_api.command.system import running
from turret_api.command.upgrade import upgrade
from turret_api.home.dagster_home import dagster_environment
from turret_api.home.spools import bring_in_spools
from turret_api.processes.postgres import database
from turret_pipeline.lake.objects import UnreachableError
from turret_pipeline.settings import Settings

GRACE_S = 8.0
"""Seconds from a signal to the kill of a builder that does not end."""
LOOK_S = 0.2
INTERRUPTED = 130
_PR_SET_PDEATHSIG = 1
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--project", "projects", metavar="P", multiple=True, help="Id or name of a project; default: all.")
@click.option("--from", "first", metavar="DAY", type=_DAY, help="First day of receipt (UTC), as 2026-10-01.")
@click.option("--to", "last", metavar="DAY", type=_DAY, help="Last day of receipt.")
@click.option("--asset", "tables", metavar="TABLE", multiple=True, help="Table to bring up to date; default: all.")
@click.option("--days-per-run", type=click.IntRange(min=1), help="Days of receipt in one run; default: all in one.")
@click.option("--full-refresh", is_flag=True, help="Compute again what is up to date too; vectors are kept.")
def command(
    projects: tuple[str, ...],
    first: dt.datetime | None,
    last: dt.datetime | None,
    tables: tuple[str, ...],
    days_per_run: int | None,
    full_refresh: bool,
) -> None:
    """Bring every table up to date in the foreground; exits non-zero if anything failed.

    A range of days of receipt, tables and projects leave out the rest: a backfill of a week of events is
    `turret build --from 2026-10-01 --to 2026-10-07 --asset events --full-refresh`.
    """
    settings = Settings.from_environment()
    if settings.model_problem:
        raise click.ClickException(settings.model_problem)
    with database(settings) as url:
        try:
            upgrade(settings, url, lambda line: click.echo(line, err=True), running(settings))
        except UnreachableError:
            raise
        except OSError as error:
            raise click.ClickException(f"the lake {settings.lake} cannot be read: {error}") from error
        bring_in_spools(settings, url)
        words = [f"--project={project_id}" for project_id in _project_ids(url, projects)]
        words += [f"--asset={table}" for table in tables]
        words += [f"--{name}={day:%Y-%m-%d}" for name, day in (("from", first), ("to", last)) if day is not None]
        words += [f"--days-per-run={days_per_run}"] if days_per_run else []
        words += ["--full-refresh"] if full_refresh else []
        command = [sys.executable, "-m", "turret_pipeline.orchestration.build", *words]
        code = run(command, dagster_environment(settings, url))
    sys.exit(code)


def run(command: list[str], environment: dict[str, str]) -> int:
    """Run the command to its end: signals to us go to it, and it dies with us. Return its exit status.

    It has `GRACE_S` to end after the first signal, and is then killed: it may be in native code that hears no signal,
    and what it has committed stands.
    """
    process = subprocess.Popen(command, env=environment, preexec_fn=_die_with_parent)
    told_at: list[float] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        told_at.append(time.monotonic())
        # Ctrl-C in a terminal has reached it already: it is in our process group.
        if number != signal.SIGINT:
            process.send_signal(number)

    before = {each: signal.signal(each, pass_on) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        while (code := _waited(process)) is None:
            if told_at and time.monotonic() - told_at[0] > GRACE_S:
                process.kill()
                process.wait()
                click.echo("build interrupted; what is done is done, the next build goes on from there", err=True)
                return INTERRUPTED
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    return 128 - code if code < 0 else code


def _waited(process: subprocess.Popen[bytes]) -> int | None:
    """Wait for a moment; return the exit status if the process has ended."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(LOOK_S)
    return None


def _project_ids(url: str, names: tuple[str, ...]) -> list[str]:
    accounts = Accounts(url)
    try:
        return [accounts.find_project(name).project_id for name in names]
    except AccountError as error:
        raise click.ClickException(str(error)) from error
    finally:
        accounts.close()


def _die_with_parent() -> None:
    # Killed while it builds, `turret build` must not leave a builder that works on beside the next one.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
