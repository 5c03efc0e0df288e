"""`events`: raw parts to events, each `event_id` of a project once, the first received winning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.parts import Part, list_parts, read_parts
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.stages.inputs import all_parts_state, parts_by_day, parts_state
from turret_pipeline.stages.work import Outcome, Work

RECEIPT = ("received_at", "part", "seq")
"""Columns that order events by receipt; `part` decides between collectors at the same microsecond."""


GROUP_BYTES = 16 * 1024 * 1024
"""Size of the parts that are in memory at once: some 200,000 events. A day of imports holds millions."""


def bring_events(work: Work, days: Collection[dt.date] | None = None) -> Outcome:
    """After this call every raw part (of `days`, default: of all) is in `events`.

    An event that was sent again is dropped, also when the first came on another day or through another collector. If
    the one that comes now was received before the one that is there, it takes its place. A day is one commit, or as
    many as its new parts make groups of `GROUP_BYTES`; the last one says that the day is done.
    """
    outcome = Outcome("events")
    table = work.open(EVENTS)
    parts = parts_by_day(list_parts(work.lake, work.project_id))
    wanted = {day: parts_state(parts[day]) for day in sorted(parts)}
    pending = [day for day in wanted if work.full_refresh or table.inputs(day) != wanted[day]]
    todo = [day for day in pending if days is None or day in days]
    for position, day in enumerate(todo, start=1):
        n_new = _bring_day(work, table, day, parts[day], wanted[day])
        outcome.days[day] = n_new
        outcome.n_rows += n_new
        work.tell("events", position, len(todo))
        failpoint.reached("events.after_day")
    outcome.facts = {"parts": sum(len(parts[day]) for day in todo)}
    whole = all_parts_state(parts) if todo == pending else None
    return outcome.finish(work, table, whole)


def _bring_day(work: Work, table: ProjectTable, day: dt.date, parts: list[Part], inputs: int) -> int:
    """Bring the parts of one day that are not in the table yet; return the number of events that are new in it."""
    if work.full_refresh:
        # At once, or a reader would find the day half there.
        return _bring_parts(work, table, day, parts, {day: inputs})
    there = table.scan().filter(pl.col("received_date") == day).select(pl.col("part").unique())
    consumed = set(there.collect()["part"])
    groups = list(_groups([part for part in parts if part.name not in consumed])) or [[]]
    n_new = 0
    for group in groups:
        n_new += _bring_parts(work, table, day, group, {day: inputs} if group is groups[-1] else {})
        failpoint.reached("events.after_group")
    return n_new


def _groups(parts: list[Part]) -> Iterator[list[Part]]:
    """Yield the parts in order, as many at a time as hold `GROUP_BYTES`."""
    group: list[Part] = []
    for part in parts:
        if group and sum(each.size_bytes for each in group) + part.size_bytes > GROUP_BYTES:
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _bring_parts(work: Work, table: ProjectTable, day: dt.date, parts: list[Part], inputs: dict[dt.date, int]) -> int:
    """Commit the events of some parts of a day; return how many are new in it. `inputs` are the marks to set."""
    others = table.scan().filter(pl.col("received_date") != day) if work.full_refresh else table.scan()
    came = _first_of_each(read_parts(work.lake, parts))
    failpoint.reached("events.after_read")
    known = _known(others, came)
    met = came.join(known, on="event_id", how="left", suffix="_known")
    won = met.filter(pl.col("received_date").is_null() | _received_before("_known"))
    beaten = won.filter(pl.col("received_date").is_not_null()).select("event_id", "received_date")
    new = won.with_columns(project_id=pl.lit(work.project_id), received_date=pl.lit(day, dtype=pl.Date))
    new = new.select(EVENTS.schema.names()).sort(*RECEIPT, "event_id")
    if beaten.is_empty() and not work.full_refresh:
        table.append(new, days=inputs)
    else:
        touched = sorted({day, *beaten["received_date"]})
        kept = others.filter(pl.col("received_date").is_in(touched)).collect()
        kept = kept.join(beaten, on=["event_id", "received_date"], how="anti")
        rows = pl.concat([kept, new]).sort("received_date", *RECEIPT, "event_id")
        table.replace(rows, touched, days=inputs)
    return new.height


def _known(others: pl.LazyFrame, came: pl.DataFrame) -> pl.DataFrame:
    """Return day and receipt of those of `others` that have the id of one of `came`.

    Of the history only the ids are read, and few of them are in memory at once: some 50 ms a million. The rest is
    looked up for those that are met again.
    """
    columns = others.select("event_id", "received_date", *RECEIPT)
    again = others.select("event_id").join(came.lazy().select("event_id"), on="event_id", how="semi")
    ids = again.unique().collect(engine="streaming")
    if ids.is_empty():
        return columns.head(0).collect()
    return columns.join(ids.lazy(), on="event_id", how="semi").collect(engine="streaming")


def _first_of_each(events: pl.DataFrame) -> pl.DataFrame:
    return events.sort(*RECEIPT).unique("event_id", keep="first", maintain_order=True)


def _received_before(suffix: str) -> pl.Expr:
    at, part, seq = (pl.col(name) for name in RECEIPT)
    other_at, other_part, other_seq = (pl.col(name + suffix) for name in RECEIPT)
    same_part = (part == other_part) & (seq < other_seq)
    return (at < other_at) | ((at == other_at) & ((part < other_part) | same_part))
