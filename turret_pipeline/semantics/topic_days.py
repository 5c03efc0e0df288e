"""How often each topic comes up by day, as a pure function over frames, for the pipeline and what stands in for it."""

from __future__ import annotations

import polars as pl

from turret_pipeline.semantics.sentiment import NEGATIVE, POSITIVE
from turret_pipeline.semantics.visits import node


def topic_days(steps: pl.LazyFrame) -> pl.LazyFrame:
    """Return received_date, field, date, topic_id, n_messages, n_negative, n_positive, n_sessions, first_at, in order.

    steps: received_date, field, session_id, timestamp, topic_id (null: none), kind, sentiment (null: neutral). Moves of
    conversation are counted under the name of their kind.
    """
    return (
        steps.group_by("received_date", "field", pl.col("timestamp").dt.date().alias("date"), node())
        .agg(
            n_messages=pl.len().cast(pl.Int64),
            n_negative=(pl.col("sentiment") == NEGATIVE).sum().cast(pl.Int64),
            n_positive=(pl.col("sentiment") == POSITIVE).sum().cast(pl.Int64),
            n_sessions=pl.col("session_id").n_unique().cast(pl.Int64),
            first_at=pl.col("timestamp").min(),
        )
        .sort("received_date", "field", "date", "topic_id")
    )
