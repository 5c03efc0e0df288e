"""Paths of visits through topics: the most common ones from or to a topic, and funnels over chosen topics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from turret_api.read.filters import Filters
from turret_api.read.journeys import labels_of
from turret_api.read.snapshot import Snapshot
from turret_api.read.steps import field_visits
from turret_pipeline.semantics.visits import END, START


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
    seen = field_visits(snapshot, field, filters, level)
    found = _counted(seen, topic_id, -1 if towards else 1, depth)
    n_paths = int(found["count"].sum())
    names = found.columns[:-2]
    # All of a count, so that those of equal count can be told apart by name; few need their names for that.
    least = found["count"].top_k(limit).min() if found.height else 0
    top = found.filter(pl.col("count") >= least).with_columns(pl.col(names).cast(pl.String))
    labels = labels_of(snapshot, field)
    data = []
    for row in top.sort(["count", *names], descending=[True] + [False] * len(names)).head(limit).iter_rows(named=True):
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


def _counted(seen: pl.DataFrame, topic_id: str, step: int, depth: int) -> pl.DataFrame:
    """Return every path: `step_0` to `step_<depth>` (categorical, null past the end), `count`, `sessions`."""
    topic, dtype = seen["topic_id"], seen.schema["topic_id"]
    first, behind = session_bounds(seen["session"])
    if topic_id in (START, END):
        of = np.arange(first.size)
        rows = first - 1 if topic_id == START else behind
    else:
        rows = _rows_of(seen, topic_id)
        of = np.searchsorted(first, rows, side="right") - 1
    columns = {"step_0": pl.Series([topic_id], dtype=pl.String).cast(dtype).new_from_index(0, rows.size)}
    start, end = (pl.Series([name], dtype=pl.String).cast(dtype) for name in (START, END))
    for i in range(1, depth + 1):
        at = rows + step * i
        inside = (at >= first[of]) & (at < behind[of])
        place = pl.DataFrame(
            {
                "there": topic.gather(np.where(inside, at, 0)) if topic.len() else topic,
                "inside": inside,
                "ends": at == (behind[of] if step > 0 else first[of] - 1),
            }
        )
        outside = pl.when("ends").then(pl.lit(end if step > 0 else start))
        columns[f"step_{i}"] = place.select(pl.when("inside").then("there").otherwise(outside)).to_series()
    return (
        pl.DataFrame({**columns, "session": of})
        .lazy()
        .group_by(*columns)
        .agg(pl.len().cast(pl.Int64).alias("count"), pl.col("session").n_unique().cast(pl.Int64).alias("sessions"))
        .collect()
    )


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
    seen = field_visits(snapshot, field, filters, level)
    labels = labels_of(snapshot, field)
    session, started = seen["session"].to_numpy(), seen["started_at"].to_physical().to_numpy()
    # One entry for each way that is open: the row of the visit where it began, and of the one that it has come to.
    began = _rows_of(seen, steps[0])
    if within_s is None:
        began = began[_first_of_each(session[began])]
    last = began
    data: list[dict[str, Any]] = []
    for i, topic in enumerate(steps):
        gap: float | None = None
        if i:
            here = _rows_of(seen, topic)
            place = np.searchsorted(here, last, side="right")
            open_ = place < here.size
            began, last, onward = began[open_], last[open_], here[place[open_]]
            reached = session[onward] == session[last]
            if within_s is not None:
                reached &= started[onward] - started[began] <= within_s * 1e6
            began, last, onward = began[reached], last[reached], onward[reached]
            earliest = _first_of_each(session[onward])
            if onward.size:
                gap = float(np.median(started[onward[earliest]] - started[last[earliest]])) / 1e6
            last = onward
        n = int(_first_of_each(session[last]).sum())
        of_first, before = (data[0]["sessions"], data[-1]["sessions"]) if data else (n, n)
        data.append(
            {
                "topic_id": topic,
                "label": labels.get(topic, topic),
                "sessions": n,
                "share_of_first": n / of_first if of_first else 0.0,
                "share_of_previous": n / before if before else 0.0,
                "median_gap_s": gap,
            }
        )
    return {"data": data, "n_sessions": session_bounds(seen["session"])[0].size}


def session_bounds(session: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return for each session the row of its first visit, and the row behind its last."""
    first = np.flatnonzero(_first_of_each(session.to_numpy()))
    return first, np.append(first[1:], session.len())[: first.size]


def _rows_of(seen: pl.DataFrame, topic: str) -> np.ndarray:
    return seen.select((pl.col("topic_id") == topic).arg_true()).to_series().to_numpy().astype(np.int64)


def _first_of_each(session: np.ndarray) -> np.ndarray:
    """Return whether a row is the first of its session, of rows session after session."""
    first = np.ones(session.size, dtype=bool)
    first[1:] = session[1:] != session[:-1]
    return first
