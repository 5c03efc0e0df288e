"""Sessions of browsers that were signed out: what a cookie says would otherwise hold for as long as it was signed for.

Only their ends are stored, so signing in needs no write; an end is kept as long as the session's cookie could live.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from turret_api.accounts.store import Accounts
from turret_api.accounts.tables import ENDED_SESSIONS, REVISION

LIFETIME = dt.timedelta(days=14)
"""Longest life of a session's cookie."""


def end_session(accounts: Accounts, session_id: str) -> None:
    """After this call the session has ended, everywhere and for good."""
    table = ENDED_SESSIONS
    with accounts.engine.begin() as connection:
        # A day more, for a cookie may have been renewed just before.
        connection.execute(delete(table).where(table.c.ended_at < func.now() - (LIFETIME + dt.timedelta(days=1))))
        connection.execute(insert(table).values(session_id=session_id).on_conflict_do_nothing())
        connection.execute(update(REVISION).values(number=REVISION.c.number + 1))


def ended_sessions(accounts: Accounts) -> frozenset[str]:
    """Return the ids of the sessions that have ended."""
    with accounts.engine.connect() as connection:
        return frozenset(connection.scalars(select(ENDED_SESSIONS.c.session_id)))
