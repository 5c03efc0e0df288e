"""A connection to Postgres that holds locks, and whose end is noticed soon on both sides, however a host ends.

The locks of a session are free when its connection ends. The kernel closes it when its process is killed. When a host
loses its power or its network nobody closes anything, and a server waits for two hours by default, with all locks held.
So each side asks the other after `IDLE_S` of silence, and gives up after `N_PROBES` more looks, `EVERY_S` apart: 17 s.
"""

from __future__ import annotations

import psycopg2
from psycopg2.extensions import connection, cursor

IDLE_S = 5
EVERY_S = 3
N_PROBES = 4
UNSENT_MS = 17_000
"""How long what was sent may stay unacknowledged."""

_SERVER_SIDE = f"""
    SET tcp_keepalives_idle = {IDLE_S};
    SET tcp_keepalives_interval = {EVERY_S};
    SET tcp_keepalives_count = {N_PROBES};
    SET tcp_user_timeout = {UNSENT_MS}
"""
# A lock on a bigint is shown by its two halves.
_HOLDERS = """
    SELECT (lock.classid::bigint << 32) | lock.objid::bigint, holder.application_name
    FROM pg_locks AS lock JOIN pg_stat_activity AS holder USING (pid)
    WHERE lock.locktype = 'advisory' AND lock.objsubid = 1 AND lock.granted
        AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((lock.classid::bigint << 32) | lock.objid::bigint) = ANY(%s)
"""


def open_session(database_url: str, name: str, connect_s: int = 5) -> connection:
    """Return a session that commits each statement; raise `psycopg2.OperationalError` if there is none to be had.

    database_url: as SQLAlchemy or libpq takes it. name: what the server shows of it, of which 63 bytes.
    """
    opened = psycopg2.connect(
        database_url.replace("postgresql+psycopg2://", "postgresql://", 1),
        application_name=name.encode()[:63].decode(errors="ignore"),
        connect_timeout=connect_s,
        keepalives_idle=IDLE_S,
        keepalives_interval=EVERY_S,
        keepalives_count=N_PROBES,
        tcp_user_timeout=UNSENT_MS,
    )
    opened.autocommit = True
    with opened.cursor() as sql:
        sql.execute(_SERVER_SIDE)
    return opened


def take_locks(sql: cursor, keys: list[int]) -> set[int]:
    """Take those of the session's locks that are free; return which."""
    sql.execute("SELECT key FROM unnest(%s::bigint[]) AS key WHERE pg_try_advisory_lock(key)", (keys,))
    return {key for (key,) in sql.fetchall()}


def holders(sql: cursor, keys: list[int]) -> dict[int, str]:
    """Return for each of the locks that is held the name of the session that holds it."""
    sql.execute(_HOLDERS, (keys,))
    return dict(sql.fetchall())
