"""The steps of journeys as the API holds them: numbers in session order, so that a question scans columns and no texts.

They are read once for each state of the table (16 bytes a step, so that those of ten million messages can be kept at
hand). Filters take steps away; what people merged, and the level of themes, give topics other names; visits follow.
"""

from __future__ import annotations

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.filters import Filters
from turret_api.read.views.friction import signs_of
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.topics import edits_of, topics_of
from turret_api.read.views.values import compact, numbers_of, passing, read_steps, values_of
from turret_pipeline.lake.tables import JOURNEY_STEPS
from turret_pipeline.semantics.visits import folded, is_move, node, visits_of


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
) -> pl.DataFrame:
    """Return the steps of the messages that count, in order: `session`, `topic_id`, `name`, `timestamp`.

    The topic of a move of conversation, where these count, is the name of its kind. number, value: fields of which each
    step has the `number`, or the `value`; null where its event has none.
    """
    beside = {} if number is None else {"number": numbers_of(snapshot, field, number)}
    beside |= {} if value is None else {"value": values_of(snapshot, field, value)}
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
    return steps.drop("is_move")


def signed_steps(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the steps that `walked_steps` does, with `is_move` and their `signs` of friction (bits, see `signs_of`).

    Where moves of conversation count by themselves, they are no moves here.
    """
    steps = _passing(snapshot, field, filters, level, {"signs": signs_of(snapshot, field)})
    if filters.has_moves:
        return steps.with_columns(is_move=pl.lit(False))
    return steps.with_columns(folded(steps.select("topic_id", "is_move", session_id="session")))


def numbered(visits: pl.DataFrame) -> pl.DataFrame:
    """Return `visits` with `visit`, which is 0 only where a session begins; as `semantics.visits.moves` wants."""
    return visits.with_columns(visit=(pl.col("session") == pl.col("session").shift()).fill_null(False).cast(pl.Int8))


def sessions_of(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return `session_id` and `user_id` (of its first message) of every session; its number is its row's."""

    def compute() -> pl.DataFrame:
        return read_steps(snapshot, field, "session_id", "user_id").filter(pl.col("place") == 0).drop("place")

    return snapshot.remember(("sessions", field), (JOURNEY_STEPS,), compute)


def session_starts(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return `started_at`, the time of its first message, of every session; its number is its row's."""

    def compute() -> pl.DataFrame:
        first = pl.col("session") != pl.col("session").shift()
        return _steps(snapshot, field).filter(first.fill_null(True)).select(started_at="timestamp")

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


def _steps(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return all steps in order: `session` (a number), `topic_id`, `name` (categorical), `timestamp`, `is_move`."""

    def compute() -> pl.DataFrame:
        rows = read_steps(snapshot, field, "topic_id", "kind", "name", "timestamp")
        session = (pl.col("place") == 0).cum_sum().cast(pl.UInt32) - 1
        topic, name = rows.select(node()).to_series(), rows["name"]
        return rows.select(session.alias("session"), compact(topic), compact(name), "timestamp", is_move=is_move())

    return snapshot.remember(("steps", field), (JOURNEY_STEPS,), compute)


def _passing(
    snapshot: Snapshot, field: str, filters: Filters, level: int, beside: dict[str, pl.Series]
) -> pl.DataFrame:
    """Return the steps of all messages that pass, moves too, with the topics of the level and what stands `beside`."""
    steps = _steps(snapshot, field).with_columns(**beside)
    if filters.segments:
        steps = steps.filter(passing(snapshot, field, filters.segments))
    steps = filters.apply_plain(steps.lazy()).collect()
    return steps.with_columns(_renamed(snapshot, field, level, steps["topic_id"]))


def _renamed(snapshot: Snapshot, field: str, level: int, topic: pl.Series) -> pl.Series:
    """Return `topic` with the topics that others were merged into, or (level 1) with the themes that they belong to."""
    merged = edits_of(snapshot, field).merged
    if not merged and not level:
        return topic
    parents = dict(topics_of(snapshot, field).drop_nulls("parent_id").select("topic_id", "parent_id").iter_rows())
    used = topic.unique()
    names = {}
    for code, name in zip(used.to_physical(), used.cast(pl.String), strict=True):
        end = merged.get(name, name)
        names[code] = parents.get(end, end) if level else end
    texts = pl.Series([names.get(code, "") for code in range(max(names, default=-1) + 1)], dtype=pl.String)
    return compact(texts).gather(topic.to_physical()).alias(topic.name)
