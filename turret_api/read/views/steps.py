"""The steps of journeys as the API holds them: numbers in session order, so that a question scans columns and no texts.

They are read once for each state of the table (16 bytes a step, so that those of ten million messages can be kept at
hand). Filters take steps away; what people merged, and the level of themes, give topics other names; visits follow.
"""

from __future__ import annotations

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.all_steps import all_steps, people_of, renamed, sessions_of, users_of, users_of_sessions
from turret_api.read.views.answers import answers_beside
from turret_api.read.views.few import without_few
from turret_api.read.views.filters import Filters
from turret_api.read.views.friction import signs_of
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.sentiment import sentiments_of
from turret_api.read.views.topics import themes_of
from turret_api.read.views.values import numbers_of, values_of
from turret_pipeline.lake.tables import JOURNEY_STEPS
from turret_pipeline.semantics.visits import folded, visits_of


def field_visits(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the visits of the messages that pass, session after session, each in order.

    Columns: `session` (its number, see `sessions_of`), `topic_id` (categorical), `started_at`, `ended_at`.
    """

    def compute() -> pl.DataFrame:
        steps = walked_steps(snapshot, field, filters, level)
        found = visits_of(steps.select("topic_id", "timestamp", session_id="session"))
        return found.select("topic_id", "started_at", "ended_at", session="session_id")

    return snapshot.remember(("visits", field, filters, level), SOURCES, compute)


def field_steps(
    snapshot: Snapshot,
    field: str,
    filters: Filters,
    level: int,
    *,
    number: str | None = None,
    value: str | None = None,
    sounds: bool = False,
    users: bool = False,
) -> pl.DataFrame:
    """Return the steps of the messages that count, in order: `session`, `topic_id`, `name`, `timestamp`.

    The topic of a move of conversation, where these count, is the name of its kind. number, value: fields of which each
    step has the `number`, or the `value`; null where its event has none. sounds: whether each step has `sounds`, see
    `sentiments_of`. users: whether each step has its `user` (a number), and with `few` its `person` (see `people_of`).
    """
    beside = {} if number is None else {"number": numbers_of(snapshot, field, number)}
    beside |= {"sounds": sentiments_of(snapshot, field)} if sounds else {}
    beside |= {} if value is None else {"value": values_of(snapshot, field, value)}
    beside |= {"user": users_of(snapshot, field)} if users else {}
    beside |= {"person": people_of(snapshot, field)} if users and filters.few else {}
    steps = _passing(snapshot, field, filters, level, beside)
    return (steps if filters.has_moves else steps.filter(~pl.col("is_move"))).drop("is_move")


def walked_steps(
    snapshot: Snapshot, field: str, filters: Filters, level: int, *, number: str | None = None
) -> pl.DataFrame:
    """Return the steps of all messages that pass, as `field_steps` does, each with the node of its visit as topic.

    So a move of conversation has, where these do not count, the topic of the visit that it is part of.
    """
    beside = {} if number is None else {"number": numbers_of(snapshot, field, number)}
    steps = _passing(snapshot, field, filters, level, beside)
    if not filters.has_moves:
        steps = steps.with_columns(folded(steps.select("topic_id", "is_move", session_id="session")))
    if filters.few:  # a visit is of the user of its session, which may be another than that of the message
        users = users_of_sessions(snapshot, field).gather(steps["session"])
        steps = without_few(steps, users, filters.few)
    return steps.drop("is_move")


def signed_steps(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the steps that `walked_steps` does, with `is_move`, `user` and `signs` of friction (bits, see `signs_of`).

    Where moves of conversation count by themselves, they are no moves here.
    """
    steps = _passing(
        snapshot, field, filters, level, {"signs": signs_of(snapshot, field), "user": users_of(snapshot, field)}
    )
    if filters.has_moves:
        return steps.with_columns(is_move=pl.lit(False))
    return steps.with_columns(folded(steps.select("topic_id", "is_move", session_id="session")))


def answered_steps(snapshot: Snapshot, field: str, of_answers: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the steps that `field_steps` does, with the answer of each as in `answers_beside`.

    of_answers: the field that holds the answers; `answer_topic` is one of its topics, or themes.
    """
    beside = answers_beside(snapshot, field)
    steps = _passing(snapshot, field, filters, level, {name: beside[name] for name in beside.columns})
    counted = steps if filters.has_moves else steps.filter(~pl.col("is_move"))
    return counted.drop("is_move").with_columns(renamed(snapshot, of_answers, level, counted["answer_topic"]))


def numbered(visits: pl.DataFrame) -> pl.DataFrame:
    """Return `visits` with `visit`, which is 0 only where a session begins; as `semantics.visits.moves` wants."""
    return visits.with_columns(visit=(pl.col("session") == pl.col("session").shift()).fill_null(False).cast(pl.Int8))


def session_starts(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return `started_at`, the time of its first message, of every session; its number is its row's."""

    def compute() -> pl.DataFrame:
        first = pl.col("session") != pl.col("session").shift()
        return all_steps(snapshot, field).filter(first.fill_null(True)).select(started_at="timestamp")

    return snapshot.remember(("session_starts", field), (JOURNEY_STEPS,), compute)


def first_starts_of_users(snapshot: Snapshot, field: str) -> pl.Series:
    """Return for each session, by number, when the first session of its user began."""

    def compute() -> pl.DataFrame:
        users = sessions_of(snapshot, field).select(user="user_id")
        told = session_starts(snapshot, field).hstack(users)
        return told.select(first_at=pl.col("started_at").min().over("user"))

    return snapshot.remember(("first_starts", field), (JOURNEY_STEPS,), compute)["first_at"]


def passing_steps(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the steps of all messages that pass, moves too, each with its own topic: as `field_steps`, `is_move`."""
    return _passing(snapshot, field, filters, level, {})


def _passing(
    snapshot: Snapshot, field: str, filters: Filters, level: int, beside: dict[str, pl.Series]
) -> pl.DataFrame:
    """Return the steps of all messages that pass, moves too, with the topics of the level and what stands `beside`.

    Topics that too few users have are `few`.
    """
    steps = all_steps(snapshot, field).with_columns(**beside)
    if filters.few:
        steps = steps.with_columns(people_of(snapshot, field).alias("who"))
    passes = filters.of_steps(snapshot, field)
    if passes is not None:
        steps = steps.filter(passes)
    steps = filters.apply_plain(steps.lazy()).collect()
    steps = steps.with_columns(renamed(snapshot, field, level, steps["topic_id"]))
    if not filters.few:
        return steps
    counts = None if filters.has_moves else ~pl.col("is_move")
    themes = {} if level else themes_of(snapshot, field)
    return without_few(steps.drop("who"), steps["who"], filters.few, counts, themes)
