"""`journey_steps`: each text field's messages in order of their sessions, with their kinds and topics.

What the texts have alone (`text_kinds`, `topic_assignments`) is joined to them; what each message is, and which topic a
follow-up has, follows from its whole session (`semantics.kinds`). So a session that a late message touches is told
anew, the others are not. From how near a text brings its topic follows from all texts of the topic: once that changes,
all are joined anew.

A session lies whole on the day on which its first message was received. A new day touches the sessions that go on in
it, which are written anew with the days that they lie on, and no others; a refit, or kinds that are told anew, join
anew and change no order. Days of `messages` go in one after the other: a commit says, in a mark by day, up to which
state of that day its messages are in, so a build that was killed goes on from there, and to bring in a day again
changes nothing.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeVar

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.fanout import in_process
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_TYPES, JOURNEY_STEPS, MESSAGES, TEXT_KINDS, TOPIC_ASSIGNMENTS
from turret_pipeline.semantics.kinds import FOLLOW_UP, SLIGHT, kinds, least_similarities, topics_in_context
from turret_pipeline.semantics.visits import is_move, steps
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding, of_days
from turret_pipeline.stages.field_types import TEXT_FIELDS
from turret_pipeline.stages.stage import Product, Source, Stage, Task
from turret_pipeline.stages.work import Outcome, Work

BATCH_ROWS = 1_000_000
"""Rows read at once, if they are of several days; what bounds the memory that a build takes."""

JOINED, KINDS_JOINED, MODEL = "topics joined at", "kinds joined at", "kinds joined by"
"""Names of the marks with the versions of `topic_assignments` and `text_kinds`, and the model, that every row's topic
and kind agree with."""

BROUGHT = "topics brought from"
"""Name of the mark that stands for the similarities from which texts brought their topics (`least_similarities`)."""

SESSION = ("field", "session_id")
TOLD = ("topic_id", "kind", "text_topic_id")
"""Columns that are joined, or follow from those that are."""

_OWN = ("project_id", "received_date", "place", *TOLD)
COLUMNS = tuple(name for name in JOURNEY_STEPS.schema if name not in _OWN)
MESSAGE = ("received_date", *(name for name in COLUMNS if name in MESSAGES.schema))
"""Columns of `messages` that steps are made of."""


Made = TypeVar("Made")


def bring(task: Task) -> Outcome:
    """After this call every message is a step of its session, in its place, with its kind and topic there."""
    outcome = Outcome("journey_steps")
    if task.has_news:
        _bring(task, outcome)
    return task.finish(outcome)


@dataclass(frozen=True)
class _Texts:
    """What texts have alone. table: where the marks say which versions of it the rows agree with."""

    table: ProjectTable
    assignments: ProjectTable
    kinds: ProjectTable
    model: str

    def marks(self, agrees: bool) -> dict[str, int]:
        """Return the marks for rows of which all agree with the tables as they are open, or not."""
        found = {JOINED: self.assignments.version + 1, KINDS_JOINED: self.kinds.version + 1}
        by = {MODEL: fingerprint(self.model), BROUGHT: fingerprint(self.least.rows())}
        return {name: of if agrees else 0 for name, of in found.items()} | by

    @cached_property
    def least(self) -> pl.DataFrame:
        """`least_similarities` of all texts as they are now: a topic may be of other texts than at the last build."""
        # Most texts are no moves and say enough: only the others need be in memory, and a text without a kind is one.
        is_other = pl.col("move").is_not_null() | (pl.col("weight") < SLIGHT)
        others = self.kinds.scan().filter((pl.col("model") == self.model) & is_other)
        assigned = self.assignments.scan().filter(pl.col("topic_id").is_not_null())
        texts = assigned.select("field", "text_id", "topic_id", "similarity").join(
            others.select("text_id", "move", "weight"), on="text_id", how="left"
        )
        texts = texts.with_columns(pl.col("weight").fill_null(1.0))
        return least_similarities(texts)

    def still_agree(self) -> bool:
        """Return whether no text has another topic or kind now than what was joined, and all bring topics as then."""
        if self.table.mark(MODEL) != fingerprint(self.model):
            return False
        if self.table.mark(BROUGHT) != fingerprint(self.least.rows()):
            return False
        joined = ((self.assignments, JOINED), (self.kinds, KINDS_JOINED))
        known = [(table, self.table.mark(name) or 0) for table, name in joined]
        return all(version and table.only_appended_since(version - 1) for table, version in known)

    def told(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return `rows` in their order with `TOLD`, and `is_known`: whether a text was assigned at all.

        rows: `field`, `text_id`, `place`; whole sessions, one after the other, each in order.
        """
        texts = rows.lazy().select("field", "text_id").unique()
        # All other texts, which may be many more, pass by.
        topics = self.assignments.scan().select("field", "text_id", "topic_id", "similarity")
        topics = topics.join(texts, on=["field", "text_id"], how="semi").with_columns(is_known=pl.lit(True))
        of_model = self.kinds.scan().filter(pl.col("model") == self.model)
        of_texts = of_model.select("text_id", "move", "sureness", "weight").join(texts, on="text_id", how="semi")
        # A text that could not be embedded has no kind: it counts as a request.
        found = (
            rows.drop(TOLD, strict=False)
            .join(topics.collect(engine="streaming"), on=["field", "text_id"], how="left", maintain_order="left")
            .join(of_texts.collect(engine="streaming"), on="text_id", how="left", maintain_order="left")
            .join(self.least, on=["field", "topic_id"], how="left", maintain_order="left")
            .with_columns(pl.col("is_known").fill_null(False), pl.col("sureness").fill_null(0.0))
            .with_columns(pl.col("weight").fill_null(1.0), session=(pl.col("place") == 0).cum_sum())
        )
        # A session's number tells it from one of the same name in another field, and is compared faster.
        in_sessions = found.select(
            "place", "move", "sureness", "weight", "topic_id", "similarity", "least", session_id="session"
        )
        in_sessions = in_sessions.with_columns(kinds(in_sessions).alias("kind"))
        found = found.with_columns(
            topics_in_context(in_sessions).alias("topic_id"), in_sessions["kind"], text_topic_id="topic_id"
        )
        return found.drop("similarity", "least", "move", "sureness", "weight", "session")


def _bring(task: Task, outcome: Outcome) -> None:
    work, messages, table = task.work, task.open(MESSAGES), task.table
    texts = _Texts(table, task.open(TOPIC_ASSIGNMENTS), task.open(TEXT_KINDS), task.model)
    brought = table.scan().select("message_date").unique().collect()["message_date"]
    states = {day: task.stage.of_version(messages.state(day) or 0) for day in {*messages.days(), *brought}}
    todo = sorted(day for day in states if work.full_refresh or table.inputs(day) != states[day])
    agrees = brought.is_empty() or texts.still_agree()
    looked_at = set(todo)
    done = 0
    for days, rows in batches(messages, todo, MESSAGE):
        written, touched, all_known = _fitted_in(table, days, rows.rename({"received_date": "message_date"}), texts)
        agrees = agrees and all_known
        failpoint.reached("journey_steps.after_analysis")
        in_days = {day: states[day] for day in days}
        table.replace(_declared(work, written), touched, days=in_days, marks=texts.marks(agrees))
        outcome.n_rows += rows.height
        done += len(days)
        looked_at.update(touched)
        work.tell("journey_steps", done, len(todo))
        failpoint.reached("journey_steps.after_days")
    outcome.looked_at = looked_at if agrees else None
    if not agrees:
        outcome.n_rows += _join_anew(table, texts)


def _fitted_in(
    table: ProjectTable, days: Sequence[dt.date], fresh: pl.DataFrame, texts: _Texts
) -> tuple[pl.DataFrame, list[dt.date], bool]:
    """Return all rows of the days of the table that messages of `days` touch, with those messages in, and those days.

    fresh: all messages of `days`, with the columns `COLUMNS`; they take the place of those of `days` that are there.
    Last comes whether the texts of all sessions that go on were assigned.
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
    first_day = pl.col("message_date").min().over("session_id")
    placed = [steps(of_field).with_columns(received_date=first_day) for _, of_field in messages.group_by("field")]
    frames, all_known = [others], True
    if placed:
        told = texts.told(pl.concat(placed))
        all_known = bool(told["is_known"].all())
        frames.append(told.select(others.columns))
    # In one order however they came: two builds leave equal tables, and what lies beside the steps fits both.
    rows = pl.concat(frames).sort(*SESSION, "place")
    return rows, sorted({*lie, *rows["received_date"].unique()}), all_known


def _join_anew(table: ProjectTable, texts: _Texts) -> int:
    """After this call every row has the kind and topic that its text has now; return how many rows were written."""
    n_rows, all_known = 0, True
    for _, rows in batches(table, table.days(), table.table.schema.names()):
        # Sorted, for an engine that compacted the files may have changed the order of the rows.
        before = rows.sort("received_date", *SESSION, "place")
        found = texts.told(before)
        all_known = all_known and bool(found["is_known"].all())
        differs = pl.DataFrame([found[name].ne_missing(before[name]) for name in TOLD]).select(pl.any_horizontal("*"))
        changed = found["received_date"].filter(differs.to_series()).unique().sort().to_list()
        if changed:
            written = found.filter(pl.col("received_date").is_in(changed)).select(rows.columns)
            table.replace(written, changed)
            n_rows += written.height
        failpoint.reached("journey_steps.after_topics")
    table.append(JOURNEY_STEPS.empty(), marks=texts.marks(all_known))
    return n_rows


def bring_days(
    task: Task,
    columns: Sequence[str],
    rows_of: Callable[[Task, list[dt.date], pl.DataFrame], pl.DataFrame],
    marks_of: Callable[[Task, list[dt.date]], dict[str, int]] = lambda task, days: {},
) -> Outcome:
    """After this call each day has what `rows_of` makes of its steps; only days that changed are looked at.

    rows_of: as `of_days_of_steps` takes it; returns the rows of some days, as the stage's table declares them.
    marks_of: returns the marks to be set with the rows of some days.
    """
    name = task.stage.table.name
    outcome = Outcome(name)
    todo = outcome.looked_at = task.stale_days()
    done = 0
    for days, rows in of_days_of_steps(task, todo, columns, rows_of):
        failpoint.reached(f"{name}.after_analysis")
        inputs = {day: task.inputs(day) for day in days}
        task.table.replace(rows, days, days=inputs, marks=marks_of(task, days))
        outcome.n_rows += rows.height
        done += len(days)
        task.work.tell(name, done, len(todo))
        failpoint.reached(f"{name}.after_days")
    return task.finish(outcome)


def of_days_of_steps(
    task: Task, days: list[dt.date], columns: Sequence[str], make: Callable[[Task, list[dt.date], pl.DataFrame], Made]
) -> Iterator[tuple[list[dt.date], Made]]:
    """Yield `days` in order, some at a time, with what is made of their steps, here or by the workers of the fanout.

    make: a function of the module whose `STAGE` the task is of; takes a task, some days and their steps, with
    `columns`. What it reads no one else changes during the build.
    """
    groups = _groups(task.open(JOURNEY_STEPS), days)
    # What is held for many projects is here alone.
    fanout = task.work.fanout if task.work.lake.batch is None else in_process
    in_worker = partial(_made_in_worker, make, columns, task.work.in_worker)
    yield from zip(groups, fanout(in_worker, groups, partial(_made, make, columns, task)), strict=True)


def _made(
    make: Callable[[Task, list[dt.date], pl.DataFrame], Made], columns: Sequence[str], task: Task, days: list[dt.date]
) -> Made:
    return make(task, days, _rows_of(task.open(JOURNEY_STEPS), days, columns))


def _made_in_worker(
    make: Callable[[Task, list[dt.date], pl.DataFrame], Made], columns: Sequence[str], work: Work, days: list[dt.date]
) -> Made:
    """Return what `make` makes of the days, in a process of its own."""
    stage: Stage = vars(sys.modules[make.__module__])["STAGE"]
    return _made(make, columns, Task(stage, work), days)


def batches(
    table: ProjectTable, days: list[dt.date], columns: Sequence[str]
) -> Iterator[tuple[list[dt.date], pl.DataFrame]]:
    """Yield `days` in order, some at a time, with `columns` of their rows."""
    for group in _groups(table, days):
        yield group, _rows_of(table, group, columns)


def _groups(table: ProjectTable, days: list[dt.date]) -> list[list[dt.date]]:
    """Return `days` in order, some at a time: one day, or days with at most `BATCH_ROWS` rows."""
    day = pl.col("received_date")
    counted = table.scan().filter(day.is_in(days)).group_by(day).len().collect()
    sizes = dict(counted.iter_rows())
    found: list[list[dt.date]] = []
    while days:
        n, size = 0, 0
        while n < len(days) and (not n or size + sizes.get(days[n], 0) <= BATCH_ROWS):
            size, n = size + sizes.get(days[n], 0), n + 1
        found.append(days[:n])
        days = days[n:]
    return found


def _rows_of(table: ProjectTable, days: list[dt.date], columns: Sequence[str]) -> pl.DataFrame:
    return table.scan().filter(pl.col("received_date").is_in(days)).select(columns).collect()


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


def kinds_are_told(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Each step of the days has a kind, moves have no topic, and no session begins with a follow-up."""
    steps = of_days(store.scan(lake, JOURNEY_STEPS, project_id), days)
    rows = steps.select("event_id", "place", "kind", "topic_id").collect()
    led = (pl.col("kind") == FOLLOW_UP) & (pl.col("place") == 0)
    wrong = pl.col("kind").is_null() | led | (is_move() & pl.col("topic_id").is_not_null())
    return finding(rows, rows.filter(wrong))


STAGE = Stage(
    makes=(
        Product(
            JOURNEY_STEPS,
            "Each message in its place in its session, with its kind and topic: who went where, one by one.",
            {
                "place": "messages.timestamp",
                "text_topic_id": "topic_assignments.topic_id",
                "topic_id": "topic_assignments.topic_id topic_assignments.similarity text_kinds.weight",
                "kind": "text_kinds.move text_kinds.sureness text_kinds.weight topic_assignments.similarity",
                "message_date": "messages.received_date",
            },
            {
                "every_message_is_a_step": Check("every message has its place in its session", every_message_is_a_step),
                "kinds_are_told": Check("moves have no topic; a follow-up has something before it", kinds_are_told),
            },
        ),
    ),
    reads=(Source(MESSAGES), Source(TOPIC_ASSIGNMENTS), Source(TEXT_KINDS), Source(FIELD_TYPES, TEXT_FIELDS)),
    version=2,
    method=bring,
    group="journeys",
)
