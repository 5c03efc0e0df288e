"""`events`: raw parts to events, each `event_id` of a project once, the first received winning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import polars as pl

from turret_pipeline.lake import failpoint
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.parts import Part, list_parts, read_parts
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.stages.inputs import all_parts_state, parts_by_day, parts_state
from turret_pipeline.stages.work import Outcome, Work

RECEIPT = ("received_at", "part", "seq")
"""Columns that order events by receipt; `part` decides between collectors at the same microsecond."""


def bring_events(work: Work, days: Collection[dt.date] | None = None) -> Outcome:
    """After this call every raw part (of `days`, default: of all) is in `events`, one commit a day of receipt.

    An event that was sent again is dropped, also when the first came on another day or through another collector. If
    the one that comes now was received before the one that is there, it takes its place.
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
    """Commit one day; return the number of events that are new in it."""
    of_day = pl.col("received_date") == day
    others = table.scan().filter(~of_day) if work.full_refresh else table.scan()
    consumed = set(others.filter(of_day).select(pl.col("part").unique()).collect()["part"])
    came = _first_of_each(read_parts(work.lake, [part for part in parts if part.name not in consumed]))
    failpoint.reached("events.after_read")
    ids = came.lazy().select("event_id")
    known = others.select("event_id", "received_date", *RECEIPT).join(ids, on="event_id", how="semi").collect()
    met = came.join(known, on="event_id", how="left", suffix="_known")
    won = met.filter(pl.col("received_date").is_null() | _received_before("_known"))
    beaten = won.filter(pl.col("received_date").is_not_null()).select("event_id", "received_date")
    new = won.with_columns(project_id=pl.lit(work.project_id), received_date=pl.lit(day, dtype=pl.Date))
    new = new.select(EVENTS.schema.names()).sort(*RECEIPT, "event_id")
    if beaten.is_empty() and not work.full_refresh:
        table.append(new, days={day: inputs})
    else:
        touched = sorted({day, *beaten["received_date"]})
        kept = others.filter(pl.col("received_date").is_in(touched)).collect()
        kept = kept.join(beaten, on=["event_id", "received_date"], how="anti")
        rows = pl.concat([kept, new]).sort("received_date", *RECEIPT, "event_id")
        table.replace(rows, touched, days={day: inputs})
    return new.height


def _first_of_each(events: pl.DataFrame) -> pl.DataFrame:
    return events.sort(*RECEIPT).unique("event_id", keep="first", maintain_order=True)


def _received_before(suffix: str) -> pl.Expr:
    at, part, seq = (pl.col(name) for name in RECEIPT)
    other_at, other_part, other_seq = (pl.col(name + suffix) for name in RECEIPT)
    same_part = (part == other_part) & (seq < other_seq)
    return (at < other_at) | ((at == other_at) & ((part < other_part) | same_part))
