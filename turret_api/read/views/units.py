"""What is counted: messages, or the distinct sessions or users behind them.

A session or a user may have several topics, and come on several days. So distinct counts are taken from the steps each
time anew, and never added up; neither do shares of sessions or of users add up to 1.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.all_steps import users_of_sessions
from turret_api.read.views.few import told_on
from turret_api.read.views.few_edges import ENDS
from turret_api.read.views.filters import Filters
from turret_api.read.views.journeys import all_moves, moves_over_few, named_ends
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import field_steps, field_visits
from turret_api.read.views.topics import FEW
from turret_pipeline.semantics.visits import END, START, UNASSIGNED

Unit = Literal["messages", "sessions", "users"]

COLUMN: dict[Unit, str] = {"sessions": "session", "users": "user"}
"""By unit that is not messages, the column of steps that tells one from another."""


def how_many(unit: Unit) -> pl.Expr:
    """Return how many of the unit a group of steps has: int64."""
    found = pl.len() if unit == "messages" else pl.col(COLUMN[unit]).n_unique()
    return found.cast(pl.Int64)


def topic_units(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return by topic the distinct sessions and users of its messages: `topic_id`, `n_sessions`, `n_users`.

    Two more rows count all that have a message that counts (`topic_id` null), and those with a topic or a move that
    counts (empty).
    """

    def compute() -> pl.DataFrame:
        steps = field_steps(snapshot, field, filters, level, users=True)
        counted = {"n_sessions": how_many("sessions"), "n_users": how_many("users")}
        by_topic = steps.group_by("topic_id").agg(**counted).cast({"topic_id": pl.String})
        named = steps.filter(pl.col("topic_id") != UNASSIGNED)
        rows = [
            frame.select(topic_id=pl.lit(name, dtype=pl.String), **counted)
            for frame, name in ((steps, None), (named, ""))
        ]
        return pl.concat([by_topic.sort("topic_id"), *rows])

    return snapshot.remember(("topic units", field, filters, level), SOURCES, compute)


def days_told(snapshot: Snapshot, field: str, filters: Filters, level: int) -> dict[dt.date, dt.date] | None:
    """Return by day with which day its messages are told, so that each is of enough users; None: any number is."""
    if not filters.few:
        return None
    days = _dated(snapshot, field, filters, level).select("date", user="person").unique()
    return told_on(days, filters.few)


def topic_days_told(
    snapshot: Snapshot, field: str, filters: Filters, level: int, topic_id: str
) -> dict[dt.date, dt.date] | None:
    """Return the same for the course of one topic: its messages, and all others, are of enough users each."""
    if not filters.few:
        return None
    is_it = (pl.col("topic_id").cast(pl.String) == topic_id).alias("is_it")
    days = _dated(snapshot, field, filters, level).select("date", is_it, user="person").unique()
    return told_on(days, filters.few, ("is_it",))


def told_date(told: dict[dt.date, dt.date]) -> pl.Expr:
    """Return the day (`date`) that a day is told with; null: none."""
    return pl.col("date").replace_strict(told, default=None, return_dtype=pl.Date)


def unit_days(
    snapshot: Snapshot,
    field: str,
    filters: Filters,
    level: int,
    unit: Unit,
    told: dict[dt.date, dt.date] | None = None,
) -> pl.DataFrame:
    """Return how many of the unit each topic has on each UTC day: `topic_id` (null: all that count), `date`, `n`.

    told: by day the day that it is told with; None: each is told by itself.
    """
    key = None if told is None else tuple(told.items())

    def compute() -> pl.DataFrame:
        steps = _dated(snapshot, field, filters, level)
        if told is not None:
            steps = steps.with_columns(told_date(told)).drop_nulls("date")
        by_topic = steps.group_by("topic_id", "date").agg(n=how_many(unit)).cast({"topic_id": pl.String})
        by_day = steps.group_by("date").agg(n=how_many(unit))
        of_all = by_day.select(pl.lit(None, dtype=pl.String).alias("topic_id"), "date", "n")
        return pl.concat([by_topic, of_all]).sort("topic_id", "date")

    return snapshot.remember(("unit days", field, filters, level, unit, key), SOURCES, compute)


def edge_users(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the distinct users of the sessions that make each move: `from_topic`, `to_topic`, `users`."""

    def compute() -> pl.DataFrame:
        made_by = {"users": how_many("users")}
        if filters.few:
            return moves_over_few(snapshot, field, filters, level).group_by(ENDS).agg(**made_by)
        return named_ends(all_moves(snapshot, field, filters, level).group_by(ENDS).agg(**made_by))

    return snapshot.remember(("edge users", field, filters, level), SOURCES, compute)


def node_units(snapshot: Snapshot, field: str, filters: Filters, level: int) -> dict[str, tuple[int, int]]:
    """Return by node of journeys the distinct sessions that visit it, and their distinct users; start and end: all."""

    def compute() -> pl.DataFrame:
        visits = _with_users(snapshot, field, filters, level)
        counted = {"sessions": how_many("sessions"), "users": how_many("users")}
        by_topic = visits.group_by("topic_id").agg(**counted).cast({"topic_id": pl.String})
        ends = [visits.select(topic_id=pl.lit(name), **counted) for name in (START, END)]
        if not filters.few:
            return pl.concat([by_topic, *ends])
        over = moves_over_few(snapshot, field, filters, level).filter(pl.col("to_topic") == FEW)
        few = over.select(topic_id=pl.lit(FEW), **counted).filter(pl.col("sessions") > 0)
        return pl.concat([by_topic.filter(pl.col("topic_id") != FEW), few, *ends])

    found = snapshot.remember(("node units", field, filters, level), SOURCES, compute)
    return {topic: (sessions, users) for topic, sessions, users in found.iter_rows()}


def _dated(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    steps = field_steps(snapshot, field, filters, level, users=True)
    return steps.drop("name", "timestamp").with_columns(steps["timestamp"].dt.date().alias("date"))


def _with_users(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    visits = field_visits(snapshot, field, filters, level)
    user = users_of_sessions(snapshot, field).gather(visits["session"])
    return visits.select("session", "topic_id").with_columns(user)
