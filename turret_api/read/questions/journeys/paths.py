"""Paths: the most common runs of visits from a topic, or to it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import AboutField, Answer, BuiltAt, ModelVersion, Next, documented
from turret_api.read.questions.journeys.bounds import rows_of, session_bounds
from turret_api.read.questions.of_field import JOURNEYS_BUILT, OfField
from turret_api.read.views.journeys import JOURNEY_SOURCES
from turret_api.read.views.steps import field_visits
from turret_api.read.views.topics import labels_of
from turret_pipeline.semantics.visits import END, START


@documented
class Path(TypedDict):
    """A run of visits, and how often it is taken; `share` is of all paths."""

    topics: list[str]
    labels: list[str]
    count: int
    sessions: int
    share: float


@documented
class RestPaths(TypedDict):
    """Paths that are not listed, and how often they are taken."""

    paths: int
    count: int


@dataclass(frozen=True)
class Paths(Answer):
    """The most common paths; `n_paths` counts all, so the shares of all paths add up to 1."""

    data: list[Path] = dataclasses.field(default_factory=list)
    n_paths: int = 0
    rest: RestPaths = dataclasses.field(default_factory=lambda: RestPaths(paths=0, count=0))
    next: Next = None
    built_at: BuiltAt = None
    model_version: ModelVersion = None
    field: AboutField = None


@dataclass(frozen=True)
class PathsOfTopic(OfField):
    """Which runs of up to `depth` moves most often leave the topic, or (`towards`) arrive at it?

    Every visit to the topic has one path, which stops early at the session's start or end; `start` and `end` can be
    asked for too.
    """

    level: int = 0
    topic_id: str = START
    towards: bool = False
    depth: int = 3
    limit: int = 20

    tables = JOURNEY_SOURCES
    built = JOURNEYS_BUILT
    answers = Paths
    row = Path

    def of_field(self, snapshot: Snapshot, field: str) -> Paths:
        """Return the `limit` most common paths."""
        seen = field_visits(snapshot, field, self.filters, self.level)
        found = _counted(seen, self.topic_id, -1 if self.towards else 1, self.depth)
        n_paths = int(found["count"].sum())
        names = found.columns[:-2]
        # All of a count, so that those of equal count can be told apart by name; few need their names for that.
        least = found["count"].top_k(self.limit).min() if found.height else 0
        top = found.filter(pl.col("count") >= least).with_columns(pl.col(names).cast(pl.String))
        top = top.sort(["count", *names], descending=[True] + [False] * len(names)).head(self.limit)
        labels = labels_of(snapshot, field)
        data: list[Path] = []
        for path in top.iter_rows(named=True):
            topics = [path[name] for name in names if path[name] is not None]
            topics = topics[::-1] if self.towards else topics
            data.append(
                {
                    "topics": topics,
                    "labels": [labels.get(topic, topic) for topic in topics],
                    "count": path["count"],
                    "sessions": path["sessions"],
                    "share": path["count"] / n_paths,
                }
            )
        n_listed = sum(path["count"] for path in data)
        return Paths(data, n_paths, {"paths": max(found.height - self.limit, 0), "count": n_paths - n_listed})


def _counted(seen: pl.DataFrame, topic_id: str, step: int, depth: int) -> pl.DataFrame:
    """Return every path: `step_0` to `step_<depth>` (categorical, null past the end), `count`, `sessions`."""
    topic, dtype = seen["topic_id"], seen.schema["topic_id"]
    first, behind = session_bounds(seen["session"])
    if topic_id in (START, END):
        of = np.arange(first.size)
        rows = first - 1 if topic_id == START else behind
    else:
        rows = rows_of(seen, topic_id)
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
