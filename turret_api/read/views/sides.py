"""The two sides of a comparison: each a segment, a cohort, a period, or several of these.

A release makes a period of either side. A session lies in the period in which it began, with all its messages. A
session that has messages on both sides is on neither.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass

import polars as pl
from typing_extensions import TypedDict

from turret_api.errors import invalid
from turret_api.read.engine.library import Snapshot
from turret_api.read.views.cohorts import Cohort
from turret_api.read.views.filters import Filters
from turret_api.read.views.values import Segments
from turret_api.read.views.windows import began_in, whole_days_of
from turret_pipeline.semantics.changes import DAY, Days

Period = TypedDict("Period", {"from": dt.datetime | None, "to": dt.datetime | None})
"""When sessions began: `from` is included, `to` is not; null: no bound."""


class Periods(TypedDict):
    """The periods of both sides."""

    a: Period
    b: Period


@dataclass(frozen=True)
class Side:
    """Which sessions are on one side: messages of theirs pass `segments`, and they began from `since` to `until`.

    cohorts: and are of users in all of these.
    """

    segments: Segments = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    cohorts: tuple[Cohort, ...] = ()

    def of(self, filters: Filters) -> Filters:
        """Return `filters` and this side's segments and cohorts."""
        cohorts = tuple(sorted({*filters.cohorts, *self.cohorts}))
        return dataclasses.replace(filters, segments=filters.segments + self.segments, cohorts=cohorts)

    def only(self, snapshot: Snapshot, field: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Return those of `rows` (with `session`, a number) whose session began in the period."""
        if self.since is None and self.until is None:
            return rows
        return rows.filter(began_in(snapshot, field, self.since, self.until).gather(rows["session"]))

    def within(self, days: Days) -> Side:
        """Return the side of the sessions of the same segments and cohorts that began on `days`."""
        return dataclasses.replace(self, since=days.since, until=days.until)


EVERY_SESSION = Side()


@dataclass(frozen=True)
class Sides:
    """Two sides; release: the date from which on a's sessions began, as b's did on as many whole days before."""

    a: Side = EVERY_SESSION
    b: Side = EVERY_SESSION
    release: dt.date | None = None

    def resolved(self, snapshot: Snapshot, field: str, filters: Filters) -> tuple[Side, Side]:
        """Return both sides with their periods; raise an `ApiError` where a release has no whole days around it."""
        if self.release is None:
            return self.a, self.b
        days = whole_days_of(snapshot, field, filters)
        n = 0 if days is None else min((days.last - self.release).days + 1, (self.release - days.first).days)
        if days is None or n < 1:
            known = "there is none" if days is None else f"there are {days.first} to {days.last}"
            raise invalid(f"A release needs a whole day before it and one from it on; {known}.", field="release")
        return (
            self.a.within(Days(self.release, self.release + (n - 1) * DAY)),
            self.b.within(Days(self.release - n * DAY, self.release - DAY)),
        )


NO_SIDES = Sides()
NO_PERIOD = Period({"from": None, "to": None})


def periods_of(sides: tuple[Side, Side]) -> Periods:
    """Return the periods of both sides, as an answer tells them."""
    a, b = (Period({"from": side.since, "to": side.until}) for side in sides)
    return Periods(a=a, b=b)


def apart(a: pl.DataFrame, b: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Return the rows of `a` and `b` (with `session`) without sessions that both have, and how many these are."""
    both = a.select("session").unique().join(b.select("session").unique(), on="session")
    only_a, only_b = (rows.join(both, on="session", how="anti", maintain_order="left") for rows in (a, b))
    return only_a, only_b, both.height
