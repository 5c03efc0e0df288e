"""`topic_days`: how often each topic comes up by day, in the sessions that lie on each day of receipt.

Sessions lie on the day on which their first message was received, each whole, so what a late message changes in its
session is counted with it, and counts of sessions add up over days.
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from turret_pipeline.lake import store
from turret_pipeline.lake.counts import TOLD_BY
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import JOURNEY_STEPS, TEXT_SENTIMENT, TOPIC_DAYS
from turret_pipeline.semantics.topic_days import topic_days
from turret_pipeline.stages.by_day import bring_days
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding, of_days
from turret_pipeline.stages.stage import Product, ProjectNow, Source, Stage, Task
from turret_pipeline.stages.work import Outcome

STEP = ("received_date", "field", "session_id", "timestamp", "topic_id", "kind", "text_id")
"""Columns of `journey_steps` that topics are counted from."""


def bring(task: Task) -> Outcome:
    """After this call each day has the counts of the sessions that lie on it; only days that changed are counted."""
    return bring_days(task, STEP, _counted)


def _counted(task: Task, days: list[dt.date], steps: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of these days."""
    told = task.open(TEXT_SENTIMENT).scan().select("text_id", "sentiment")
    sounding = steps.lazy().join(told, on="text_id", how="left")
    rows = topic_days(sounding).with_columns(project_id=pl.lit(task.work.project_id))
    return rows.select(TOPIC_DAYS.schema.names()).collect()


def _told_by(now: ProjectNow, day: object) -> tuple[object, ...]:
    """Return what stands for how the sentiment of texts was told."""
    return tuple(now.marks(TEXT_SENTIMENT).mark(name) for name in TOLD_BY)


def days_add_up(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """As many messages are counted for each field and day as its sessions have steps."""
    steps = of_days(store.scan(lake, JOURNEY_STEPS, project_id), days)
    there = steps.group_by("field", "received_date").agg(there=pl.len())
    by_day = of_days(store.scan(lake, TOPIC_DAYS, project_id), days).group_by("field", "received_date")
    counted = by_day.agg(counted=pl.col("n_messages").sum())
    met = there.join(counted, on=["field", "received_date"], how="full", coalesce=True).fill_null(0).collect()
    return finding(met, met.filter(pl.col("there") != pl.col("counted")))


STAGE = Stage(
    makes=(
        Product(
            TOPIC_DAYS,
            "How many messages and sessions each topic had on each day: the series that trends follow from.",
            {
                "topic_id": "journey_steps.topic_id journey_steps.kind",
                "n_messages": "journey_steps.event_id",
                "n_negative n_positive": "journey_steps.text_id text_sentiment.sentiment",
                "date first_at": "journey_steps.timestamp",
                "n_sessions": "journey_steps.session_id",
            },
            {"days_add_up": Check("every message is counted on its day", days_add_up)},
        ),
    ),
    reads=(Source(JOURNEY_STEPS), Source(TEXT_SENTIMENT, None)),
    besides=_told_by,
    method=bring,
    version=3,
    group="topics",
)
