"""`turret build`: bring every table up to date in the foreground, through Dagster, with the database and home it needs.

The work is `python -m turret_pipeline.build`, a process of its own, for nothing here may import Dagster.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from types import FrameType

import click

from turret_api.accounts import AccountError, Accounts
from turret_api.command.dagster_home import dagster_environment
from turret_api.command.postgres import database
from turret_pipeline.lake.settings import Settings

_PR_SET_PDEATHSIG = 1


@click.command()
@click.option("--project", "projects", metavar="P", multiple=True, help="Id or name of a project; default: all.")
def command(projects: tuple[str, ...]) -> None:
    """Bring every table up to date in the foreground; exits non-zero if anything failed."""
    settings = Settings.from_environment()
    with database(settings) as url:
        chosen = [f"--project={project_id}" for project_id in _project_ids(url, projects)]
        command = [sys.executable, "-m", "turret_pipeline.build", *chosen]
        code = run(command, dagster_environment(settings, url))
    sys.exit(code)


def run(command: list[str], environment: dict[str, str]) -> int:
    """Run the command to its end, as if it were us: signals go to it, and it dies with us. Return its exit status."""
    process = subprocess.Popen(command, env=environment, preexec_fn=_die_with_parent)

    def pass_on(number: int, frame: FrameType | None) -> None:
        # Ctrl-C in a terminal has reached it already: it is in our process group.
        if number != signal.SIGINT:
            process.send_signal(number)

    before = {each: signal.signal(each, pass_on) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        code = process.wait()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    return 128 - code if code < 0 else code


def _project_ids(url: str, names: tuple[str, ...]) -> list[str]:
    accounts = Accounts(url)
    try:
        accounts.migrate()
        return [accounts.find_project(name).project_id for name in names]
    except AccountError as error:
        raise click.ClickException(str(error)) from error
    finally:
        accounts.close()


def _die_with_parent() -> None:
    # Killed while it builds, `turret build` must not leave a builder that works on beside the next one.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
