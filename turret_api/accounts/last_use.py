"""When keys were last used, written down now and then.

A request leaves a note in memory; a thread that renews the copy of the keys writes the notes of the last minute in one
statement. So nothing waits for it, it costs Postgres one write a key, minute and process, and what it says may be two
minutes old, or lack the last minute of a process that was killed.
"""

from __future__ import annotations

import datetime as dt
import time

from sqlalchemy import BindParameter, bindparam, func, or_, update

from turret_api.accounts.store import Accounts
from turret_api.accounts.tables import API_KEYS

EVERY_S = 60.0
_MOMENT: BindParameter[dt.datetime] = bindparam("moment")
_WRITE = (
    update(API_KEYS)
    .where(
        API_KEYS.c.key_id == bindparam("used_key_id"),
        or_(API_KEYS.c.last_used_at.is_(None), API_KEYS.c.last_used_at < _MOMENT),
    )
    .values(last_used_at=_MOMENT)
)


class LastUse:
    """Which keys were used since the last write. The revision stays: no copy of the keys need be renewed for this."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._used: dict[str, float] = {}
        self._written_at = time.monotonic()

    def note(self, key_id: str) -> None:
        """After this call the key was used now. Never blocks."""
        self._used[key_id] = time.time()

    def write(self, *, at_once: bool = False) -> None:
        """After this call what was noted is in Postgres, if a minute has gone by since the last write, or `at_once`.

        Raise SQLAlchemy's errors; what was noted is written the next time then.
        """
        if not self._used or (not at_once and time.monotonic() - self._written_at < EVERY_S):
            return
        self._written_at = time.monotonic()
        used, self._used = self._used, {}
        rows = [
            {"used_key_id": key_id, "moment": dt.datetime.fromtimestamp(at, dt.UTC)}
            for key_id, at in sorted(used.items())  # in one order, so that two processes never wait for each other
        ]
        try:
            with self._accounts.engine.begin() as connection:
                connection.execute(func.set_config("lock_timeout", "1000", True).select())
                connection.execute(_WRITE, rows)
        except BaseException:
            self._used = used | self._used
            raise
