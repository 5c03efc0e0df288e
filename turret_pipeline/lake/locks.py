"""One writer a project, over all processes and machines: `turret build` and the daemon's runs take turns.

An advisory lock of the Postgres that Dagster uses, held by a connection of its own: whatever way its holder ends, the
connection ends with it and the lock is free. Should the connection break while its holder lives (the database was
restarted), the lake still refuses the later of two commits (`lake.commits`).
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection, Iterator

from psycopg2.extensions import cursor

from turret_pipeline.lake.bucket import name_of
from turret_pipeline.lake.fingerprint import fingerprint
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.session import open_session, take_locks

POLL_S = 0.2


class BusyError(Exception):
    """Another process has had the project's lock for longer than we would wait."""


@contextlib.contextmanager
def sole_writer(
    database_url: str,
    lake: Lake,
    project_id: str,
    waiting: Callable[[], None] | None = None,
    patience_s: float = math.inf,
) -> Iterator[None]:
    """Hold the project's lock for the block; wait for it as long as it takes, calling `waiting` once if it is not free.

    database_url: as SQLAlchemy takes it. patience_s: seconds after which `BusyError` is raised instead.
    """
    with _cursor(database_url, f"turret {project_id}") as sql:
        # Asked again and again rather than waited for: a process that waits in the driver hears no Ctrl-C.
        deadline = time.monotonic() + patience_s
        while not _taken(sql, lake, [project_id]):
            if time.monotonic() > deadline:
                raise BusyError(f"another process is building {project_id}")
            if waiting is not None:
                waiting()
                waiting = None
            time.sleep(POLL_S)
        yield


@contextlib.contextmanager
def sole_writers(
    database_url: str, lake: Lake, project_ids: Collection[str], patience_s: float
) -> Iterator[frozenset[str]]:
    """Hold the locks of projects for the block; yield those whose locks were free, or became so in `patience_s`.

    Two processes that want the same projects wait for each other no longer than that.
    """
    with _cursor(database_url, f"turret {len(project_ids)} projects") as sql:
        deadline = time.monotonic() + patience_s
        taken = _taken(sql, lake, project_ids)
        while len(taken) < len(project_ids) and time.monotonic() < deadline:
            time.sleep(POLL_S)
            taken |= _taken(sql, lake, set(project_ids) - taken)
        yield frozenset(taken)


@contextlib.contextmanager
def in_turn(database_url: str, lake: Lake, what: str, patience_s: float) -> Iterator[None]:
    """Hold a lock of the lake for the block; go on without it if it was not free for `patience_s` seconds.

    what: its name, which is no project's. It spares work that is done twice otherwise, and keeps nothing from harm.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(BusyError):
            held.enter_context(sole_writer(database_url, lake, what, patience_s=patience_s))
        yield


@contextlib.contextmanager
def _cursor(database_url: str, name: str) -> Iterator[cursor]:
    """Yield a cursor; the locks that it takes are free when the block ends, in whatever way."""
    with contextlib.closing(open_session(database_url, name)) as session, session.cursor() as sql:
        yield sql


def _taken(sql: cursor, lake: Lake, project_ids: Collection[str]) -> set[str]:
    """Take the locks of projects that are free; return which."""
    keys = {fingerprint("turret", name_of(lake), project_id): project_id for project_id in project_ids}
    return {keys[key] for key in take_locks(sql, list(keys))}
