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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.fanout import in_process
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_TYPES, JOURNEY_STEPS, MESSAGES, TEXT_KINDS, TOPIC_ASSIGNMENTS
from turret_pipeline.semantics.gone import IS_GONE
from turret_pipeline.semantics.kinds import FOLLOW_UP, SLIGHT, kinds, least_similarities, topics_in_context
from turret_pipeline.semantics.visits import is_move, steps
from turret_pipeline.stages.by_day import groups_of, rows_of_days
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding, of_days
from turret_pipeline.stages.field_types import TEXT_FIELDS
from turret_pipeline.stages.stage import Product, Source, Stage, Task
from turret_pipeline.stages.work import Outcome, Work

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
_PLACED = tuple(name for name in JOURNEY_STEPS.schema if name != "project_id")
MESSAGE = ("received_date", *(name for name in COLUMNS if name in MESSAGES.schema))
"""Columns of `messages` that steps are made of."""


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
    found_least: pl.DataFrame | None = None

    @classmethod
    def of(cls, task: Task, least: pl.DataFrame | None = None) -> _Texts:
        """Return the texts as the task has their tables open. least: `least_similarities`, if they are known."""
        return cls(task.table, task.open(TOPIC_ASSIGNMENTS), task.open(TEXT_KINDS), task.model, least)

    def marks(self, agrees: bool) -> dict[str, int]:
        """Return the marks for rows of which all agree with the tables as they are open, or not."""
        found = {JOINED: self.assignments.version + 1, KINDS_JOINED: self.kinds.version + 1}
        by = {MODEL: fingerprint(self.model), BROUGHT: fingerprint(self.least.rows())}
        return {name: of if agrees else 0 for name, of in found.items()} | by

    @cached_property
    def least(self) -> pl.DataFrame:
        """`least_similarities` of all texts as they are now: a topic may be of other texts than at the last build."""
        if self.found_least is not None:
            return self.found_least
        # Most texts are no moves and say enough: only the others need be in memory, and a text without a kind is one.
        is_other = pl.col("move").is_not_null() | (pl.col("weight") < SLIGHT)
        others = self.kinds.scan().filter((pl.col("model") == self.model) & is_other)
        assigned = self.assignments.scan().filter(pl.col("topic_id").is_not_null())
        texts = assigned.select("field", "text_id", "topic_id", "similarity").join(
            others.select("text_id", "move", "weight"), on="text_id", how="left"
        )
        return least_similarities(_once(texts.with_columns(pl.col("weight").fill_null(1.0))))

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


def _once(texts: pl.LazyFrame) -> pl.LazyFrame:
    """Return `texts`, those that are gone only where what they have is not that of another.

    A text that was said on several days goes with each of them under another id, and may be there still.
    """
    gone = texts.filter(IS_GONE)
    told = ["field", "topic_id", "similarity", "move", "weight"]
    others = gone.unique(told, keep="any").join(texts.filter(~IS_GONE), on=told, how="anti", nulls_equal=True)
    return pl.concat([texts.filter(~IS_GONE), others])


def _bring(task: Task, outcome: Outcome) -> None:
    work, messages, table = task.work, task.open(MESSAGES), task.table
    texts = _Texts.of(task)
    brought = table.scan().select("message_date").unique().collect()["message_date"]
    states = {day: task.stage.of_version(messages.state(day) or 0) for day in {*messages.days(), *brought}}
    todo = sorted(day for day in states if work.full_refresh or table.inputs(day) != states[day])
    agrees = brought.is_empty() or texts.still_agree()
    looked_at = set(todo)
    done = 0
    groups = groups_of(messages, todo)
    for days, ahead in zip(groups, _placed_ahead(task, groups, texts), strict=True):
        fresh = _messages_of(messages, days, ahead.left)
        written, touched = _fitted_in(table, days, fresh, texts, ahead.placed)
        agrees = agrees and written.all_known
        failpoint.reached("journey_steps.after_analysis")
        in_days = {day: states[day] for day in days}
        table.replace(_declared(work, written.rows), touched, days=in_days, marks=texts.marks(agrees))
        outcome.n_rows += fresh.height + ahead.placed.rows.height
        done += len(days)
        looked_at.update(touched)
        work.tell("journey_steps", done, len(todo))
        failpoint.reached("journey_steps.after_days")
    outcome.looked_at = looked_at if agrees else None
    if not agrees:
        outcome.n_rows += _join_anew(task, texts)


@dataclass(frozen=True)
class _Placed:
    """Steps of whole sessions, with the columns `_PLACED`; all_known: whether all of their texts were assigned."""

    rows: pl.DataFrame
    all_known: bool = True


def _no_steps() -> _Placed:
    # Not once for all: polars starts its threads with its first work, and a process may fork once all is imported.
    return _Placed(JOURNEY_STEPS.empty().select(_PLACED))


@dataclass(frozen=True)
class _Ahead:
    """What workers made of some days. left: the sessions (`SESSION`) that are not in it; None: all that there are."""

    placed: _Placed
    left: pl.DataFrame | None = None


def _placed_ahead(task: Task, groups: list[list[dt.date]], texts: _Texts) -> Iterator[_Ahead]:
    """Yield for each group of days of `messages` the steps of the sessions that lie in it alone, if workers make them.

    A session that goes over groups, or has steps already, is left to this process, which fits one group in after the
    other: what is made of it follows from what the table has of it by then.
    """
    if task.work.spread is in_process or len(groups) < 2:
        yield from (_Ahead(_no_steps()) for _ in groups)
        return
    number = {day: place for place, group in enumerate(groups) for day in group}
    said = task.open(MESSAGES).scan().filter(pl.col("received_date").is_in(list(number)))
    group = pl.col("received_date").replace_strict(number, return_dtype=pl.Int64)
    of_sessions = said.group_by(SESSION).agg(is_apart=group.min() != group.max())
    apart = of_sessions.filter("is_apart").select(SESSION).collect(engine="streaming")
    first = task.table.scan().filter(pl.col("place") == 0).select(SESSION)
    known = first.join(said, on=SESSION, how="semi").collect(engine="streaming")
    left = pl.concat([apart, known]).unique()
    for placed in task.work.spread(partial(_placed_in_worker, task.work.in_worker, texts.least, left), groups):
        yield _Ahead(placed, left)


def _placed_in_worker(work: Work, least: pl.DataFrame, left: pl.DataFrame, days: list[dt.date]) -> _Placed:
    """Return the steps of the messages of `days` whose sessions are not in `left`. least: as of `_Texts`."""
    task = Task(STAGE, work)
    messages = _messages_of(task.open(MESSAGES), days, None).join(left, on=SESSION, how="anti")
    return _placed(messages, _Texts.of(task, least))


def _messages_of(messages: ProjectTable, days: list[dt.date], left: pl.DataFrame | None) -> pl.DataFrame:
    """Return the messages of `days` with the columns `COLUMNS`; of the sessions in `left` only, if given."""
    said = messages.scan().filter(pl.col("received_date").is_in(days)).select(MESSAGE)
    if left is not None:
        said = said.join(left.lazy(), on=SESSION, how="semi")
    return said.rename({"received_date": "message_date"}).collect()


def _placed(messages: pl.DataFrame, texts: _Texts) -> _Placed:
    """Return the steps of these messages (`COLUMNS`), which are whole sessions."""
    first_day = pl.col("message_date").min().over("session_id")
    placed = [steps(of_field).with_columns(received_date=first_day) for _, of_field in messages.group_by("field")]
    if not placed:
        return _no_steps()
    told = texts.told(pl.concat(placed))
    return _Placed(told.select(_PLACED), bool(told["is_known"].all()))


def _fitted_in(
    table: ProjectTable, days: Sequence[dt.date], fresh: pl.DataFrame, texts: _Texts, ahead: _Placed
) -> tuple[_Placed, list[dt.date]]:
    """Return all rows of the days of the table that messages of `days` touch, with those messages in, and those days.

    fresh: all messages of `days` that are not in `ahead`; together they take the place of those of `days` that are
    there.
    """
    of_days = pl.col("message_date").is_in(days)
    gone = table.scan().filter(of_days).select(SESSION).collect()
    touched = pl.concat([fresh.select(SESSION), gone]).unique()
    first = table.scan().filter(pl.col("place") == 0).select("received_date", *SESSION)
    lie = first.join(touched.lazy(), on=SESSION, how="semi").select("received_date").unique().collect()["received_date"]
    there = table.scan().filter(pl.col("received_date").is_in(lie.implode())).drop("project_id").collect()
    others = there.join(touched, on=SESSION, how="anti")
    going_on = there.join(touched, on=SESSION, how="semi").filter(~of_days)
    placed = _placed(pl.concat([going_on.select(COLUMNS), fresh.select(COLUMNS)]), texts)
    # In one order however they came: two builds leave equal tables, and what lies beside the steps fits both.
    rows = pl.concat([others.select(_PLACED), placed.rows, ahead.rows]).sort(*SESSION, "place")
    days_of = sorted({*lie, *rows["received_date"].unique()})
    return _Placed(rows, placed.all_known and ahead.all_known), days_of


def _join_anew(task: Task, texts: _Texts) -> int:
    """After this call every row has the kind and topic that its text has now; return how many rows were written."""
    table, n_rows, all_known = task.table, 0, True
    in_worker = partial(_joined_in_worker, task.work.in_worker, texts.least)
    for joined in task.work.spread(in_worker, groups_of(table, table.days()), partial(_joined, texts)):
        all_known = all_known and joined.all_known
        if joined.rows.height:
            table.replace(_declared(task.work, joined.rows), joined.rows["received_date"].unique().sort())
            n_rows += joined.rows.height
        failpoint.reached("journey_steps.after_topics")
    table.append(JOURNEY_STEPS.empty(), marks=texts.marks(all_known))
    return n_rows


def _joined_in_worker(work: Work, least: pl.DataFrame, days: list[dt.date]) -> _Placed:
    return _joined(_Texts.of(Task(STAGE, work), least), days)


def _joined(texts: _Texts, days: list[dt.date]) -> _Placed:
    """Return the steps of those of the days on which one has another kind or topic now."""
    # Sorted, for an engine that compacted the files may have changed the order of the rows.
    before = rows_of_days(texts.table, days, _PLACED).sort("received_date", *SESSION, "place")
    found = texts.told(before)
    differs = pl.DataFrame([found[name].ne_missing(before[name]) for name in TOLD]).select(pl.any_horizontal("*"))
    changed = found["received_date"].filter(differs.to_series()).unique()
    rows = found.filter(pl.col("received_date").is_in(changed.implode())).select(_PLACED)
    return _Placed(rows, bool(found["is_known"].all()))


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
