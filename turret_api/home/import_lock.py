"""One import into a project at a time."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator

import click

from turret_pipeline.settings import Settings


@contextlib.contextmanager
def one_import_at_a_time(
    settings: Settings, project_id: str, on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Allow one import into a project at a time: two would not see each other's events and store them twice.

    on_wait: called before it waits for another to end; without it that is an error in one line.
    """
    folder = settings.home / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{project_id}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait is None:
                message = f"another import into {project_id} is running, or an erasure; wait for its end"
                raise click.ClickException(message) from None
            on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
