"""Which users, sessions and events were erased in the last days, and when, by keyed hashes of their ids.

An erasure takes out what is in the lake. What waited meanwhile in the spool of another host, which was away from the
lake or was off, would come back with its next roll. So each collector has a copy of this, and leaves out events that
were received before their user, session or event was erased.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from turret_api.accounts.store import Accounts
from turret_api.accounts.suppression import EVENT, SESSION, USER, Hasher, hasher_of, hashes_of, known_secret
from turret_api.accounts.tables import ERASED_IDS, REVISION

KNOWN_FOR = dt.timedelta(days=30)
"""Time that an event may wait in a spool and still be known for one that was erased."""

ErasedBefore = dict[str, dict[str, int]]
"""By project and hash, the time (Unix microseconds) before which an event of that id was received if it is erased."""


@dataclass(frozen=True)
class ErasedIds:
    """What was erased lately in all projects, of which there is at least one."""

    by_project: Mapping[str, Mapping[str, int]]
    hasher: Hasher

    @cached_property
    def latest_us(self) -> int:
        """The time before which an event was received if any erasure may have been of it."""
        return max(self._latest_us.values())

    @cached_property
    def _latest_us(self) -> dict[str, int]:
        """The same by project: it is asked for each event that waited, and a project may have thousands of ids."""
        return {project_id: max(known.values()) for project_id, known in self.by_project.items()}

    def has(self, project_id: str, received_us: int, user_id: str, session_id: str, event_id: str) -> bool:
        """Tell whether an event that was received then was erased since."""
        if received_us >= self._latest_us.get(project_id, 0):
            return False
        known = self.by_project[project_id]
        ids = ((USER, user_id), (SESSION, session_id), (EVENT, event_id))
        return any(received_us < known.get(self.hasher.hash(project_id, kind, each), 0) for kind, each in ids)


def note_erased(accounts: Accounts, project_id: str, kind: str, ids: Iterable[str], before: dt.datetime) -> None:
    """After this call every collector leaves out events of these ids that were received before then, within seconds."""
    hashes = hashes_of(hasher_of(accounts), project_id, kind, ids)
    rows = insert(ERASED_IDS).values([{"project_id": project_id, "hash": each, "before": before} for each in hashes])
    later = {"before": func.greatest(ERASED_IDS.c.before, rows.excluded.before)}
    old = ERASED_IDS.c.before < func.now() - KNOWN_FOR
    with accounts.engine.begin() as connection:
        connection.execute(delete(ERASED_IDS).where(old))
        connection.execute(rows.on_conflict_do_update(index_elements=["project_id", "hash"], set_=later))
        connection.execute(update(REVISION).values(number=REVISION.c.number + 1))


def all_erased(accounts: Accounts) -> tuple[str, ErasedBefore]:
    """Return the secret that hashes are keyed with ("": nothing was erased), and what was erased lately."""
    found: ErasedBefore = {}
    query = select(ERASED_IDS).where(ERASED_IDS.c.before >= func.now() - KNOWN_FOR)
    with accounts.engine.connect() as connection:
        for project_id, hashed, before in connection.execute(query):
            found.setdefault(project_id, {})[hashed] = round(before.timestamp() * 1e6)
    return known_secret(accounts) if found else "", found


def erased_ids(secret: str, known: ErasedBefore) -> ErasedIds | None:
    """Return what `all_erased` returned as collectors ask it; None: nothing was erased."""
    return ErasedIds(known, Hasher(secret)) if known else None
