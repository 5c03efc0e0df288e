"""What is counted: messages, or the distinct sessions or users behind them.

A session or a user may have several topics, and come on several days. So distinct counts are taken from the steps each
time anew, and never added up; neither do shares of sessions or of users add up to 1.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.all_steps import users_of_sessions
from turret_api.read.views.filters import Filters
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import field_steps, field_visits
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


def unit_days(snapshot: Snapshot, field: str, filters: Filters, level: int, unit: Unit) -> pl.DataFrame:
    """Return how many of the unit each topic has on each UTC day: `topic_id` (null: all that count), `date`, `n`."""

    def compute() -> pl.DataFrame:
        steps = _dated(snapshot, field, filters, level)
        by_topic = steps.group_by("topic_id", "date").agg(n=how_many(unit)).cast({"topic_id": pl.String})
        by_day = steps.group_by("date").agg(n=how_many(unit))
        of_all = by_day.select(pl.lit(None, dtype=pl.String).alias("topic_id"), "date", "n")
        return pl.concat([by_topic, of_all]).sort("topic_id", "date")

    return snapshot.remember(("unit days", field, filters, level, unit), SOURCES, compute)


def edge_users(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the distinct users of the sessions that make each move: `from_topic`, `to_topic`, `users`."""

    def compute() -> pl.DataFrame:
        visits = _with_users(snapshot, field, filters, level)
        topic, session = pl.col("topic_id"), pl.col("session")
        first, last = session != session.shift(), session != session.shift(-1)
        into = visits.select(
            pl.when(~first.fill_null(True)).then(topic.shift()).alias("from_topic"), topic.alias("to_topic"), "user"
        )
        out = visits.filter(last.fill_null(True)).select(
            topic.alias("from_topic"), pl.when(False).then(topic).alias("to_topic"), "user"
        )
        found = pl.concat([into, out]).group_by("from_topic", "to_topic").agg(users=how_many("users"))
        named = found.cast({"from_topic": pl.String, "to_topic": pl.String})
        return named.with_columns(pl.col("from_topic").fill_null(START), pl.col("to_topic").fill_null(END))

    return snapshot.remember(("edge users", field, filters, level), SOURCES, compute)


def node_units(snapshot: Snapshot, field: str, filters: Filters, level: int) -> dict[str, tuple[int, int]]:
    """Return by node of journeys the distinct sessions that visit it, and their distinct users; start and end: all."""

    def compute() -> pl.DataFrame:
        visits = _with_users(snapshot, field, filters, level)
        counted = {"sessions": how_many("sessions"), "users": how_many("users")}
        by_topic = visits.group_by("topic_id").agg(**counted).cast({"topic_id": pl.String})
        ends = [visits.select(topic_id=pl.lit(name), **counted) for name in (START, END)]
        return pl.concat([by_topic, *ends])

    found = snapshot.remember(("node units", field, filters, level), SOURCES, compute)
    return {topic: (sessions, users) for topic, sessions, users in found.iter_rows()}


def _dated(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    steps = field_steps(snapshot, field, filters, level, users=True)
    return steps.select("topic_id", "session", "user", date=pl.col("timestamp").dt.date())


def _with_users(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    visits = field_visits(snapshot, field, filters, level)
    user = users_of_sessions(snapshot, field).gather(visits["session"])
    return visits.select("session", "topic_id").with_columns(user)
