"""`topic_users`: who wrote about each topic, by day of receipt: what retention of topics is counted from."""

from __future__ import annotations

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import JOURNEY_STEPS, TOPIC_USERS
from turret_pipeline.semantics.visits import UNASSIGNED
from turret_pipeline.stages.by_day import batches
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding, of_days
from turret_pipeline.stages.stage import Product, Source, Stage, Task
from turret_pipeline.stages.work import Outcome

STEP = ("received_date", "field", "topic_id", "user_id", "event_id")
"""Columns of `journey_steps` that users are counted from."""


def bring(task: Task) -> Outcome:
    """After this call each day has the users of the sessions that lie on it; only days that changed are counted."""
    outcome = Outcome("topic_users")
    todo = outcome.looked_at = task.stale_days()
    for days, steps in batches(task.open(JOURNEY_STEPS), todo, STEP):
        topics = pl.col("topic_id").fill_null(UNASSIGNED)
        counted = steps.group_by("received_date", "field", topics, "user_id").agg(n_messages=pl.len().cast(pl.Int64))
        rows = counted.with_columns(project_id=pl.lit(task.work.project_id)).select(TOPIC_USERS.schema.names())
        task.table.replace(rows.sort(*TOPIC_USERS.key), days, days={day: task.inputs(day) for day in days})
        outcome.n_rows += rows.height
        failpoint.reached("topic_users.after_days")
    return task.finish(outcome)


def messages_add_up(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """On each day as many messages of a field are counted as it has steps."""
    steps = of_days(store.scan(lake, JOURNEY_STEPS, project_id), days).group_by("received_date", "field")
    users = of_days(store.scan(lake, TOPIC_USERS, project_id), days).group_by("received_date", "field")
    there, counted = steps.agg(there=pl.len()), users.agg(counted=pl.col("n_messages").sum())
    met = there.join(counted, on=["received_date", "field"], how="full", coalesce=True).fill_null(0).collect()
    return finding(met, met.filter(pl.col("there") != pl.col("counted")))


STAGE = Stage(
    makes=(
        Product(
            TOPIC_USERS,
            "Who wrote about each topic on each day, so that topics can be told by whether their users come back.",
            {"n_messages": "journey_steps.event_id"},
            {"messages_add_up": Check("every step is counted for its user", messages_add_up)},
        ),
    ),
    reads=(Source(JOURNEY_STEPS),),
    method=bring,
    group="topics",
)
