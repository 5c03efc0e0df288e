"""`topic_days`: how often each topic comes up by day, brought up to date a day of receipt after the other."""

from __future__ import annotations

import datetime as dt

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_TYPES, MESSAGES, TOPIC_ASSIGNMENTS, TOPIC_DAYS
from turret_pipeline.semantics.topic_days import topic_days
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding, of_days
from turret_pipeline.stages.field_types import TEXT_FIELDS, text_fields
from turret_pipeline.stages.fits.marks import fit_marks
from turret_pipeline.stages.stage import Product, Source, Stage, Task
from turret_pipeline.stages.work import Outcome

DAYS_AT_ONCE = 30
"""Days whose messages are in memory at once."""


def bring(task: Task) -> Outcome:
    """After this call the counts follow from all messages and their topics; one commit.

    New messages are counted by their day of receipt alone: texts that were known before keep their topic until a fit,
    and after a fit all days are counted again.
    """
    outcome = Outcome("topic_days")
    work, messages, assignments, table = task.work, task.open(MESSAGES), task.open(TOPIC_ASSIGNMENTS), task.table
    if task.has_news:
        fields = text_fields(task.open(FIELD_TYPES))
        of_fits = fingerprint(fit_marks(assignments, fields))

        def inputs(day: dt.date) -> int:
            # Days whose texts were not all looked at when they were counted are counted again.
            return task.stage.of_version(fingerprint(assignments.inputs(day), messages.state(day), of_fits))

        days = {day: inputs(day) for day in messages.days()}
        todo = [day for day in days if work.full_refresh or table.inputs(day) != days[day]]
        gone = [day for day in table.days() if day not in days]
        frames = [TOPIC_DAYS.empty()]
        for start in range(0, len(todo), DAYS_AT_ONCE):
            frames.append(_count(task, todo[start : start + DAYS_AT_ONCE], fields))
            work.tell("topic_days", min(start + DAYS_AT_ONCE, len(todo)), len(todo))
        failpoint.reached("topic_days.after_analysis")
        rows = pl.concat(frames)
        if todo or gone:
            table.replace(rows, [*todo, *gone], inputs=task.inputs(), days={day: days[day] for day in todo})
        outcome.n_rows, outcome.looked_at = rows.height, todo
        failpoint.reached("topic_days.after_commit")
    return task.finish(outcome)


def _count(task: Task, days: list[dt.date], fields: list[str]) -> pl.DataFrame:
    messages, assignments = task.open(MESSAGES), task.open(TOPIC_ASSIGNMENTS)
    said = messages.scan().filter(pl.col("received_date").is_in(days), pl.col("field").is_in(fields))
    topics = assignments.scan().select("field", "text_id", "topic_id")
    spoken = said.select("received_date", "field", "text_id", "session_id", "timestamp")
    counted = topic_days(spoken.join(topics, on=["field", "text_id"], how="left"))
    return counted.with_columns(project_id=pl.lit(task.work.project_id)).select(TOPIC_DAYS.schema.names()).collect()


def days_add_up(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """As many messages are counted for each field and day of receipt as there are."""
    messages = of_days(store.scan(lake, MESSAGES, project_id), days)
    sent = messages.group_by("field", "received_date").agg(there=pl.len())
    by_day = of_days(store.scan(lake, TOPIC_DAYS, project_id), days).group_by("field", "received_date")
    counted = by_day.agg(counted=pl.col("n_messages").sum())
    met = sent.join(counted, on=["field", "received_date"], how="full", coalesce=True).fill_null(0).collect()
    return finding(met, met.filter(pl.col("there") != pl.col("counted")))


STAGE = Stage(
    makes=(
        Product(
            TOPIC_DAYS,
            "How many messages and sessions each topic had on each day: the series that trends follow from.",
            {
                "n_messages": "messages.event_id",
                "date first_at": "messages.timestamp",
                "n_sessions": "messages.session_id",
            },
            {"days_add_up": Check("every message is counted on its day", days_add_up)},
        ),
    ),
    reads=(Source(MESSAGES), Source(TOPIC_ASSIGNMENTS), Source(FIELD_TYPES, TEXT_FIELDS)),
    method=bring,
    group="topics",
)
