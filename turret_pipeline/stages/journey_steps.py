"""`journey_steps`: each text field's messages in order of their sessions, with their topics.

A session lies whole on the day on which its first message was received. A new day touches the sessions that go on in
it, which are written anew with the days that they lie on, and no others; a refit joins the topics anew and changes no
order. Days of `messages` go in one after the other: a commit says, in a mark by day, up to which state of that day its
messages are in, so a build that was killed goes on from there, and to bring in a day again changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_TYPES, JOURNEY_STEPS, MESSAGES, TOPIC_ASSIGNMENTS
from turret_pipeline.semantics.visits import steps
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding, of_days
from turret_pipeline.stages.field_types import TEXT_FIELDS
from turret_pipeline.stages.stage import Product, Source, Stage, Task
from turret_pipeline.stages.work import Outcome, Work

BATCH_ROWS = 1_000_000
"""Rows read at once, if they are of several days; what bounds the memory that a build takes."""

JOINED = "topics joined at"
"""Name of the mark with the version of `topic_assignments` that every row's topic agrees with."""

SESSION = ("field", "session_id")
COLUMNS = tuple(name for name in JOURNEY_STEPS.schema if name not in ("project_id", "received_date", "place"))
MESSAGE = ("received_date", *(name for name in COLUMNS if name in MESSAGES.schema))
"""Columns of `messages` that steps are made of."""


def bring(task: Task) -> Outcome:
    """After this call every message is a step of its session, in its place, with the topic that its text has."""
    outcome = Outcome("journey_steps")
    if task.has_news:
        _bring(task, outcome)
    return task.finish(outcome)


def _bring(task: Task, outcome: Outcome) -> None:
    work, messages, assignments, table = task.work, task.open(MESSAGES), task.open(TOPIC_ASSIGNMENTS), task.table
    brought = table.scan().select("message_date").unique().collect()["message_date"]
    states = {day: task.stage.of_version(messages.state(day) or 0) for day in {*messages.days(), *brought}}
    todo = sorted(day for day in states if work.full_refresh or table.inputs(day) != states[day])
    known = table.mark(JOINED) or 0
    agrees = brought.is_empty() or (known > 0 and assignments.only_appended_since(known - 1))
    looked_at = set(todo)
    done = 0
    for days, rows in batches(messages, todo, MESSAGE):
        found = _with_topics(rows.rename({"received_date": "message_date"}), assignments)
        agrees = agrees and found["is_known"].all()
        written, touched = _fitted_in(table, days, found.drop("is_known"))
        failpoint.reached("journey_steps.after_analysis")
        marks = {JOINED: assignments.version + 1 if agrees else known}
        table.replace(_declared(work, written), touched, days={day: states[day] for day in days}, marks=marks)
        outcome.n_rows += rows.height
        done += len(days)
        looked_at.update(touched)
        work.tell("journey_steps", done, len(todo))
        failpoint.reached("journey_steps.after_days")
    outcome.looked_at = looked_at if agrees else None
    if not agrees:
        outcome.n_rows += _join_anew(table, assignments)


def _fitted_in(table: ProjectTable, days: Sequence[dt.date], fresh: pl.DataFrame) -> tuple[pl.DataFrame, list[dt.date]]:
    """Return all rows of the days of the table that messages of `days` touch, with those messages in, and those days.

    fresh: all messages of `days`, with the columns `COLUMNS`; they take the place of those of `days` that are there.
    """
    of_days = pl.col("message_date").is_in(days)
    gone = table.scan().filter(of_days).select(SESSION).collect()
    touched = pl.concat([fresh.select(SESSION), gone]).unique()
    first = table.scan().filter(pl.col("place") == 0).select("received_date", *SESSION)
    lie = first.join(touched.lazy(), on=SESSION, how="semi").select("received_date").unique().collect()["received_date"]
    there = table.scan().filter(pl.col("received_date").is_in(lie.implode())).drop("project_id").collect()
    others = there.join(touched, on=SESSION, how="anti")
    going_on = there.join(touched, on=SESSION, how="semi").filter(~of_days)
    messages = pl.concat([going_on.select(COLUMNS), fresh.select(COLUMNS)])
    frames = [others]
    for _, of_field in messages.group_by("field"):
        first_day = pl.col("message_date").min().over("session_id")
        frames.append(steps(of_field).with_columns(received_date=first_day).select(others.columns))
    # In one order however they came: two builds leave equal tables, and what lies beside the steps fits both.
    rows = pl.concat(frames).sort(*SESSION, "place")
    return rows, sorted({*lie, *rows["received_date"].unique()})


def _join_anew(table: ProjectTable, assignments: ProjectTable) -> int:
    """After this call every row has the topic that `assignments` says; return how many rows were written."""
    n_rows, all_known = 0, True
    for _, rows in batches(table, table.days(), table.table.schema.names()):
        found = _with_topics(rows.drop("topic_id"), assignments)
        all_known = all_known and bool(found["is_known"].all())
        differs = found["topic_id"].ne_missing(rows["topic_id"])
        changed = found["received_date"].filter(differs).unique().sort().to_list()
        if changed:
            written = found.filter(pl.col("received_date").is_in(changed)).select(rows.columns)
            table.replace(written, changed)
            n_rows += written.height
        failpoint.reached("journey_steps.after_topics")
    table.append(JOURNEY_STEPS.empty(), marks={JOINED: assignments.version + 1 if all_known else 0})
    return n_rows


def batches(
    table: ProjectTable, days: list[dt.date], columns: Sequence[str]
) -> Iterator[tuple[list[dt.date], pl.DataFrame]]:
    """Yield `days` in order, some at a time, with `columns` of their rows: one day, or at most `BATCH_ROWS` rows."""
    day = pl.col("received_date")
    counted = table.scan().filter(day.is_in(days)).group_by(day).len().collect()
    sizes = dict(counted.iter_rows())
    while days:
        n, size = 0, 0
        while n < len(days) and (not n or size + sizes.get(days[n], 0) <= BATCH_ROWS):
            size, n = size + sizes.get(days[n], 0), n + 1
        batch, days = days[:n], days[n:]
        yield batch, table.scan().filter(day.is_in(batch)).select(columns).collect()


def _with_topics(rows: pl.DataFrame, assignments: ProjectTable) -> pl.DataFrame:
    """Return `rows` in their order with `topic_id`, and `is_known`: whether `assignments` has their text at all."""
    texts = rows.lazy().select("field", "text_id").unique()
    # All other texts, which may be many more, pass by.
    topics = assignments.scan().select("field", "text_id", "topic_id").join(texts, on=["field", "text_id"], how="semi")
    known = topics.collect(engine="streaming").with_columns(is_known=pl.lit(True))
    found = rows.join(known, on=["field", "text_id"], how="left", maintain_order="left")
    return found.with_columns(pl.col("is_known").fill_null(False))


def _declared(work: Work, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(project_id=pl.lit(work.project_id)).select(JOURNEY_STEPS.schema.names())


def every_message_is_a_step(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Each day has as many steps of a field as messages, and each session that lies on it one that is its first."""
    day = pl.col("received_date")
    messages = of_days(store.scan(lake, MESSAGES, project_id), days).group_by("field", day).agg(messages=pl.len())
    steps = store.scan(lake, JOURNEY_STEPS, project_id)
    received = steps.select("field", received_date="message_date")
    made = of_days(received, days).group_by("field", day).agg(steps=pl.len())
    sessions = of_days(steps, days).group_by("field", day)
    begun = sessions.agg(begun=(pl.col("place") == 0).sum(), sessions=pl.col("session_id").n_unique())
    met = messages.join(made, on=["field", "received_date"], how="full", coalesce=True)
    met = met.join(begun, on=["field", "received_date"], how="full", coalesce=True)
    found = met.collect().with_columns(pl.exclude("field", "received_date").fill_null(0))
    wrong = found.filter((pl.col("messages") != pl.col("steps")) | (pl.col("begun") != pl.col("sessions")))
    return finding(found, wrong)


STAGE = Stage(
    makes=(
        Product(
            JOURNEY_STEPS,
            "Each message in its place in its session, with its topic: who went where, one by one.",
            {
                "place": "messages.timestamp",
                "topic_id": "topic_assignments.topic_id",
                "message_date": "messages.received_date",
            },
            {"every_message_is_a_step": Check("every message has its place in its session", every_message_is_a_step)},
        ),
    ),
    reads=(Source(MESSAGES), Source(TOPIC_ASSIGNMENTS), Source(FIELD_TYPES, TEXT_FIELDS)),
    method=bring,
    group="journeys",
)
