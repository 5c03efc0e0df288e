"""Which users, sessions and events were erased in the last days, and when, by keyed hashes of their ids.

An erasure takes out what is in the lake. What waited meanwhile in the spool of another host, which was away from the
lake or was off, would come back with its next roll. So each collector has a copy of this, and leaves out events that it
received before it knew that their user, session or event was erased.

What it received knowing that came later, whatever the clocks say. Of what it received without knowing, its clock tells
what came `MARGIN` or more after the erasure, as on a host that Postgres was away from all the time: that stays. So a
clock that is wrong by less brings nothing back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from turret_api.accounts.store import Accounts
from turret_api.accounts.suppression import EVENT, SESSION, USER, Hasher, Ids, hasher_of, hashes_of, known_secret
from turret_api.accounts.tables import ERASED_IDS, REVISION

KNOWN_FOR = dt.timedelta(days=30)
"""Time that an event may wait in a spool and still be known for one that was erased."""

MARGIN = dt.timedelta(minutes=5)
"""How far the clock of a host may be off. What a host received in this time after an erasure, without knowing of it, is
left out too: what was erased must not come back, and while an erasure runs its events are not taken anyway."""
_MARGIN_US = round(MARGIN.total_seconds() * 1e6)

ErasedBefore = dict[str, dict[str, int]]
"""By project and hash, the time (Unix microseconds, by the clock of Postgres) before which an event of that id was
received if it is erased."""
Knew = Callable[[str, int], bool]
"""Tells of a hash that is erased, and the time of that, whether it was known when an event was received."""


@dataclass(frozen=True)
class ErasedIds:
    """What was erased lately in all projects, of which there is at least one.

    versions: by project and hash, the directory's version that knew it first (`Directory.version`).
    """

    by_project: Mapping[str, Mapping[str, int]]
    hasher: Hasher
    versions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @cached_property
    def latest_us(self) -> int:
        """The time before which an event was received if any erasure may have been of it."""
        return max(self._latest_us.values())

    @cached_property
    def _latest_us(self) -> dict[str, int]:
        """The same by project: it is asked for each event that waited, and a project may have thousands of ids."""
        return {project_id: max(known.values()) + _MARGIN_US for project_id, known in self.by_project.items()}

    def has(self, project_id: str, received_us: int, ids: Ids, knew: Knew) -> bool:
        """Tell whether an event that was received then was erased since. ids: of its user, its session, and its own."""
        if received_us >= self._latest_us.get(project_id, 0):
            return False
        known = self.by_project[project_id]
        for kind, value in zip((USER, SESSION, EVENT), ids, strict=True):
            hashed = self.hasher.hash(project_id, kind, value)
            before = known.get(hashed)
            if before is not None and received_us < before + _MARGIN_US and not knew(hashed, before):
                return True
        return False

    def knew(self, project_id: str, version: int) -> Knew:
        """Return what tells whether a directory of this version (-1: of an earlier process) knew of an erasure."""
        versions = self.versions.get(project_id, {})
        return lambda hashed, before: version >= versions.get(hashed, 0)


def note_erased(accounts: Accounts, project_id: str, kind: str, ids: Iterable[str], before: dt.datetime) -> None:
    """After this call every collector leaves out events of these ids that were received before then, within seconds."""
    note_hashes(accounts, project_id, hashes_of(hasher_of(accounts), project_id, kind, ids), before)


def note_hashes(accounts: Accounts, project_id: str, hashes: Iterable[str], before: dt.datetime) -> None:
    """As `note_erased`, for ids of which the hashes are known only; there may be none."""
    values = [{"project_id": project_id, "hash": each, "before": before} for each in hashes]
    if not values:
        return
    rows = insert(ERASED_IDS).values(values)
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


def erased_ids(secret: str, known: ErasedBefore, version: int = 0, was: ErasedIds | None = None) -> ErasedIds | None:
    """Return what `all_erased` returned as collectors ask it; None: nothing was erased.

    version: of the directory that knows it. was: what it knew before; the same object where nothing changed.
    """
    if not known:
        return None
    if was is not None and (was.hasher.secret, was.by_project) == (secret, known):
        return was
    versions: dict[str, dict[str, int]] = {}
    for project_id, hashes in known.items():
        knew = {} if was is None else was.by_project.get(project_id, {})
        since = {} if was is None else was.versions.get(project_id, {})
        versions[project_id] = {
            hashed: since.get(hashed, 0) if before <= knew.get(hashed, -1) else version
            for hashed, before in hashes.items()
        }
    return ErasedIds(known, Hasher(secret), versions)


def clock_of(accounts: Accounts) -> dt.datetime:
    """Return the time by the clock of Postgres, which all hosts share."""
    with accounts.engine.connect() as connection:
        found: dt.datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return found
