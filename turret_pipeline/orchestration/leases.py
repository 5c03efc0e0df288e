"""Leases: which runs have a process that lives, told by the database, over any number of machines and containers.

The process that executes a run holds a lease on it, a row with a deadline that a thread of the process renews. A
process of our own machine is looked up by its pid, so its death is known at once. Of any other machine the deadline
tells: a container that was made anew has another name and other pids, and nothing else would tell that its
predecessor is gone.

    no lease ──take──▶ held ──renewed every `RENEW_S`──▶ held ──the block ends──▶ no lease
                        └──its process is gone, or the deadline has passed──▶ `drop` by another process
                                  └──the process lives all the same──▶ it ends itself (SIGTERM)

Deadlines are times of the database, so clocks of machines do not matter. After a start of the database every lease has
`GRACE_S` to be renewed, for nobody could renew it while the database was away.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
from psycopg2.extensions import cursor

LEASE_S = 60.0
"""Seconds from a renewal to the deadline."""
RENEW_S = 10.0
RETRY_S = 1.0
"""Seconds to the next try after a renewal that failed."""
GRACE_S = 15.0

_TABLE = """
    SELECT pg_advisory_xact_lock(hashtext('turret.run_leases'));
    CREATE SCHEMA IF NOT EXISTS turret_pipeline;
    CREATE TABLE IF NOT EXISTS turret_pipeline.run_leases (
        run_id text PRIMARY KEY, machine text NOT NULL, pid bigint NOT NULL, started float8 NOT NULL,
        deadline timestamptz NOT NULL
    )
"""
_TAKE = """
    INSERT INTO turret_pipeline.run_leases VALUES (%s, %s, %s, %s, now() + make_interval(secs => %s))
    ON CONFLICT (run_id) DO UPDATE
    SET machine = excluded.machine, pid = excluded.pid, started = excluded.started, deadline = excluded.deadline
"""
_FORGET = "DELETE FROM turret_pipeline.run_leases WHERE deadline < now() - interval '1 day'"
"""Left by processes whose death Dagster noticed by itself."""
_RENEW = "UPDATE turret_pipeline.run_leases SET deadline = now() + make_interval(secs => %s) WHERE run_id = %s"
_HELD = """
    SELECT run_id, machine, pid, started,
        now() < greatest(deadline, pg_postmaster_start_time() + make_interval(secs => %s))
    FROM turret_pipeline.run_leases WHERE run_id = ANY(%s)
"""


@dataclass(frozen=True)
class Leases:
    """The leases in a database.

    Args:
        database_url: as SQLAlchemy takes it; None: there is no database, and there are no leases.
        lease_s: seconds from a renewal to the deadline.
    """

    database_url: str | None
    lease_s: float = LEASE_S

    def take(self, run_id: str) -> None:
        """After this call our process holds the lease on the run."""
        process = psutil.Process()
        with self._cursor() as sql:
            if not _is_there(sql):
                sql.execute(_TABLE)
            sql.execute(_FORGET)
            sql.execute(_TAKE, (run_id, machine(), process.pid, process.create_time(), self.lease_s))

    def renew(self, run_id: str) -> bool:
        """Move the deadline of our lease on; return False if another process has dropped the lease."""
        with self._cursor() as sql:
            sql.execute(_RENEW, (self.lease_s, run_id))
            return sql.rowcount == 1

    def drop(self, run_id: str) -> None:
        """After this call there is no lease on the run."""
        with self._cursor() as sql:
            if _is_there(sql):
                sql.execute("DELETE FROM turret_pipeline.run_leases WHERE run_id = %s", (run_id,))

    def living(self, run_ids: list[str]) -> dict[str, bool]:
        """Return, for those of the runs that have a lease, whether their process lives."""
        if self.database_url is None or not run_ids:
            return {}
        with self._cursor() as sql:
            if not _is_there(sql):
                return {}
            sql.execute(_HELD, (GRACE_S, run_ids))
            rows = sql.fetchall()
        here = machine()
        return {
            run_id: _lives(pid, started) if where == here else bool(in_time)
            for run_id, where, pid, started, in_time in rows
        }

    @contextlib.contextmanager
    def held(self, run_id: str, lost: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the lease on a run for the block.

        lost: called, from another thread, when another process took ours for dead; default: SIGTERM to ourselves.
        """
        if self.database_url is None:
            yield
            return
        self.take(run_id)
        ending = threading.Event()
        keeper = threading.Thread(
            target=self._keep, args=(run_id, ending, lost or _end_ourselves), name="lease", daemon=True
        )
        keeper.start()
        try:
            yield
        finally:
            ending.set()
            keeper.join()
            with contextlib.suppress(psycopg2.Error):
                self.drop(run_id)

    def _keep(self, run_id: str, ending: threading.Event, lost: Callable[[], None]) -> None:
        pause = RENEW_S
        while not ending.wait(min(pause, self.lease_s / 3)):
            try:
                if not self.renew(run_id):
                    lost()
                    return
                pause = RENEW_S
            except psycopg2.Error:
                pause = RETRY_S

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[cursor]:
        """Yield a cursor whose statements are in force together when the block ends."""
        assert self.database_url is not None
        connection = psycopg2.connect(
            self.database_url.replace("postgresql+psycopg2://", "postgresql://"),
            application_name="turret leases",
            connect_timeout=5,
        )
        with contextlib.closing(connection), connection, connection.cursor() as sql:
            yield sql


def machine() -> str:
    """Return what names the place in which our pids mean something: the host, its start, and the container."""
    found = [socket.gethostname()]
    with contextlib.suppress(OSError):  # where there is no /proc, the host's name has to do
        found.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        found.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(found)


def _lives(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _is_there(sql: cursor) -> bool:
    sql.execute("SELECT to_regclass('turret_pipeline.run_leases')")
    row = sql.fetchone()
    return row is not None and row[0] is not None


def _end_ourselves() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
