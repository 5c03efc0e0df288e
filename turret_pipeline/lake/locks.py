"""One writer a project, over all processes and machines: `turret build` and the daemon's runs take turns.

An advisory lock of the Postgres that Dagster uses, held by a connection of its own: whatever way its holder ends, the
connection ends with it and the lock is free. Should the connection break while its holder lives (the database was
restarted), the lake still refuses the later of two commits (`lake.commits`).
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator

import psycopg2

from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.paths import Lake

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
    key = fingerprint("turret", lake.root, project_id)
    connection = psycopg2.connect(
        database_url.replace("postgresql+psycopg2://", "postgresql://"),
        application_name=f"turret {project_id}"[:63],
        keepalives_idle=30,
    )
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            # Asked again and again rather than waited for: a process that waits in the driver hears no Ctrl-C.
            deadline = time.monotonic() + patience_s
            while not _taken(cursor, key):
                if time.monotonic() > deadline:
                    raise BusyError(f"another process is building {project_id}")
                if waiting is not None:
                    waiting()
                    waiting = None
                time.sleep(POLL_S)
        yield
    finally:
        connection.close()


def _taken(cursor: psycopg2.extensions.cursor, key: int) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", (key,))
    row = cursor.fetchone()
    return row is not None and bool(row[0])
