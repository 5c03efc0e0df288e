"""What a change is, for every page and route: of whole days, as a share of sessions, a window against the one before.

A day is whole when there are messages before it and after it. So the day of the newest message never is (it may still
be filling, or an import ended in it), nor that of the first, and the clock has no say: equal tables have equal answers.
A change is told of the last `RECENT_DAYS` whole days against as many before them, of nothing where these are not all
whole. What changes is a share of sessions: a session lies in the window in which it began, and counts once.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

RECENT_DAYS = 7
LEAST_CHANGE = 0.2
"""Change of a share below which nothing is called a change, however certain it is: too small to matter to a reader."""

DAY = dt.timedelta(1)


@dataclass(frozen=True)
class Days:
    """UTC days in a row, from `first` to `last`, both included; one at least."""

    first: dt.date
    last: dt.date

    @property
    def n(self) -> int:
        """How many there are."""
        return (self.last - self.first).days + 1

    @property
    def since(self) -> dt.datetime:
        """The first moment of the first day."""
        return dt.datetime.combine(self.first, dt.time(), dt.UTC)

    @property
    def until(self) -> dt.datetime:
        """The first moment after the last day."""
        return dt.datetime.combine(self.last, dt.time(), dt.UTC) + DAY


def whole_days(oldest: dt.date, newest: dt.date) -> Days | None:
    """Return the whole days of messages whose first and last lie on these days; None: there is none."""
    return Days(oldest + DAY, newest - DAY) if (newest - oldest).days >= 2 else None


def last_windows(days: Days | None, n_days: int = RECENT_DAYS) -> tuple[Days, Days] | None:
    """Return the last `n_days` of `days` and as many before them; None: there are not so many."""
    if days is None or days.n < 2 * n_days:
        return None
    border = days.last - n_days * DAY
    return Days(border + DAY, days.last), Days(border - (n_days - 1) * DAY, border)


def share_change(now: str, of_now: str, before: str, of_before: str) -> pl.Expr:
    """Return by how much a share changes: 0.5 is half as much again, -1 none any more; null from nothing.

    now, before: columns of sessions that have it. of_now, of_before: columns of all sessions of the windows.
    """
    known = (pl.col(before) > 0) & (pl.col(of_now) > 0)
    return pl.when(known).then(pl.col(now) / pl.col(of_now) / (pl.col(before) / pl.col(of_before)) - 1)
