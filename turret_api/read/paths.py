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

    Each step is reached at the first visit to it after the one that reached the step before. With `within_s` a step
    counts only if it starts at most so many seconds after the first step's visit did, whichever visit to it that was;
    without, it never pays to begin later than at the first. `median_gap_s` runs from step to step, at each session's
    earliest way.
    """
    seen = field_visits(snapshot, field, filters, level).select("session_id", "visit", "topic_id", "started_at")
    labels = labels_of(snapshot, field)
    begun = seen.filter(pl.col("topic_id") == steps[0])
    if within_s is None:
        begun = begun.unique("session_id", keep="first", maintain_order=True)
    # One row for each way that is open: where it began, and the visit that it has come to.
    ways = begun.select("session_id", began="visit", began_at="started_at", last="visit", reached_at="started_at")
    data: list[dict[str, Any]] = []
    for i, topic in enumerate(steps):
        gap: float | None = None
        if i:
            here = seen.filter(pl.col("topic_id") == topic).drop("topic_id")
            onward = ways.join(here, on="session_id").filter(pl.col("visit") > pl.col("last"))
            if within_s is not None:
                onward = onward.filter(
                    (pl.col("started_at") - pl.col("began_at")).dt.total_microseconds() <= within_s * 1e6
                )
            onward = onward.sort("session_id", "began", "visit").unique(
                ["session_id", "began"], keep="first", maintain_order=True
            )
            earliest = onward.unique("session_id", keep="first", maintain_order=True)
            seconds = (earliest["started_at"] - earliest["reached_at"]).dt.total_microseconds() / 1e6
            found = seconds.median()
            gap = float(found) if isinstance(found, int | float) else None
            ways = onward.select("session_id", "began", "began_at", last="visit", reached_at="started_at")
        n = ways["session_id"].n_unique()
        first, before = (data[0]["sessions"], data[-1]["sessions"]) if data else (n, n)
        data.append(
            {
                "topic_id": topic,
                "label": labels.get(topic, topic),
                "sessions": n,
                "share_of_first": n / first if first else 0.0,
                "share_of_previous": n / before if before else 0.0,
                "median_gap_s": gap,
            }
        )
    return {"data": data, "n_sessions": seen["session_id"].n_unique()}


def _with_ends(visits: pl.DataFrame) -> pl.DataFrame:
    """Return `session` (a number) and `topic_id` of every visit, with `start` before and `end` behind each session."""
    numbered = visits.select(pl.col("visit").cast(pl.Int64), "topic_id", session="session_id")
    sessions = numbered.select(pl.col("session").unique(maintain_order=True))
    last = numbered["visit"].max()
    behind = int(last) + 1 if isinstance(last, int) else 0
    ends = [
        sessions.select(
            visit=pl.lit(place, dtype=pl.Int64),
            topic_id=pl.lit(name).cast(visits.schema["topic_id"]),
            session="session",
        )
        for place, name in ((-1, START), (behind, END))
    ]
    return pl.concat([numbered, *ends]).sort("session", "visit")
