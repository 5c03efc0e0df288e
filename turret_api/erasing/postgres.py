"""Out of the files of Postgres: rows that were changed or deleted, which stay there until they are written over.

A table that is written anew (`VACUUM FULL`) has no dead rows, and its old file is empty from then on. What the planner
knows of columns has values too. The log of writes (WAL) has all of it once more; the embedded server removes a file of
it that it needs no more, so a new file is begun, and a checkpoint made, until none is left of before. Of a server that
is not ours, tables are written anew as far as we may, and the rest is said.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection, cursor

from turret_api.erasing.dagster import COLUMNS, SCHEMA
from turret_api.erasing.erased import Done

EMBEDDED, OWN = "Postgres (embedded)", "Postgres (TURRET_DATABASE_URL)"
_OF_ACCOUNTS = ("alerts", "alert_deliveries", "alert_rules", "audit", "erasures", "suppressed", "api_keys", "people")
_LOCK_S = 60.0
"""Longest time to wait for a table that is in use."""
_MOST_WAL_FILES = 200


@contextlib.contextmanager
def connected(url: str) -> Iterator[connection]:
    """Yield a connection of our own to the database at the SQLAlchemy URL `url`, without a limit of time."""
    opened = psycopg2.connect(url.replace("+psycopg2", "", 1), application_name="turret erase")
    with contextlib.closing(opened):
        with opened.cursor() as run:
            run.execute("SET statement_timeout = 0")
            run.execute("SET lock_timeout = '5s'")
        opened.commit()
        yield opened


def write_anew(url: str, is_embedded: bool) -> list[Done]:
    """After this call the files of the database have no row of before; raise psycopg2's errors.

    To be called last: what is changed or deleted after it lies in the files until the next call.
    """
    place = EMBEDDED if is_embedded else OWN
    with connected(url) as opened:
        opened.autocommit = True
        with opened.cursor() as run:
            tables = _tables(run)
            for schema, table in tables:
                _vacuum(run, sql.Identifier(schema, table))
            done = [Done(place, "tables written anew", len(tables))]
            with contextlib.suppress(errors.InsufficientPrivilege, errors.LockNotAvailable):
                run.execute("VACUUM (FULL) pg_catalog.pg_statistic")
            if is_embedded:
                return [*done, Done(place, "files of its log of writes removed", _begin_log_anew(run))]
            with contextlib.suppress(errors.InsufficientPrivilege):
                run.execute("CHECKPOINT")
    return [*done, Done(place, "the server's log of writes, its archive, replicas and logs: not ours to clean", 0)]


def _tables(run: cursor) -> list[tuple[str, str]]:
    """Return schema and name of each table that may hold a value of an event."""
    wanted = [("turret", name) for name in _OF_ACCOUNTS] + [(SCHEMA, each.table) for each in COLUMNS]
    found = []
    for schema, table in wanted:
        run.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{schema}.{table}",))
        if (run.fetchone() or (False,))[0]:
            found.append((schema, table))
    return found


def _vacuum(run: cursor, table: sql.Identifier) -> None:
    deadline = time.monotonic() + _LOCK_S
    while True:
        try:
            run.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(table))
        except errors.LockNotAvailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _begin_log_anew(run: cursor) -> int:
    """After this call all files of the log of writes are new; return how many there were."""
    old, _ = _log(run)
    for _ in range(_MOST_WAL_FILES):
        run.execute("SELECT pg_switch_wal()")
        run.execute("CHECKPOINT")
        names, current = _log(run)
        # A file of an earlier version's server may lie ready to be used again, with what it held: it is used up.
        if current not in old and names == {current}:
            break
    return len(old)


def _log(run: cursor) -> tuple[set[str], str]:
    """Return the names of the files of the log of writes, and of the one that is written to."""
    run.execute("SELECT name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'")
    names = {row[0] for row in run.fetchall()}
    run.execute("SELECT pg_walfile_name(pg_current_wal_lsn())")
    (current,) = run.fetchone() or ("",)
    return names, current
