"""The filters that topics, journeys and messages share, as a condition on messages.

`since` and `until` bound the time at which a message happened (`since` included, `until` not), `name` is its event's
name, and `segments` name fields of metadata with the values that each may have: a value, or (`10..20`, `10..`, `..20`)
a number from the first on and below the second. Of one field any of the values passes; all fields must pass. A journey
under filters is the journey of the messages that pass.

`cohorts` are users (see `views.cohorts`): the messages of those pass who are in all of them, whenever they came to be.

`kinds` says whether moves of conversation count too: each under the name of its kind, as if that were a topic. By
default requests and follow-ups count alone, and journeys take moves for a part of the visit before them.

`few` is how many users whatever is counted must be of: topics and moves of fewer are one (see `views.few`). 0 and 1
leave all as they are; but from 1 on nothing is taken from the pipeline's own counts, which know no users.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from turret_api.errors import invalid
from turret_api.read.engine.library import Snapshot
from turret_api.read.views.cohorts import Cohort, of_cohorts, placed
from turret_api.read.views.values import Segments, passing, read_steps

Kinds = Literal["requests", "all"]


@dataclass(frozen=True)
class Filters:
    """Which messages count; all if nothing is set."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    name: str | None = None
    segments: Segments = ()
    kinds: Kinds = "requests"
    cohorts: tuple[Cohort, ...] = ()
    few: int = 0

    def __bool__(self) -> bool:
        """Tell whether any message may be left out, but for what `kinds` leaves out, or be counted as `few`."""
        return self not in (NO_FILTERS, ALL_KINDS)

    @property
    def has_moves(self) -> bool:
        """Whether moves of conversation count too."""
        return self.kinds == "all"

    def for_viewer(self, least: int) -> Filters:
        """Return the same filters, of counts of `least` users or more; raise an `ApiError` where they single out users.

        Two answers may differ by one user, and so tell of that user, the easier the finer the filters are. So times are
        those of whole days, cohorts are refused, and so are ranges of numbers.
        """
        midnight = dt.time()
        if any(time is not None and time.time() != midnight for time in (self.since, self.until)):
            raise invalid("A viewer asks for whole days: `from` and `to` are at midnight (UTC).", field="from")
        if self.cohorts:
            raise invalid("A viewer cannot ask for cohorts, which single out users.", field="cohort")
        if any(".." in value for _, values in self.segments for value in values):
            raise invalid("A viewer cannot ask for ranges of numbers, which single out users.", field="segment")
        return replace(self, few=max(least, 1))

    def with_moves(self) -> Filters:
        """Return the same filters with moves of conversation counted too."""
        return replace(self, kinds="all")

    def placed(self, snapshot: Snapshot, field: str) -> Filters:
        """Return the same filters with the cohorts' topics looked up, as SQL needs them."""
        return replace(self, cohorts=tuple(placed(snapshot, field, each) for each in self.cohorts))

    def apply(self, snapshot: Snapshot, field: str, messages: pl.LazyFrame) -> pl.LazyFrame:
        """Return those of the field's `messages` (with `timestamp`, `name`, `event_id`) that pass."""
        passes = self.of_steps(snapshot, field)
        if passes is not None:
            events = read_steps(snapshot, field, "event_id").filter(passes).select("event_id")
            messages = messages.join(events.lazy(), on="event_id", how="semi")
        return self.apply_plain(messages)

    def of_steps(self, snapshot: Snapshot, field: str) -> pl.Series | None:
        """Return for each step of the field whether it passes the segments and cohorts; None: there are none."""
        passes = passing(snapshot, field, self.segments) if self.segments else None
        if not self.cohorts:
            return passes
        inside = of_cohorts(snapshot, field, self.cohorts)
        return inside if passes is None else passes & inside

    def apply_plain(self, messages: pl.LazyFrame) -> pl.LazyFrame:
        """Return those of `messages` (with `timestamp`, `name`) that pass all but the segments and cohorts."""
        if self.since is not None:
            messages = messages.filter(pl.col("timestamp") >= self.since)
        if self.until is not None:
            messages = messages.filter(pl.col("timestamp") < self.until)
        return messages if self.name is None else messages.filter(pl.col("name") == self.name)


NO_FILTERS = Filters()
ALL_KINDS = Filters(kinds="all")
