"""The filters that topics, journeys and messages share, from the query string to a condition on messages.

`from` and `to` bound the time that a message has happened (`from` included, `to` not), `name` is its event's name, and
`segment.<field>=value` asks for events whose metadata has that value, or (`10..20`, `10..`, `..20`) a number from the
first on and below the second; of one field any of several values, of several fields all. A journey under filters is
the journey of the messages that pass.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from fastapi import Query, Request

from turret_api.errors import invalid
from turret_api.read.snapshot import Snapshot
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.lake.values import canonical_column, field_values, number_column

SEGMENT = "segment."
MAX_SEGMENTS = 16
CHUNK_EVENTS = 200_000
_NUMBER = r"-?\d{1,15}(?:\.\d{1,15})?"
RANGE = re.compile(rf"(?:{_NUMBER})\.\.(?:{_NUMBER})?|\.\.(?:{_NUMBER})", re.ASCII)


@dataclass(frozen=True)
class Filters:
    """Which messages count; all if nothing is set. `segments`: field and the values that it may have."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    name: str | None = None
    segments: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __bool__(self) -> bool:
        return self != Filters()

    def apply(self, snapshot: Snapshot, messages: pl.LazyFrame) -> pl.LazyFrame:
        """Return those of `messages` (with `timestamp`, `name`, `event_id`) that pass."""
        if self.since is not None:
            messages = messages.filter(pl.col("timestamp") >= self.since)
        if self.until is not None:
            messages = messages.filter(pl.col("timestamp") < self.until)
        if self.name is not None:
            messages = messages.filter(pl.col("name") == self.name)
        for field, values in self.segments:
            events = event_values(snapshot, field).filter(_any_of(values)).select("event_id")
            messages = messages.join(events.lazy(), on="event_id", how="semi")
        return messages


def _any_of(values: tuple[str, ...]) -> pl.Expr:
    """Return whether a row's `value` is one of `values`, or its `number` lies in one of the ranges among them."""
    found = pl.col("value").is_in([value for value in values if not RANGE.fullmatch(value)])
    for value in values:
        if RANGE.fullmatch(value):
            least, _, most = value.partition("..")
            inside = pl.col("number").is_not_null()
            inside = inside & (pl.col("number") >= float(least)) if least else inside
            found = found | (inside & (pl.col("number") < float(most)) if most else inside)
    return found


def event_values(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return for every event that has a value in `field`: `event_id`, `value` (in its one spelling, see `lake.values`)
    and `number`, if the value is one.
    """

    def compute() -> pl.DataFrame:
        events = snapshot.scan(EVENTS).select("event_id", "metadata").collect()
        frames = [pl.DataFrame(schema={"event_id": pl.String, "value": pl.String})]
        # In pieces: as Python's objects the metadata of all events would take several times their memory.
        for chunk in events.iter_slices(CHUNK_EVENTS):
            values = canonical_column(field_values(chunk["metadata"].to_list(), [field])[field])
            frames.append(chunk.select("event_id", values.alias("value")).drop_nulls("value"))
        rows = pl.concat(frames)
        distinct = rows.select(pl.col("value").unique())
        numbers = distinct.with_columns(number_column(distinct["value"]).alias("number"))
        return rows.join(numbers, on="value", how="left", maintain_order="left")

    return snapshot.remember(("event_values", field), (EVENTS,), compute)


def filters(
    request: Request,
    since: Annotated[
        dt.datetime | None, Query(alias="from", description="earliest time (ISO 8601; without offset: UTC), included")
    ] = None,
    until: Annotated[dt.datetime | None, Query(alias="to", description="latest time, not included")] = None,
    name: Annotated[str | None, Query(description="the event's name", max_length=200)] = None,
) -> Filters:
    """Return the filters that the query string asks for; keys `segment.<field>` are read off it as they are."""
    segments: dict[str, list[str]] = {}
    for key, value in request.query_params.multi_items():
        if key.startswith(SEGMENT):
            segments.setdefault(key.removeprefix(SEGMENT), []).append(value)
    if sum(map(len, segments.values())) > MAX_SEGMENTS:
        raise invalid(f"There are more than {MAX_SEGMENTS} segment filters; ask for fewer.", field="segment")
    since, until = utc(since), utc(until)
    if since and until and since >= until:
        raise invalid("`from` is not before `to`; nothing lies between them.", field="from")
    return Filters(since, until, name, tuple((field, tuple(sorted(vs))) for field, vs in sorted(segments.items())))


def utc(time: dt.datetime | None) -> dt.datetime | None:
    """Return `time` in UTC; without an offset it is taken for UTC. Raise an `ApiError` where it is out of range."""
    if time is None:
        return None
    try:
        return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)
    except OverflowError:
        raise invalid("A time lies outside of the years 1 to 9999; send one within them.") from None
