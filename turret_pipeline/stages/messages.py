"""`messages`: the values of the fields that are text, a day of receipt after the other."""

from __future__ import annotations

import datetime as dt

import orjson
import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.analysis.fields.detect import extract_messages
from turret_pipeline.analysis.fields.evidence import GONE_TEXT
from turret_pipeline.analysis.fields.shapes import BLANK
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, FIELD_PROFILES, FIELD_TYPES, MESSAGES
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding, of_days
from turret_pipeline.stages.field_types import STAGE as FIELD_TYPES_STAGE
from turret_pipeline.stages.field_types import TEXT_FIELDS, text_fields
from turret_pipeline.stages.stage import Product, Source, Stage, Task
from turret_pipeline.stages.work import Outcome, Work

CHUNK_EVENTS = 100_000
"""Events whose metadata is taken apart at once: Python's objects take several times what the day itself does."""

ORDER = ("field", "timestamp", "received_at", "seq", "event_id")

RECEIPT = ("event_id", "received_at", "seq")
"""Columns that tell an event from another that came with the same id and is kept in its place now."""


def bring(task: Task) -> Outcome:
    """After this call each day has its events' values of all text fields, and no others.

    One commit a day. Only events that are new are looked into; a field that became text is extracted for all days, one
    that stopped being text goes from all days, and the other fields' messages stay as they are.
    """
    outcome = Outcome("messages")
    fields, todo = text_fields(task.open(FIELD_TYPES)), task.stale_days()
    for position, day in enumerate(todo, start=1):
        outcome.days[day] = _bring_day(task, day, fields)
        outcome.n_rows += outcome.days[day]
        task.work.tell("messages", position, len(todo))
        failpoint.reached("messages.after_day")
    outcome.facts = {"text fields": ", ".join(fields) or "none"}
    return task.finish(outcome)


def _bring_day(task: Task, day: dt.date, fields: list[str]) -> int:
    """Commit one day; return the number of messages that came or went.

    Of fields that the day has messages of already only new events are looked into; what is there stays as it is.
    """
    work, table, inputs = task.work, task.table, {day: task.inputs(day)}
    of_day = pl.col("received_date") == day
    current, there = task.open(EVENTS).scan().filter(of_day), table.scan().filter(of_day)
    gone = there.join(current, on=RECEIPT, how="anti").select(pl.len()).collect().item()
    if gone or task.makes_anew(day):
        rows = _extract(work, current.collect(), day, fields)
        failpoint.reached("messages.after_analysis")
        table.replace(rows, [day], days=inputs)
        return rows.height
    known = set(there.select(pl.col("field").unique()).collect()["field"])
    fresh = current.join(there.select(RECEIPT).unique(), on=RECEIPT, how="anti").collect()
    frames = [_extract(work, fresh, day, sorted(known.intersection(fields)))]
    if not known.issuperset(fields):
        frames.append(_extract(work, current.collect(), day, sorted(set(fields) - known)))
    rows = pl.concat(frames).sort(*ORDER)
    failpoint.reached("messages.after_analysis")
    if known.issubset(fields):
        table.append(rows, days=inputs)
        return rows.height
    kept = there.filter(pl.col("field").is_in(fields)).collect()
    n_removed = there.select(pl.len()).collect().item() - kept.height
    table.replace(pl.concat([kept, rows]).sort(*ORDER), [day], days=inputs)
    return rows.height + int(n_removed)


def _extract(work: Work, events: pl.DataFrame, day: dt.date, fields: list[str]) -> pl.DataFrame:
    frames = [MESSAGES.empty()]
    for start in range(0, events.height if fields else 0, CHUNK_EVENTS):
        found = extract_messages(events.slice(start, CHUNK_EVENTS), fields)
        rows = found.with_columns(project_id=pl.lit(work.project_id), received_date=pl.lit(day, dtype=pl.Date))
        frames.append(rows.select(MESSAGES.schema.names()))
    return pl.concat(frames).sort(*ORDER)


def messages_have_events(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Every message of the days comes from an event of the same day or of another of them."""
    messages = of_days(store.scan(lake, MESSAGES, project_id), days).select("event_id").unique()
    there = of_days(store.scan(lake, EVENTS, project_id), days).select("event_id")
    return finding(messages.collect(), messages.join(there, on="event_id", how="anti").collect())


def counts_reconcile(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Each day has as many messages of a text field as its profile says that the field had texts that are not blank."""
    text = store.scan(lake, FIELD_TYPES, project_id).filter(pl.col("type") == "text").select("field")
    profiles = of_days(store.scan(lake, FIELD_PROFILES, project_id), days).join(text, on="field", how="semi").collect()
    counts = []
    for evidence in profiles["evidence"]:
        found = orjson.loads(evidence)
        unread = found.get("unread", {})
        n_texts = found["kinds"].get("text", 0) + unread.get("text", 0) + unread.get(GONE_TEXT, 0)
        counts.append(n_texts - found["shapes"].get(BLANK, 0))
    texts = profiles.select("received_date", "field", texts=pl.Series(counts, dtype=pl.Int64))
    wanted = texts.group_by("received_date", "field").sum()
    messages = of_days(store.scan(lake, MESSAGES, project_id), days).group_by("received_date", "field")
    met = wanted.join(messages.agg(n=pl.len()).collect(), on=["received_date", "field"], how="left")
    return finding(met, met.filter(pl.col("n").fill_null(0) != pl.col("texts")))


STAGE = Stage(
    makes=(
        Product(
            MESSAGES,
            "What people wrote: one row for each value of a text field. Topics and journeys are about these.",
            {"text text_id": "events.metadata field_types.type", "field": "field_types.field"},
            {
                "every_message_has_its_event": Check("every message comes from an event", messages_have_events),
                "counts_reconcile": Check("as many messages as the fields' profiles count texts", counts_reconcile),
            },
        ),
    ),
    reads=(Source(EVENTS), Source(FIELD_TYPES, TEXT_FIELDS)),
    method=bring,
    group="fields",
    version=2,
    follows=(FIELD_TYPES_STAGE,),
    leads=True,
)
