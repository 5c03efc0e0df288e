"""Sharing a plan's limit among any number of collectors, exactly.

A collector may accept what Postgres has granted to it, and the grants of all together never exceed the limit; how much
of its grant a collector has used stands in its own spool, in the transaction that stores the events. So a collector
needs Postgres only now and then, and goes on without it as far as its grants go. Order keeps it safe when anything dies
in between: a grant grows here first and in the spool then, and it shrinks in the spool first and here then.
"""

from __future__ import annotations

import datetime as dt
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import and_, func, literal, literal_column, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from turret_api.accounts.store import Accounts
from turret_api.accounts.tables import COLLECTORS, PROJECTS, QUOTA_GRANTS

WANTED_FOR_S = 3

_RECENTLY = func.now() - literal_column(f"interval '{WANTED_FOR_S} seconds'")


@dataclass(frozen=True)
class Lease:
    """What came of asking for more.

    Args:
        granted: all that the collector may accept in the period, used or not.
        limit: the plan's, None if it has none.
        used: by all collectors, as far as reported.
        elsewhere: granted to other collectors and not used, as far as reported.
        silent_s: for how long the quietest of those collectors has not been heard of; 0 if there is none.
    """

    granted: int
    limit: int | None
    used: int
    elsewhere: int
    silent_s: float


@dataclass(frozen=True)
class Holder:
    """A collector with unused grants: how many events they are, and for how long it has not been heard of."""

    collector_id: str
    unused: int
    silent_s: float


def holders(accounts: Accounts) -> list[Holder]:
    """Return the collectors that hold unused grants, those not heard of for longest first."""
    table = QUOTA_GRANTS
    silent = func.coalesce(func.extract("epoch", func.now() - COLLECTORS.c.seen_at), 1e9)
    query = (
        select(table.c.collector_id, func.sum(table.c.granted - table.c.used), func.max(silent))
        .join(COLLECTORS, COLLECTORS.c.collector_id == table.c.collector_id, isouter=True)
        .where(table.c.granted > table.c.used)
        .group_by(table.c.collector_id)
    )
    with accounts.engine.connect() as connection:
        found = [Holder(row[0], int(row[1]), float(row[2])) for row in connection.execute(query)]
    return sorted(found, key=lambda holder: -holder.silent_s)


def release(accounts: Accounts, collector_id: str) -> None:
    """After this call the collector holds no unused grant. If it comes back all the same, it asks for new ones."""
    with accounts.engine.begin() as connection:
        connection.execute(
            update(QUOTA_GRANTS).where(QUOTA_GRANTS.c.collector_id == collector_id).values(granted=QUOTA_GRANTS.c.used)
        )


class Grants:
    """The grants of one collector. Every method is one transaction and raises SQLAlchemy's errors."""

    def __init__(self, accounts: Accounts, collector_id: str) -> None:
        self._engine = accounts.engine
        self._collector_id = collector_id
        self.clock_off_s: float | None = None
        """By how many seconds this clock is ahead of that of Postgres, at least; None: it is not known yet."""

    def lease(self, project_id: str, period: str, used: int, need: int, surplus: int) -> Lease:
        """Grant the collector `need` more events than it has used, and `surplus` on top where there is plenty.

        It gets nothing on top while another collector waits. What cannot be granted is marked as wanted, so that
        collectors that hold unused grants give them back. For a project that was deleted nothing is granted.
        """
        table = QUOTA_GRANTS
        ours = and_(table.c.project_id == project_id, table.c.period == period)
        with self._engine.begin() as connection:
            # All leases of a project wait for each other here; NO KEY, so that they do not wait for foreign keys.
            project = connection.execute(
                select(PROJECTS.c.limit).where(PROJECTS.c.project_id == project_id).with_for_update(key_share=True)
            ).first()
            if project is None:
                return Lease(granted=used, limit=0, used=used, elsewhere=0, silent_s=0.0)
            limit = project[0]
            rows = connection.execute(
                select(
                    table.c.collector_id,
                    table.c.granted,
                    table.c.used,
                    table.c.wanted_at > _RECENTLY,
                    func.extract("epoch", func.now() - COLLECTORS.c.seen_at),
                )
                .join(COLLECTORS, COLLECTORS.c.collector_id == table.c.collector_id, isouter=True)
                .where(ours)
            ).all()
            mine = next(((row[1], row[2]) for row in rows if row[0] == self._collector_id), (0, 0))
            others = [row for row in rows if row[0] != self._collector_id]
            granted, used = max(mine[0], used), max(mine[1], used)
            free = None if limit is None else limit - granted - sum(row[1] for row in others)
            short = max(0, used + need - granted)
            if free is None:
                amount = short + surplus
            elif any(row[3] for row in others):
                amount = max(0, min(short, free))
            else:
                amount = max(0, min(free, short + min(surplus, max(0, free - short) // 8)))
            wanted = func.now() if amount < short else None
            row = {"granted": granted + amount, "used": used, "wanted_at": wanted}
            connection.execute(
                insert(table)
                .values(project_id=project_id, period=period, collector_id=self._collector_id, **row)
                .on_conflict_do_update(index_elements=list(table.primary_key), set_=row)
            )
        holders = [row for row in others if row[1] > row[2]]
        return Lease(
            granted=granted + amount,
            limit=limit,
            used=used + sum(row[2] for row in others),
            elsewhere=sum(row[1] - row[2] for row in holders),
            silent_s=max((float(row[4]) if row[4] is not None else 1e9 for row in holders), default=0.0),
        )

    def report(self, used: Mapping[tuple[str, str], int], brought_in: int | None = None) -> None:
        """Store how much was used by (project_id, period), that this collector lives, and what it has brought in.

        Of projects that were deleted nothing is stored.
        """
        with self._engine.begin() as connection:
            alive = {
                "collector_id": self._collector_id,
                "seen_at": func.now(),
                "host": socket.gethostname(),
                "clock_off_s": self.clock_off_s,
                "brought_in": brought_in,
            }
            lives = insert(COLLECTORS).values(alive)
            lives = lives.on_conflict_do_update(index_elements=["collector_id"], set_=alive)
            asked_at = time.time()
            at: dt.datetime = connection.execute(lives.returning(func.clock_timestamp())).scalar_one()
            self.clock_off_s = _off_s(at.timestamp(), asked_at, time.time())
            for (project_id, period), n in sorted(used.items()):
                row = {"period": period, "collector_id": self._collector_id, "granted": n, "used": n}
                there = select(PROJECTS.c.project_id, *map(literal, row.values()))
                there = there.where(PROJECTS.c.project_id == project_id)
                new = insert(QUOTA_GRANTS).from_select(["project_id", *row], there)
                connection.execute(
                    new.on_conflict_do_update(
                        index_elements=list(QUOTA_GRANTS.primary_key),
                        set_={
                            "used": func.greatest(QUOTA_GRANTS.c.used, n),
                            "granted": func.greatest(QUOTA_GRANTS.c.granted, n),
                        },
                    )
                )

    def wanted(self) -> set[tuple[str, str]]:
        """Return the (project_id, period) of which this collector has unused grants that another one waits for."""
        mine, other = QUOTA_GRANTS, QUOTA_GRANTS.alias("other")
        query = (
            select(mine.c.project_id, mine.c.period)
            .distinct()
            .join(other, and_(other.c.project_id == mine.c.project_id, other.c.period == mine.c.period))
            .where(
                mine.c.collector_id == self._collector_id,
                mine.c.granted > mine.c.used,
                other.c.collector_id != self._collector_id,
                other.c.wanted_at > _RECENTLY,
            )
        )
        with self._engine.connect() as connection:
            return {(row[0], row[1]) for row in connection.execute(query)}

    def give_back(self, project_id: str, period: str, granted: int, used: int) -> None:
        """Lower the collector's grant to `granted`, of which `used` are used; the spool must have done so before."""
        with self._engine.begin() as connection:
            connection.execute(
                update(QUOTA_GRANTS)
                .where(
                    QUOTA_GRANTS.c.project_id == project_id,
                    QUOTA_GRANTS.c.period == period,
                    QUOTA_GRANTS.c.collector_id == self._collector_id,
                )
                .values(granted=granted, used=used)
            )

    def all_granted(self) -> dict[tuple[str, str], int]:
        """Return all that is granted to this collector, by (project_id, period)."""
        table = QUOTA_GRANTS
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(table.c.project_id, table.c.period, table.c.granted).where(
                    table.c.collector_id == self._collector_id
                )
            )
            return {(row[0], row[1]): row[2] for row in rows}

    def used_elsewhere(self, periods: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, int]]:
        """Return (used by other collectors, granted to all) by (project_id, period), as far as reported."""
        table = QUOTA_GRANTS
        other = table.c.collector_id != self._collector_id
        query = (
            select(
                table.c.project_id,
                table.c.period,
                func.coalesce(func.sum(table.c.used).filter(other), 0),
                func.sum(table.c.granted),
            )
            .where(tuple_(table.c.project_id, table.c.period).in_(list(periods)))
            .group_by(table.c.project_id, table.c.period)
        )
        with self._engine.connect() as connection:
            return {(row[0], row[1]): (int(row[2]), int(row[3])) for row in connection.execute(query)}


def _off_s(there_s: float, asked_at_s: float, answered_at_s: float) -> float:
    """Return by how much a clock that asked and was answered at these times is ahead of one that said `there_s`.

    0 where it may be right, for nobody knows when between the two it was asked.
    """
    if there_s < asked_at_s:
        return asked_at_s - there_s
    return min(0.0, answered_at_s - there_s)
