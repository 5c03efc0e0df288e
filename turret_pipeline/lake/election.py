"""Which of several hosts runs the one daemon: the one whose daemon's process holds a lock in their database.

Two daemons would run everything twice. The lock is that of a session of the daemon's own process, so nothing has to be
watched or cleaned up: when the process ends, in whatever way, the lock is free, and the next that stands by has it.

    standing by ──the lock is free──▶ elected ──the session broke, and the lock is someone else's──▶ lost: to be ended
                                        │  ▲
               the session broke (server restarted, network) ──the lock is taken again──┘

While its session is broken an elected daemon goes on: all that it does is in the database, which it does not reach
either.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection

from turret_pipeline.lake.fingerprint import fingerprint
from turret_pipeline.lake.session import holders, open_session, take_locks

LOOK_S = 1.0
KEY = fingerprint("turret", "the elected daemon")
_NAME = "turret daemon"
_ELECTED = re.compile(rf"{_NAME} (\d+) (\d+) (.+)")


@dataclass(frozen=True)
class Elected:
    """The daemon that works: the Unix time of its election, by its host's clock, its pid and its host."""

    since: int
    pid: int
    host: str

    @property
    def is_here(self) -> bool:
        """Whether its host has our name."""
        return self.host == _here()


def elected(session: connection) -> Elected | None:
    """Return the daemon that works; None: none does."""
    with session.cursor() as sql:
        found = _ELECTED.fullmatch(holders(sql, [KEY]).get(KEY, ""))
    # For an instant after its election it still has the name of one that stands by.
    return Elected(int(found[1]), int(found[2]), found[3]) if found else None


class Candidacy:
    """The way of this process from standing by to the end of the daemon that it may become.

    Args:
        database_url: as SQLAlchemy takes it.
        say: gets one line a call: whom it stands by, and what becomes of it.
    """

    def __init__(self, database_url: str, say: Callable[[str], None]) -> None:
        self._database_url = database_url
        self._say = say
        self._session: connection | None = None

    def win(self) -> None:
        """Return once this process is elected."""
        said = None
        while True:
            try:
                if self._take():
                    return
                found = elected(self._open())
                if found is not None and found != said:
                    said = found
                    self._say(f"standing by: the daemon runs on {found.host}")
            except psycopg2.Error:
                self._close()
            time.sleep(LOOK_S)

    def keep(self, lost: Callable[[], None]) -> threading.Thread:
        """From this call on a thread watches the election, and calls `lost` once if another process has won it."""
        keeper = threading.Thread(target=self._keep, args=(lost,), name="election", daemon=True)
        keeper.start()
        return keeper

    def _keep(self, lost: Callable[[], None]) -> None:
        while True:
            time.sleep(LOOK_S)
            try:
                if self._session is not None:
                    with self._session.cursor() as sql:
                        sql.execute("SELECT 1")
                elif self._take():
                    self._say("the database was away; still elected")
                else:
                    self._say("another daemon was elected meanwhile")
                    lost()
                    return
            except psycopg2.Error:
                self._close()

    def _take(self) -> bool:
        """Take the lock if it is free; return whether it is ours now."""
        session = self._open()
        with session.cursor() as sql:
            if not take_locks(sql, [KEY]):
                return False
            # Not before: whoever shows this name has the lock.
            sql.execute("SET application_name = %s", (f"{_NAME} {int(time.time())} {os.getpid()} {_here()}",))
        return True

    def _open(self) -> connection:
        if self._session is None:
            self._session = open_session(self._database_url, f"{_NAME} standing by")
        return self._session

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None


def _here() -> str:
    # What fits beside the rest into the 63 bytes that the server keeps of a session's name.
    return socket.gethostname()[:30]
