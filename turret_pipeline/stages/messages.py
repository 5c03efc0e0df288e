"""`messages`: the values of the fields that are text, a day of receipt after the other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.analysis.fields.detect import extract_messages
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.tables import EVENTS, FIELD_TYPES, MESSAGES
from turret_pipeline.stages.inputs import TEXT_FIELDS, messages_inputs
from turret_pipeline.stages.work import Outcome, Work

CHUNK_EVENTS = 100_000
"""Events whose metadata is taken apart at once: Python's objects take several times what the day itself does."""

ORDER = ("field", "timestamp", "received_at", "seq", "event_id")


def bring_messages(work: Work, days: Collection[dt.date] | None = None) -> Outcome:
    """After this call each day (of `days`, default: of all) has its events' values of all text fields, and no others.

    One commit a day. Only events that are new are looked into; a field that became text is extracted for all days, one
    that stopped being text goes from all days, and the other fields' messages stay as they are.
    """
    outcome = Outcome("messages")
    events, table = work.open(EVENTS), work.open(MESSAGES)
    types = work.open(FIELD_TYPES)
    fields, chosen = text_fields(types), types.mark(TEXT_FIELDS)
    wanted = {day: fingerprint(events.state(day), chosen) for day in events.days()}
    pending = [day for day in wanted if work.full_refresh or table.inputs(day) != wanted[day]]
    todo = [day for day in pending if days is None or day in days]
    for position, day in enumerate(todo, start=1):
        outcome.days[day] = _bring_day(work, events, table, day, fields, wanted[day])
        outcome.n_rows += outcome.days[day]
        work.tell("messages", position, len(todo))
        failpoint.reached("messages.after_day")
    outcome.facts = {"text fields": ", ".join(fields) or "none"}
    return outcome.finish(work, table, messages_inputs(events.state(), chosen) if todo == pending else None)


def text_fields(field_types: ProjectTable) -> list[str]:
    """Return the fields whose type in force is text, in order."""
    found = field_types.scan().filter(pl.col("type") == "text").select("field").collect()
    return sorted(found["field"])


def _bring_day(
    work: Work, events: ProjectTable, table: ProjectTable, day: dt.date, fields: list[str], inputs: int
) -> int:
    """Commit one day; return the number of messages that came or went.

    Of fields that the day has messages of already only new events are looked into; what is there stays as it is.
    """
    of_day = pl.col("received_date") == day
    current, there = events.scan().filter(of_day), table.scan().filter(of_day)
    marks = {f"fields of {day.isoformat()}": fingerprint(fields)}
    gone = there.join(current, on="event_id", how="anti").select(pl.len()).collect().item()
    if gone or work.full_refresh:
        rows = _extract(work, current.collect(), day, fields)
        failpoint.reached("messages.after_analysis")
        table.replace(rows, [day], days={day: inputs}, marks=marks)
        return rows.height
    known = set(there.select(pl.col("field").unique()).collect()["field"])
    fresh = current.join(there.select("event_id").unique(), on="event_id", how="anti").collect()
    frames = [_extract(work, fresh, day, sorted(known.intersection(fields)))]
    if not known.issuperset(fields):
        frames.append(_extract(work, current.collect(), day, sorted(set(fields) - known)))
    rows = pl.concat(frames).sort(*ORDER)
    failpoint.reached("messages.after_analysis")
    if known.issubset(fields):
        table.append(rows, days={day: inputs}, marks=marks)
        return rows.height
    kept = there.filter(pl.col("field").is_in(fields)).collect()
    n_removed = there.select(pl.len()).collect().item() - kept.height
    table.replace(pl.concat([kept, rows]).sort(*ORDER), [day], days={day: inputs}, marks=marks)
    return rows.height + int(n_removed)


def _extract(work: Work, events: pl.DataFrame, day: dt.date, fields: list[str]) -> pl.DataFrame:
    frames = [MESSAGES.empty()]
    for start in range(0, events.height if fields else 0, CHUNK_EVENTS):
        found = extract_messages(events.slice(start, CHUNK_EVENTS), fields)
        rows = found.with_columns(project_id=pl.lit(work.project_id), received_date=pl.lit(day, dtype=pl.Date))
        frames.append(rows.select(MESSAGES.schema.names()))
    return pl.concat(frames).sort(*ORDER)
