"""How many messages each topic has on each day.

Without filters these are the pipeline's counts, where they are of the steps as they are; else they are counted from the
steps of the messages that pass.
Topics and the messages without one add up to all messages that count; so do, with them, moves of conversation.
"""

from __future__ import annotations

import datetime as dt

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.filters import Filters
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import field_steps
from turret_api.read.views.topics import edits_of, topics_of
from turret_pipeline.lake.tables import TEXT_SENTIMENT, TOPIC_DAYS, TOPIC_EDITS, TOPICS
from turret_pipeline.semantics.kinds import MOVES
from turret_pipeline.semantics.visits import UNASSIGNED


class DayCount(TypedDict):
    """How many there were on one UTC day."""

    date: dt.date
    count: int


def daily_counts(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return messages by topic and UTC day, those that sound negative and positive counted too.

    Columns: `topic_id` (`unassigned`: none), `date`, `n`, `n_negative`, `n_positive`, `n_sessions`, `first_at`.

    Moves of conversation, where these count, are under the name of their kind.
    """
    if not filters and snapshot.is_of_steps(TOPIC_DAYS):
        counted = _counted_by_day(snapshot, field, level)
        return counted if filters.has_moves else counted.filter(~pl.col("topic_id").is_in(MOVES))

    def compute() -> pl.DataFrame:
        return (
            field_steps(snapshot, field, filters, level, sounds=True)
            .group_by("topic_id", pl.col("timestamp").dt.date().alias("date"))
            .agg(
                pl.len().cast(pl.Int64).alias("n"),
                (pl.col("sounds") < 0).sum().cast(pl.Int64).alias("n_negative"),
                (pl.col("sounds") > 0).sum().cast(pl.Int64).alias("n_positive"),
                pl.col("session").n_unique().cast(pl.Int64).alias("n_sessions"),
                pl.col("timestamp").min().alias("first_at"),
            )
            .cast({"topic_id": pl.String})
            .sort("topic_id", "date")
        )

    return snapshot.remember(("daily_counts", field, filters, level), (*SOURCES, TEXT_SENTIMENT), compute)


def _counted_by_day(snapshot: Snapshot, field: str, level: int) -> pl.DataFrame:
    """Return what `daily_counts` does of all messages, moves too, from the pipeline's counts."""

    def compute() -> pl.DataFrame:
        topics = topics_of(snapshot, field).select("topic_id", "parent_id")
        found = (
            snapshot.scan(TOPIC_DAYS)
            .filter(pl.col("field") == field)
            .with_columns(pl.col("topic_id").replace(edits_of(snapshot, field).merged))
            .join(topics.lazy().with_columns(there=True), on="topic_id", how="left")
        )
        # Counts of a topic that the topics of this moment lack (a build is under way) are of none.
        shown = pl.coalesce("parent_id", "topic_id") if level else pl.col("topic_id")
        name = pl.when("there").then(shown).when(pl.col("topic_id").is_in(MOVES)).then("topic_id")
        return (
            found.group_by(name.fill_null(UNASSIGNED).alias("topic_id"), "date")
            .agg(
                pl.col("n_messages").sum().alias("n"),
                pl.col("n_negative", "n_positive", "n_sessions").sum(),
                pl.col("first_at").min(),
            )
            .sort("topic_id", "date")
            .collect()
        )

    return snapshot.remember(("counted_by_day", field, level), (TOPIC_DAYS, TOPICS, TOPIC_EDITS), compute)
