"""The sessions behind an edge: who made a move, when, and how often."""

from __future__ import annotations

from typing import Any

import polars as pl

from turret_api.read.edits import edits_of
from turret_api.read.filters import Filters
from turret_api.read.messages import SOURCES
from turret_api.read.snapshot import Snapshot
from turret_api.read.steps import field_visits, numbered, sessions_of
from turret_pipeline.semantics.visits import END, START


def sessions(
    snapshot: Snapshot,
    field: str,
    filters: Filters,
    level: int,
    *,
    from_topic: str | None,
    to_topic: str | None,
    offset: int,
    limit: int,
) -> tuple[dict[str, Any], bool]:
    """Return sessions that move from `from_topic` to `to_topic` (None: any), last movers first; and if there are more.

    `at` is when the session moved so first: at the start of the visit moved to, or the session's end. `count` of all
    sessions adds up to `n_moves`, which is the edge's count in the graph.
    """
    merged = edits_of(snapshot, field).merged
    ends = [None if topic is None else merged.get(topic, topic) for topic in (from_topic, to_topic)]

    def compute() -> pl.DataFrame:
        return _who_moved(field_visits(snapshot, field, filters, level), *ends)

    found = snapshot.remember(("moved", field, filters, level, *ends), SOURCES, compute)
    page = found.slice(offset, limit)
    who = sessions_of(snapshot, field)[page["session"]]
    data = [{**who_, **row} for who_, row in zip(who.to_dicts(), page.drop("session").to_dicts(), strict=True)]
    counts = {"n_sessions": found.height, "n_moves": int(found["count"].sum())}
    return {"data": data, **counts}, found.height > offset + limit


def _who_moved(visits: pl.DataFrame, from_topic: str | None, to_topic: str | None) -> pl.DataFrame:
    """Return `session`, `at`, `count`, `started_at`, `ended_at`, `n_visits` of the sessions that move so."""
    first = pl.col("visit") == 0
    last = first.shift(-1).fill_null(True)
    framed = numbered(visits).lazy().with_columns(before=pl.col("topic_id").shift())
    into = pl.lit(True) if to_topic is None else pl.col("topic_id") == to_topic
    out = pl.lit(True) if from_topic is None else pl.col("before") == from_topic
    out = first if from_topic == START else (~first & out) | (first & pl.lit(from_topic is None))
    frames = [framed.filter(into & out).select("session", at="started_at")]
    if to_topic in (None, END):
        leaves = pl.lit(True) if from_topic is None else pl.col("topic_id") == from_topic
        frames.append(framed.filter(last & leaves).select("session", at="ended_at"))
    moved = pl.concat(frames).group_by("session").agg(pl.col("at").min(), pl.len().cast(pl.Int64).alias("count"))
    whole = framed.group_by("session").agg(
        pl.col("started_at").min(), pl.col("ended_at").max(), pl.len().cast(pl.Int64).alias("n_visits")
    )
    return moved.join(whole, on="session").sort(["at", "session"], descending=[True, False]).collect()
