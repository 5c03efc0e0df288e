"""One import into a project at a time."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator

import click

from turret_pipeline.settings import Settings


@contextlib.contextmanager
def one_import_at_a_time(settings: Settings, project_id: str) -> Iterator[None]:
    """Allow one import into a project at a time: two would not see each other's events and store them twice."""
    folder = settings.home / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{project_id}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(f"another import into {project_id} is running; wait for it to end") from None
        yield
