"""One import into a project at a time, on all hosts that share the database.

A file's lock keeps imports of one host apart, whatever becomes of the database meanwhile; a lock of the database those
of several hosts.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
from collections.abc import Callable, Iterator

import click

from turret_pipeline.lake.locks import BusyError, sole_writer
from turret_pipeline.settings import Settings


@contextlib.contextmanager
def one_import_at_a_time(
    settings: Settings, url: str, project_id: str, on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Allow one import into a project at a time: two would not see each other's events and store them twice.

    url: of the database. on_wait: called before it waits for another to end; without it that is an error in one line.
    """
    folder = settings.home / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    patience_s = 0.0 if on_wait is None else math.inf
    with (folder / f"{project_id}.lock").open("a") as lock, contextlib.ExitStack() as held:
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if on_wait is None:
                    raise BusyError from None
                on_wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            name = f"imports of {project_id}"
            held.enter_context(sole_writer(url, settings.open_lake(), name, on_wait, patience_s))
        except BusyError:
            message = f"another import into {project_id} is running, or an erasure; wait for its end"
            raise click.ClickException(message) from None
        yield
