"""Leases: which runs have a process that lives, told by the database, over any number of machines and containers.

The process that executes a run holds a lease on it: a row with a deadline that a thread of the process renews, and a
lock of a session of its own. A process of our own machine is looked up by its pid, so its death is known at once. Of
any other machine lock and deadline tell: a container that was made anew has another name and other pids, and nothing
else would tell that its predecessor is gone. The lock is held while the connection is, which the kernels see to, also
when native code keeps the process's threads from renewing for long. The deadline bridges a connection that broke.

    no lease ──launching──▶ the launcher's ──take──▶ held ──renewed every `RENEW_S`──▶ held ──end of block──▶ no lease
                              │                       └──its process is gone, or lock and deadline are──▶ dropped
                              └──the launcher is gone, and the deadline has passed──▶ dropped, by another process
    dropped, and the process lives all the same ──▶ it ends itself (SIGTERM)
    cancelled, on whichever host ──its next renewal──▶ it ends itself (SIGTERM)

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
from psycopg2.extensions import connection, cursor

from turret_pipeline.lake.fingerprint import fingerprint
from turret_pipeline.lake.session import holders, open_session, take_locks

LEASE_S = 10.0
"""Seconds from a renewal to the deadline: time to get the lock again for a process whose connection broke."""
LAUNCH_S = 45.0
"""Seconds that a run's process has to take its lease if the daemon that launched it has died meanwhile."""
RENEW_S = 3.0
RETRY_S = 1.0
"""Seconds to the next try after a renewal that failed."""
GRACE_S = 15.0

_TABLE = """
    SELECT pg_advisory_xact_lock(hashtext('turret.run_leases'));
    CREATE SCHEMA IF NOT EXISTS turret_pipeline;
    CREATE TABLE IF NOT EXISTS turret_pipeline.run_leases (
        run_id text PRIMARY KEY, machine text NOT NULL, pid bigint NOT NULL, started float8 NOT NULL,
        deadline timestamptz NOT NULL
    );
    ALTER TABLE turret_pipeline.run_leases ADD COLUMN IF NOT EXISTS cancelled boolean NOT NULL DEFAULT false
"""
_HAS_COLUMNS = """
    SELECT count(*) FROM pg_attribute
    WHERE attrelid = to_regclass('turret_pipeline.run_leases') AND attname = 'cancelled'
"""
"""Earlier versions made the table without it."""
_TAKE = """
    INSERT INTO turret_pipeline.run_leases VALUES (%s, %s, %s, %s, now() + make_interval(secs => %s))
    ON CONFLICT (run_id) DO UPDATE
    SET machine = excluded.machine, pid = excluded.pid, started = excluded.started, deadline = excluded.deadline
"""
_FORGET = "DELETE FROM turret_pipeline.run_leases WHERE deadline < now() - interval '1 day'"
"""Left by processes whose death Dagster noticed by itself."""
_RENEW = """
    UPDATE turret_pipeline.run_leases SET deadline = now() + make_interval(secs => %s) WHERE run_id = %s
    RETURNING cancelled
"""
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

    def launching(self, run_id: str) -> None:
        """After this call the run counts as living until its process takes the lease, or `LAUNCH_S` after our end."""
        if self.database_url is None:
            return
        with contextlib.closing(self._open()) as session:
            self._write(session, run_id, -os.getpid(), LAUNCH_S)

    def take(self, run_id: str) -> None:
        """After this call our process has the lease on the run, for as long as its deadline goes."""
        with contextlib.closing(self._open()) as session:
            self._write(session, run_id, os.getpid(), self.lease_s)

    def drop(self, run_id: str) -> None:
        """After this call there is no lease on the run."""
        with self._cursor() as sql:
            if _is_there(sql):
                sql.execute("DELETE FROM turret_pipeline.run_leases WHERE run_id = %s", (run_id,))

    def cancel(self, run_id: str) -> bool:
        """Ask the process that has the lease to end, at its next renewal; return whether there is a lease."""
        with self._cursor() as sql:
            _make_table(sql)
            sql.execute("UPDATE turret_pipeline.run_leases SET cancelled = true WHERE run_id = %s", (run_id,))
            return sql.rowcount == 1

    def machine_of(self, run_id: str) -> str | None:
        """Return the machine on which the process with the lease runs, as `machine` names it; None: no lease."""
        if self.database_url is None:
            return None
        with self._cursor() as sql:
            _make_table(sql)
            sql.execute("SELECT machine FROM turret_pipeline.run_leases WHERE run_id = %s", (run_id,))
            row = sql.fetchone()
        return None if row is None else str(row[0])

    def living(self, run_ids: list[str], *, all_ended_here: bool = False) -> dict[str, bool]:
        """Return, for those of the runs that have a lease, whether their process lives.

        all_ended_here: no process that was launched before this call lives on this machine.
        """
        if self.database_url is None or not run_ids:
            return {}
        with self._cursor() as sql:
            if not _is_there(sql):
                return {}
            sql.execute(_HELD, (GRACE_S, run_ids))
            rows = sql.fetchall()
            held = holders(sql, [_key(run_id) for run_id, *_ in rows])
        here = machine()
        found = {}
        for run_id, where, pid, started, in_time in rows:
            if where != here:
                found[run_id] = bool(in_time) or _key(run_id) in held
            elif pid < 0:  # the launcher's
                found[run_id] = _lives(-pid, started) or (bool(in_time) and not all_ended_here)
            else:
                found[run_id] = _lives(pid, started)
        return found

    @contextlib.contextmanager
    def held(self, run_id: str, lost: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the lease on a run for the block.

        lost: called, from another thread, when another process took ours for dead, or cancelled the run; default:
            SIGTERM to ourselves.
        """
        if self.database_url is None:
            yield
            return
        session = self._open()
        self._write(session, run_id, os.getpid(), self.lease_s)
        _lock(session, run_id)
        ending = threading.Event()
        keeper = threading.Thread(
            target=self._keep, args=(session, run_id, ending, lost or _end_ourselves), name="lease", daemon=True
        )
        keeper.start()
        try:
            yield
        finally:
            ending.set()
            keeper.join()
            with contextlib.suppress(psycopg2.Error):
                self.drop(run_id)

    def _keep(self, session: connection, run_id: str, ending: threading.Event, lost: Callable[[], None]) -> None:
        pause = RENEW_S
        try:
            while not ending.wait(min(pause, self.lease_s / 3)):
                try:
                    if session.closed:
                        session = self._open()
                        _lock(session, run_id)
                    if not self._renew(session, run_id):
                        lost()
                        return
                    pause = RENEW_S
                except psycopg2.Error:
                    session.close()
                    pause = RETRY_S
        finally:
            session.close()

    def _renew(self, session: connection, run_id: str) -> bool:
        """Move the deadline of our lease on; return False if another process has dropped it, or cancelled the run."""
        with session.cursor() as sql:
            sql.execute(_RENEW, (self.lease_s, run_id))
            row = sql.fetchone()
        return row is not None and not row[0]

    def _write(self, session: connection, run_id: str, pid: int, seconds: float) -> None:
        started = psutil.Process().create_time()
        with session.cursor() as sql:
            _make_table(sql)
            sql.execute(_FORGET)
            sql.execute(_TAKE, (run_id, machine(), pid, started, seconds))

    def _open(self) -> connection:
        assert self.database_url is not None
        return open_session(self.database_url, "turret leases")

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[cursor]:
        with contextlib.closing(self._open()) as session, session.cursor() as sql:
            yield sql


def machine() -> str:
    """Return what names the place in which our pids mean something: the host, its start, and the container."""
    found = [socket.gethostname()]
    with contextlib.suppress(OSError):  # where there is no /proc, the host's name has to do
        found.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        found.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(found)


def _key(run_id: str) -> int:
    return fingerprint("turret", "run", run_id)


def _lock(session: connection, run_id: str) -> None:
    # Not ours only for as long as the server has not noticed the end of an earlier session of ours.
    with session.cursor() as sql:
        take_locks(sql, [_key(run_id)])


def _lives(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _make_table(sql: cursor) -> None:
    """After this call the table is there, with all its columns."""
    sql.execute(_HAS_COLUMNS)
    if sql.fetchone() != (1,):
        sql.execute(_TABLE)


def _is_there(sql: cursor) -> bool:
    sql.execute("SELECT to_regclass('turret_pipeline.run_leases')")
    row = sql.fetchone()
    return row is not None and row[0] is not None


def _end_ourselves() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
