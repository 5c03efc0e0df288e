"""The filters that topics, journeys and messages share, from the query string to a condition on messages.

`from` and `to` bound the time that a message has happened (`from` included, `to` not), `name` is its event's name, and
`segment.<field>=value` asks for events whose metadata has that value, or (`10..20`, `10..`, `..20`) a number from the
first on and below the second; of one field any of several values, of several fields all. A journey under filters is
the journey of the messages that pass.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from fastapi import Query, Request

from turret_api.errors import invalid
from turret_api.read.snapshot import Snapshot
from turret_api.read.values import Segments, passing_events

SEGMENT = "segment."
MAX_SEGMENTS = 16


@dataclass(frozen=True)
class Filters:
    """Which messages count; all if nothing is set. `segments`: field and the values that it may have."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    name: str | None = None
    segments: Segments = ()

    def __bool__(self) -> bool:
        return self != Filters()

    def apply(self, snapshot: Snapshot, field: str, messages: pl.LazyFrame) -> pl.LazyFrame:
        """Return those of the field's `messages` (with `timestamp`, `name`, `event_id`) that pass."""
        if self.segments:
            events = passing_events(snapshot, field, self.segments)
            messages = messages.join(events.lazy(), on="event_id", how="semi")
        return self.apply_plain(messages)

    def apply_plain(self, messages: pl.LazyFrame) -> pl.LazyFrame:
        """Return those of `messages` (with `timestamp`, `name`) that pass all but the segments."""
        if self.since is not None:
            messages = messages.filter(pl.col("timestamp") >= self.since)
        if self.until is not None:
            messages = messages.filter(pl.col("timestamp") < self.until)
        return messages if self.name is None else messages.filter(pl.col("name") == self.name)


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
