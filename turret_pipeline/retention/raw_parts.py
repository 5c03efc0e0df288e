"""Raw parts without what is gone. A part is replaced whole, under its name: it has the same events, in their order.

An event that was sent twice is in two parts, and in `events` once. So the parts that have more rows than events are
looked into as well, whichever day they are of: or a full refresh would find the event there as it was.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake import store
from turret_pipeline.lake.parts import (
    PART_SCHEMA,
    Part,
    count_rows,
    list_aside,
    list_parts,
    parts_by_day,
    read_ids,
    read_notes,
    read_parts,
    write_part,
)
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS

IDS = ("event_id", "session_id", "user_id")


@dataclass(frozen=True)
class RawParts:
    """One project's raw parts by day, and of those with more rows than events the ids that no event came from."""

    lake: Lake
    by_day: Mapping[dt.date, list[Part]]
    more: Mapping[Part, pl.Series]
    aside: Mapping[dt.date, list[Part]]

    @classmethod
    def of(cls, lake: Lake, project_id: str) -> RawParts:
        """Return the parts as they are now."""
        parts = list_parts(lake, project_id)
        events = store.scan(lake, EVENTS, project_id)
        counted = events.group_by("received_date", "part").agg(n=pl.len()).collect()
        n_events = {(day, name): n for day, name, n in counted.iter_rows()}
        fuller = [
            part
            for part, n_rows in zip(parts, count_rows(lake, parts), strict=True)
            if n_rows > n_events.get((part.received_date, part.name), 0)
        ]
        more = dict(zip(fuller, read_ids(lake, fuller), strict=True))
        return cls(lake, parts_by_day(parts), more, parts_by_day(list_aside(lake, project_id)))

    def replace(self, day: dt.date, changed: pl.DataFrame) -> None:
        """After this call no part has an event of a day of receipt as it was.

        changed: of the events of `events` that change, `was`, the ids (`IDS`) and the metadata that they have now, by
        `event_id` as it was (`was`).
        """
        others = [
            part
            for part, ids in self.more.items()
            if part.received_date != day and ids.is_in(changed["was"].implode()).any()
        ]
        for part in [*self.by_day.get(day, ()), *others]:
            self._replace(part, changed)
            failpoint.reached("strip.after_part")

    def replace_aside(self, day: dt.date, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        """After this call what imports keep for later, of a day of receipt, is as `change` makes it."""
        for part in self.aside.get(day, ()):
            before = read_parts(self.lake, [part]).drop("part")
            after = change(before)
            if not after.equals(before):
                rewrite(self.lake, part, after)

    def _replace(self, part: Part, changed: pl.DataFrame) -> None:
        rows = read_parts(self.lake, [part]).drop("part")
        now = changed.rename({name: f"{name}_now" for name in (*IDS, "metadata")})
        met = rows.join(now, left_on="event_id", right_on="was", how="left", maintain_order="left")
        stays = pl.col("event_id_now").is_null()
        if met.select(stays.all()).item():
            return
        columns = (*IDS, "metadata")
        rows = met.with_columns(pl.when(stays).then(name).otherwise(f"{name}_now").alias(name) for name in columns)
        rewrite(self.lake, part, rows)


def rewrite(lake: Lake, part: Part, rows: pl.DataFrame) -> None:
    """After this call the part holds these rows, whole and durable, and says what it said of itself."""
    notes = read_notes(lake, part)
    write_part(lake, part.project_id, part.received_date, part.name, rows.select(PART_SCHEMA.names()), notes)
