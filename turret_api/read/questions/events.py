"""Events by name and by day of receipt: what a project sends, whatever becomes of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Annotated

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import OF_TEXTS, Answer, BuiltAt, Meaning, Next, Question, typed_rows
from turret_api.read.views.topic_days import DayCount
from turret_pipeline.lake.tables import EVENTS


class EventName(TypedDict):
    """A name that events have."""

    name: str
    count: Annotated[int | None, OF_TEXTS]
    first_seen: Annotated[dt.datetime | None, OF_TEXTS]
    last_seen: Annotated[dt.datetime | None, OF_TEXTS]


@dataclass(frozen=True)
class EventNames(Answer):
    """The names of a project's events, most common first."""

    data: list[EventName] = field(default_factory=list)
    n_events: Annotated[int | None, OF_TEXTS] = 0
    received_per_day: Annotated[
        list[DayCount], Meaning("events by UTC day of receipt; days without are left out"), OF_TEXTS
    ] = field(default_factory=list)
    next: Next = None
    built_at: BuiltAt = None


@dataclass(frozen=True)
class EventsByName(Question):
    """Which names have the project's events, and how many came on each day?"""

    tables = (EVENTS,)
    answers = EventNames
    is_open = True

    def answer(self, snapshot: Snapshot) -> EventNames:
        """Return the names and the days."""
        counted = snapshot.remember("event_names", (EVENTS,), lambda: _count(snapshot))
        names = counted.group_by("name").agg(
            pl.col("count").sum(), pl.col("first_seen").min(), pl.col("last_seen").max()
        )
        days = counted.group_by(pl.col("received_date").alias("date")).agg(pl.col("count").sum())
        return EventNames(
            typed_rows(names.sort(["count", "name"], descending=[True, False]), EventName),
            int(counted["count"].sum()),
            typed_rows(days.sort("date"), DayCount),
            built_at=snapshot.built_at(EVENTS),
        )

    def queries(self, snapshot: Snapshot) -> Queries:
        """Return the SQL of the names and the days."""
        data = """
SELECT name, count(*) AS "count", min(timestamp) AS first_seen, max(timestamp) AS last_seen
FROM events GROUP BY name ORDER BY "count" DESC, name"""
        per_day = """
SELECT received_date AS date, count(*) AS "count" FROM events GROUP BY date ORDER BY date"""
        totals = "SELECT count(*) AS n_events FROM events"
        return Queries({"data": data, "totals": totals, "received_per_day": per_day})


def _count(snapshot: Snapshot) -> pl.DataFrame:
    return (
        snapshot.scan(EVENTS)
        .group_by("received_date", "name")
        .agg(
            pl.len().cast(pl.Int64).alias("count"),
            pl.col("timestamp").min().alias("first_seen"),
            pl.col("timestamp").max().alias("last_seen"),
        )
        .collect()
    )
