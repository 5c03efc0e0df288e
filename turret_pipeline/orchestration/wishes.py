"""What projects need next, as the sensor sees it, and how it is put together into runs.

    no request ── ask ──> asked once ── the same work is still to do ──> asked n times, ever more rarely
                              ^                                                        │
                              └───────────────────── other work ───────────────────────┘

A `LastRequest` is what was asked for last, a `Wish` what is to be asked for now.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from turret_pipeline.orchestration.batches import (
    MOST_ALONE,
    MOST_BATCHES,
    MOST_BYTES,
    SHRINK,
    SMALL_BYTES,
    batches,
    weight,
)

RETRY_S, RETRY_MOST_S = 60.0, 3600.0


@dataclass
class LastRequest:
    """The last request for one kind of work on one project.

    Args:
        work: fingerprint of what was to be done.
        tries: how often just that was asked for.
        at: when, in seconds since 1970.
    """

    work: int = 0
    tries: int = 0
    at: float = 0.0

    def may_be_asked(self, work: int, gap_s: float, now: float) -> bool:
        """Whether it is time for `work`: `gap_s` after other work, ever longer after the same."""
        if work == self.work:
            return now >= self.at + min(RETRY_S * 2.0 ** (self.tries - 1), RETRY_MOST_S)
        return now >= self.at + gap_s

    def tries_of(self, work: int) -> int:
        """Return how often `work` was asked for."""
        return self.tries if work == self.work else 0

    def ask(self, work: int, now: float) -> None:
        """Note that `work` is asked for now."""
        self.tries = self.tries + 1 if work == self.work else 1
        self.work, self.at = work, now


LastRequests = dict[str, dict[str, LastRequest]]
"""What was asked for last, by project and kind: `events` (with what follows by day), `field_profiles`, or `REST`."""


@dataclass(frozen=True)
class Wish:
    """What one project needs next.

    Args:
        project: whose.
        kind, work: what it is, as in the cursor.
        days: days of receipt; none: tables of the whole project.
        tables: names of the tables, of those by day; empty: all.
        size_bytes: size of the project's raw parts.
        tries: how often just that was asked for before.
        asked_at: when anything was last asked for the project, in seconds since 1970; 0: never.
    """

    project: str
    kind: str
    work: int
    days: tuple[dt.date, ...]
    tables: tuple[str, ...]
    size_bytes: int
    tries: int
    asked_at: float = 0.0

    @property
    def is_small(self) -> bool:
        """Whether the project may share a run."""
        return self.size_bytes <= SMALL_BYTES

    @property
    def weight(self) -> int:
        """The work that it is, in bytes."""
        return weight(self.size_bytes, len(self.days))


def gathered(wishes: Sequence[Wish], n_small: int) -> list[list[Wish]]:
    """Return the wishes in groups, each of one run: large projects alone, small ones together.

    Those that were tried before are alone too, or, where these are many, in smaller groups with every try: a project
    that takes the process with it is so found. n_small: unfinished runs over small projects; past `MOST_BATCHES` those
    that are left wait, with no harm: the next tick sees them again.
    """
    groups = [[wish] for wish in wishes if not wish.is_small]
    alike: dict[tuple[str, tuple[str, ...], int], list[Wish]] = {}
    for wish in wishes:
        if wish.is_small:
            alike.setdefault((wish.kind, wish.tables, wish.tries), []).append(wish)
    small: list[list[Wish]] = []
    for (_, _, tries), together in alike.items():
        most = 0 if tries and len(together) <= MOST_ALONE else MOST_BYTES // SHRINK**tries
        small += batches([(wish, wish.weight) for wish in together], most)
    small.sort(key=lambda group: (group[0].tries, min(wish.asked_at for wish in group)))
    return groups + small[: max(0, MOST_BATCHES - n_small)]
