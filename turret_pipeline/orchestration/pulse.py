"""Whether Dagster's tables hold anything for its daemons to do, asked in one cheap statement for all of them.

Dagster's daemons each look by themselves, through an ORM, up to once a second. On a system that has nothing to do,
that is most of what it costs. What a daemon does when it finds nothing is nothing; so it need not look where this
says that it would find nothing.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection

from turret_pipeline.lake.session import open_session

KEPT_S = 0.5
"""Seconds for which an answer is good: daemons that ask at nearly the same time share it."""
_LOOK = """
    SELECT
        EXISTS (SELECT FROM dagster.runs WHERE status = 'QUEUED'),
        EXISTS (SELECT FROM dagster.runs WHERE status IN
            ('NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING', 'SUSPENDED', 'MANAGED'))
            OR EXISTS (SELECT FROM dagster.concurrency_slots WHERE run_id IS NOT NULL)
            OR EXISTS (SELECT FROM dagster.pending_steps),
        (SELECT coalesce(max(id), 0) FROM dagster.event_logs)
"""


@dataclass(frozen=True)
class Beat:
    """What Dagster's tables said.

    Args:
        is_queued: a run waits in the queue.
        is_under_way: a run has begun and not ended, or holds a place that is to be taken from it.
        last_event: number of the newest event of any run; -1 where it is not known.
    """

    is_queued: bool
    is_under_way: bool
    last_event: int


UNKNOWN = Beat(is_queued=True, is_under_way=True, last_event=-1)
"""What is taken to be so while the database cannot be asked: the daemons look themselves, and say what is wrong."""


class Pulse:
    """Asks Dagster's tables, for any number of threads.

    Args:
        database_url: of the database with Dagster's schema, as SQLAlchemy takes it.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._session: connection | None = None
        self._lock = threading.Lock()
        self._found = UNKNOWN
        self._found_at = float("-inf")

    def beat(self) -> Beat:
        """Return what Dagster's tables say, at most `KEPT_S` old."""
        with self._lock:
            if time.monotonic() - self._found_at > KEPT_S:
                self._found = self._look()
                self._found_at = time.monotonic()
            return self._found

    def _look(self) -> Beat:
        try:
            if self._session is None:
                self._session = open_session(self._database_url, "turret pulse")
            with self._session.cursor() as sql:
                sql.execute(_LOOK)
                (row,) = sql.fetchall()
            return Beat(*row)
        except psycopg2.Error:
            if self._session is not None:
                self._session.close()
            self._session = None
            return UNKNOWN
