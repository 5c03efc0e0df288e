"""The collectors of all hosts as Postgres knows them: which live, whose clock is off, and who has brought in what."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass

from sqlalchemy import func, select

from turret_api.accounts.store import Accounts
from turret_api.accounts.tables import COLLECTORS

ALIVE_S = 10.0
"""Seconds of silence after which a collector is away: one that lives is heard of every five."""
NOTHING_WAITS = 2**62
"""What a collector has brought in that ended in order."""
CLOCK_S = 5.0
"""Seconds by which a clock may be off before anyone is told."""
_HEARD_LATELY = dt.timedelta(minutes=1)
_POLL_S = 0.5


@dataclass(frozen=True)
class SeenCollector:
    """A collector that was heard of. The fields are those of its row; silent_s: for how long it has been silent."""

    collector_id: str
    host: str | None
    silent_s: float
    clock_off_s: float | None
    brought_in: int | None

    @property
    def words(self) -> str:
        """Which it is, for people."""
        return f"{self.host or 'a host without a name'} (collector {self.collector_id})"


def clock_in_words(off_s: float | None) -> str:
    """Return what is told of a host's clock, which is so many seconds ahead of that of Postgres; None: not known."""
    if off_s is None:
        return "unknown"
    if abs(off_s) < CLOCK_S:
        return "right"
    return f"{abs(off_s):,.0f} seconds {'ahead of' if off_s > 0 else 'behind'} that of Postgres"


def wrong_clocks(accounts: Accounts) -> list[str]:
    """Return a sentence for each host whose clock is off, of those that were heard of in the last minute."""
    found = {
        f"The clock of {each.host or 'a host'} is {clock_in_words(each.clock_off_s)}: set it by NTP."
        for each in seen_collectors(accounts, _HEARD_LATELY)
        if each.clock_off_s is not None and abs(each.clock_off_s) >= CLOCK_S
    }
    return sorted(found)


def seen_collectors(accounts: Accounts, within: dt.timedelta) -> list[SeenCollector]:
    """Return the collectors, of all hosts, that were heard of within this time, in order of their ids."""
    table, silent_s = COLLECTORS.c, func.extract("epoch", func.clock_timestamp() - COLLECTORS.c.seen_at)
    query = select(table.collector_id, table.host, silent_s, table.clock_off_s, table.brought_in)
    query = query.where(table.seen_at > func.now() - within).order_by(table.collector_id)
    with accounts.engine.connect() as connection:
        return [SeenCollector(row[0], row[1], float(row[2]), row[3], row[4]) for row in connection.execute(query)]


def still_out(accounts: Accounts, number: int, within: dt.timedelta, patience_s: float) -> list[SeenCollector]:
    """Wait until all collectors that live have brought in what they took before the revision `number`.

    Return those that have not: they are away, or did not do it in time. within: how long ago they were last heard of.
    """
    deadline = time.monotonic() + patience_s
    while True:
        left = [each for each in seen_collectors(accounts, within) if (each.brought_in or 0) < number]
        if not any(each.silent_s < ALIVE_S for each in left) or time.monotonic() > deadline:
            return left
        time.sleep(_POLL_S)
