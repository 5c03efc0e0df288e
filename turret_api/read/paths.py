"""Paths of visits through topics: the most common ones from or to a topic, and funnels over chosen topics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from turret_api.read.filters import Filters
from turret_api.read.journeys import field_visits, labels_of
from turret_api.read.snapshot import Snapshot
from turret_pipeline.lake.visits import END, START


def paths(
    snapshot: Snapshot,
    field: str,
    filters: Filters,
    level: int,
    *,
    topic_id: str,
    towards: bool,
    depth: int,
    limit: int,
) -> dict[str, Any]:
    """Return the most common runs of up to `depth` moves that leave `topic_id` (or, `towards`, that arrive at it).

    Every visit to the topic has one path, which stops early at the session's start or end; `start` and `end` can be
    asked for too. `n_paths` counts all, so the shares of all paths add up to 1.
    """
    seen = _with_ends(field_visits(snapshot, field, filters, level))
    step = -1 if towards else 1
    columns = [pl.col("topic_id").alias("step_0")]
    for i in range(1, depth + 1):
        inside = pl.col("session") == pl.col("session").shift(-step * i)
        columns.append(pl.when(inside).then(pl.col("topic_id").shift(-step * i)).alias(f"step_{i}"))
    names = [f"step_{i}" for i in range(depth + 1)]
    found = (
        seen.lazy()
        .select("session", *columns)
        .filter(pl.col("step_0") == topic_id)
        .group_by(names)
        .agg(pl.len().alias("count"), pl.col("session").n_unique().alias("sessions"))
        .sort(["count", *names], descending=[True] + [False] * len(names))
        .collect()
    )
    n_paths = int(found["count"].sum())
    labels = labels_of(snapshot, field)
    data = []
    for row in found.head(limit).iter_rows(named=True):
        topics = [row[name] for name in names if row[name] is not None]
        topics = topics[::-1] if towards else topics
        data.append(
            {
                "topics": topics,
                "labels": [labels.get(topic, topic) for topic in topics],
                "count": row["count"],
                "sessions": row["sessions"],
                "share": row["count"] / n_paths,
            }
        )
    return {
        "data": data,
        "n_paths": n_paths,
        "rest": {"paths": max(found.height - limit, 0), "count": n_paths - sum(r["count"] for r in data)},
    }


def funnel(
    snapshot: Snapshot,
    field: str,
    filters: Filters,
    level: int,
    *,
    steps: Sequence[str],
    within_s: float | None,
) -> dict[str, Any]:
    """Return how many sessions visit `steps` in this order, other visits between them or not.

    Each step is reached at the first visit to it that starts after the step before was reached; with `within_s`, the
    last step counts only if it starts at most so many seconds after the first began.
    """
    seen = field_visits(snapshot, field, filters, level).select("session_id", "visit", "topic_id", "started_at")
    labels = labels_of(snapshot, field)
    n_sessions = seen["session_id"].n_unique()
    reached: pl.DataFrame | None = None
    data: list[dict[str, Any]] = []
    for topic in steps:
        here = seen.filter(pl.col("topic_id") == topic)
        if reached is not None:
            here = here.join(reached, on="session_id").filter(pl.col("visit") > pl.col("last"))
            if within_s is not None:
                seconds = (pl.col("started_at") - pl.col("began_at")).dt.total_microseconds() / 1e6
                here = here.filter(seconds <= within_s)
        else:
            here = here.with_columns(began_at="started_at", reached_at="started_at")
        found = here.sort("session_id", "visit").group_by("session_id", maintain_order=True).first()
        gaps = (found["started_at"] - found["reached_at"]).dt.total_microseconds() / 1e6
        first = data[0]["sessions"] if data else found.height
        before = data[-1]["sessions"] if data else found.height
        data.append(
            {
                "topic_id": topic,
                "label": labels.get(topic, topic),
                "sessions": found.height,
                "share_of_first": found.height / first if first else 0.0,
                "share_of_previous": found.height / before if before else 0.0,
                "median_gap_s": gaps.median() if reached is not None else None,
            }
        )
        reached = found.select("session_id", "began_at", last="visit", reached_at="started_at")
    return {"data": data, "n_sessions": n_sessions}


def _with_ends(visits: pl.DataFrame) -> pl.DataFrame:
    """Return `session` (a number) and `topic_id` of every visit, with `start` before and `end` behind each session."""
    numbered = visits.select("visit", "topic_id", session=pl.col("session_id").rle_id())
    sessions = numbered.select(pl.col("session").unique(maintain_order=True))
    last = numbered["visit"].max()
    behind = int(last) + 1 if isinstance(last, int) else 0
    ends = [
        sessions.select(visit=pl.lit(place, dtype=pl.Int64), topic_id=pl.lit(name), session="session")
        for place, name in ((-1, START), (behind, END))
    ]
    return pl.concat([numbered, *ends]).sort("session", "visit")
