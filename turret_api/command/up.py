"""`turret up`: everything that Turret consists of on one host, until Ctrl-C or SIGTERM; see `system` and `roles`."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType

import click

from turret_api.accounts import NewProject
from turret_api.command.roles import HOST, Role
from turret_api.command.system import Part, System, running, system
from turret_pipeline.settings import Settings

__all__ = ["command", "ended_by_signals", "running", "say", "system"]


@click.command()
@click.option(
    "--role",
    type=click.Choice([each.value for each in Role]),
    default=Role.ALL.value,
    show_default=True,
    help="What this host does: api (API and dashboard, no pipeline), collector (takes events only), pipeline (no API). "
    "Other than all it needs TURRET_DATABASE_URL.",
)
@click.option(
    "--host",
    default=HOST,
    show_default=True,
    help="Address on which the API listens; 0.0.0.0 for all. Dagster's UI, which has no login, stays on 127.0.0.1.",
)
def command(role: str, host: str) -> None:
    """Run the database, the API with the dashboard, and the pipeline, until Ctrl-C."""
    settings = Settings.from_environment()
    started = time.monotonic()
    with ended_by_signals(), system(settings, say, Part(Role(role), host)) as whole:
        click.echo(_table(whole, time.monotonic() - started))
        whole.wait()
    say("everything has ended")


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """End the block in order at the first SIGINT, SIGTERM or SIGHUP; further signals change nothing meanwhile."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in numbers}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def say(line: str) -> None:
    """Show a person one line with the time of day."""
    # The reader of our output may have gone; that is no reason to stop watching.
    with contextlib.suppress(OSError):
        click.echo(f"{time.strftime('%H:%M:%S')}  {line}")


def _table(whole: System, seconds: float) -> str:
    settings = whole.settings
    role = whole.part.role
    rows = [("Dashboard", whole.public_url)] if role in (Role.ALL, Role.API) else []
    rows += [("Track events", f"POST {whole.public_url}/track")] if role.has_api else []
    rows += [("Dagster UI", whole.dagster_url)] if role.has_pipeline else []
    rows += [("Lake", settings.lake), ("Logs", str(settings.home / "logs"))]
    part = "Turret is up" if role is Role.ALL else f"Turret is up, with the role {role}"
    if whole.waits_for:
        waits = f"Turret waits for {whole.waits_for}"
        part = "Turret takes events, and nothing else runs yet" if role.has_api else waits
    lines = [f"{part} ({seconds:.0f} s). Ctrl-C ends it.", ""]
    lines += [f"  {name:<14}{value}" for name, value in rows]
    if project := whole.first_project:
        lines += ["", f"Project `{project.project_id}` was made. Its keys, shown this once:", "", *_keys(project)]
    if project := whole.demo:
        lines += ["", f"Project `{project.project_id}` is that of `turret demo`. Its keys:", "", *_keys(project), ""]
        lines += ["`turret project create NAME` makes a project of your own."]
    return "\n".join([*lines, ""])


def _keys(project: NewProject) -> list[str]:
    keys = (("write key", project.write_key), ("read key", project.read_key), ("admin key", project.admin_key))
    return [f"  {name:<14}{key}" for name, key in keys]
