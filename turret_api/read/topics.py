"""Topics of a text field: how many messages each has, since when, and whether it grows.

Sizes are counted from the messages that pass the filters, or without any are those that the pipeline counted by day, so
topics and the messages without one add up to all.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl

from turret_api.errors import NotFoundError
from turret_api.read.edits import edits_of
from turret_api.read.filters import Filters
from turret_api.read.journeys import graph_edges, labels_of
from turret_api.read.lineage import became, ways
from turret_api.read.messages import SOURCES, topics_of
from turret_api.read.numbers import topic_numbers
from turret_api.read.snapshot import Snapshot
from turret_api.read.steps import field_steps
from turret_pipeline.lake.tables import FIELD_TYPES, TOPIC_DAYS, TOPIC_EDITS, TOPICS
from turret_pipeline.semantics.trends import topic_trends
from turret_pipeline.semantics.visits import UNASSIGNED

TREND_DAYS = 90
CHANGE_DAYS = 7
SEGMENT_VALUES = 50
SHOWN = ("topic_id", "level", "parent_id", "label", "keywords", "examples", "n_texts", "x", "y")


def daily_counts(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return messages by topic and UTC day: `topic_id` (`unassigned`: none), `date`, `n`, `n_sessions`, `first_at`."""
    if not filters:
        return _counted_by_day(snapshot, field, level)

    def compute() -> pl.DataFrame:
        return (
            field_steps(snapshot, field, filters, level)
            .group_by("topic_id", pl.col("timestamp").dt.date().alias("date"))
            .agg(
                pl.len().cast(pl.Int64).alias("n"),
                pl.col("session").n_unique().cast(pl.Int64).alias("n_sessions"),
                pl.col("timestamp").min().alias("first_at"),
            )
            .cast({"topic_id": pl.String})
            .sort("topic_id", "date")
        )

    return snapshot.remember(("daily_counts", field, filters, level), SOURCES, compute)


def _counted_by_day(snapshot: Snapshot, field: str, level: int) -> pl.DataFrame:
    """Return what `daily_counts` does of all messages, from the pipeline's counts."""

    def compute() -> pl.DataFrame:
        topics = topics_of(snapshot, field).select("topic_id", "parent_id")
        found = (
            snapshot.scan(TOPIC_DAYS)
            .filter(pl.col("field") == field)
            .with_columns(pl.col("topic_id").replace(edits_of(snapshot, field).merged))
            .join(topics.lazy().with_columns(there=True), on="topic_id", how="left")
        )
        # Counts of a topic that the topics of this moment lack (a build is under way) are of none.
        name = pl.when("there").then(pl.coalesce("parent_id", "topic_id") if level else "topic_id")
        return (
            found.group_by(name.fill_null(UNASSIGNED).alias("topic_id"), "date")
            .agg(pl.col("n_messages").sum().alias("n"), pl.col("n_sessions").sum(), pl.col("first_at").min())
            .sort("topic_id", "date")
            .collect()
        )

    return snapshot.remember(("counted_by_day", field, level), (TOPIC_DAYS, TOPICS, TOPIC_EDITS), compute)


def list_topics(snapshot: Snapshot, field: str, filters: Filters, level: int) -> dict[str, Any]:
    """Return the topics of the level, largest first, with what completes their sizes to `n_messages`.

    Left out are the topics that people have hidden and, with filters, those without a message that passes.
    """
    rows, daily = _counted(snapshot, field, filters, level)
    hidden = edits_of(snapshot, field).hidden
    data = [row for row in rows if row["topic_id"] not in hidden and (row["size"] or not filters)]
    data.sort(key=lambda row: (-row["size"], row["topic_id"]))
    return {
        "data": data,
        "n_messages": int(daily["n"].sum()),
        "n_unassigned": int(daily.filter(pl.col("topic_id") == UNASSIGNED)["n"].sum()),
        "n_hidden": sum(row["size"] for row in rows if row["topic_id"] in hidden),
        "messages_per_day": daily.group_by("date").agg(pl.col("n").sum().alias("count")).sort("date").to_dicts(),
    }


def _counted(snapshot: Snapshot, field: str, filters: Filters, level: int) -> tuple[list[dict[str, Any]], pl.DataFrame]:
    """Return a row for each topic of the level, and the daily counts behind them."""
    daily = daily_counts(snapshot, field, filters, level)
    n_messages, newest = int(daily["n"].sum()), daily["date"].max()
    counted = daily.group_by("topic_id").agg(
        pl.col("n").sum().alias("size"), pl.col("first_at").min().alias("first_seen"), "date", "n"
    )
    sizes = {row["topic_id"]: row for row in counted.iter_rows(named=True)}
    trends = {row["topic_id"]: row for row in topic_trends(daily).iter_rows(named=True)}
    pinned, lineage = edits_of(snapshot, field).pinned, ways(snapshot, field)
    rows = []
    for topic in _topics(snapshot, field, level).iter_rows(named=True):
        name = topic["topic_id"]
        row = _row(topic, sizes.get(name), n_messages, newest, trends.get(name))
        rows.append({**row, "pinned": name in pinned, "lineage": lineage.get(name, [])})
    return rows, daily


def one_topic(snapshot: Snapshot, field: str, topic_id: str, filters: Filters) -> dict[str, Any]:
    """Return one topic with its series, segments, neighbours, and the topics before and after it in sessions."""
    level = topic_level(snapshot, field, topic_id)
    rows, daily = _counted(snapshot, field, filters, level)
    row = next(row for row in rows if row["topic_id"] == topic_id)
    per_day = daily.group_by("date").agg(pl.col("n").sum().alias("total"))
    series = (
        per_day.join(daily.filter(pl.col("topic_id") == topic_id).select("date", "n"), on="date", how="left")
        .sort("date")
        .select("date", size=pl.col("n").fill_null(0), share=pl.col("n").fill_null(0) / pl.col("total"))
    )
    labels = labels_of(snapshot, field)
    edges = graph_edges(snapshot, field, filters, level)
    return {
        **row,
        "field": field,
        "series": series.to_dicts(),
        "segments": _segments(snapshot, field, topic_id, filters, level),
        "numbers": topic_numbers(snapshot, field, topic_id, filters, level),
        "neighbours": _neighbours(snapshot, field, topic_id, level, labels),
        "before": _moves(edges, "to_topic", "from_topic", topic_id, labels),
        "after": _moves(edges, "from_topic", "to_topic", topic_id, labels),
    }


def find_field(snapshot: Snapshot, topic_id: str, field: str | None) -> str:
    """Return the field that has the topic (`field` itself, if it has); raise `NotFoundError` if there is none."""
    found = snapshot.scan(TOPICS).filter(pl.col("topic_id") == topic_id).select("field").collect()["field"].sort()
    if field in found.to_list() or (field is None and found.len()):
        return field or str(found[0])
    raise NotFoundError(f"There is no topic {topic_id!r}; {became(snapshot, topic_id)}.", field="topic_id")


def topic_level(snapshot: Snapshot, field: str, topic_id: str) -> int:
    """Return 0 for a topic, 1 for a theme."""
    return 0 if topic_id in topics_of(snapshot, field)["topic_id"] else 1


def _topics(snapshot: Snapshot, field: str, level: int) -> pl.DataFrame:
    """Return the level's topics; at level 1 those topics too that belong to no theme."""
    topics = topics_of(snapshot, field, level)
    if level == 0:
        return topics
    alone = topics_of(snapshot, field).filter(pl.col("parent_id").is_null())
    return pl.concat([topics, alone]).sort("topic_id")


def _row(
    topic: dict[str, Any], counted: dict[str, Any] | None, n_messages: int, newest: object, trend: dict[str, Any] | None
) -> dict[str, Any]:
    size = counted["size"] if counted else 0
    days = dict(zip(counted["date"], counted["n"], strict=True)) if counted else {}
    return {
        **{name: topic[name] for name in SHOWN},
        "size": size,
        "share": size / n_messages if n_messages else 0.0,
        "first_seen": counted["first_seen"] if counted else None,
        **_course(days, newest, trend or {}),
    }


def _course(days: dict[dt.date, int], newest: object, trend: dict[str, Any]) -> dict[str, Any]:
    """Return `trend`, with the messages a day over the `TREND_DAYS` up to the newest message of any topic (from the
    topic's first day on), and `change`, the last `CHANGE_DAYS` against as many before them.
    """
    told = {"mark": trend.get("trend"), "change": trend.get("change"), "q_value": trend.get("q_value")}
    if not isinstance(newest, dt.date) or not days:
        return {"trend": {**told, "days": []}, "change": None}
    first = max(min(days), newest - dt.timedelta(TREND_DAYS - 1))
    dates = [first + dt.timedelta(i) for i in range((newest - first).days + 1)]
    back = [days.get(newest - dt.timedelta(i), 0) for i in range(2 * CHANGE_DAYS)]
    recent, before = sum(back[:CHANGE_DAYS]), sum(back[CHANGE_DAYS:])
    return {
        "trend": {**told, "days": [{"date": date, "count": days.get(date, 0)} for date in dates]},
        "change": (recent - before) / before if before else None,
    }


def _segments(snapshot: Snapshot, field: str, topic_id: str, filters: Filters, level: int) -> list[dict[str, Any]]:
    """Return for each enum field how the topic's messages spread over its values, beside all messages.

    The values that are listed, `n_rest` and `n_none` add up to the topic's messages.
    """
    enums = snapshot.scan(FIELD_TYPES).filter(pl.col("type") == "enum").sort("field").collect()["field"].to_list()
    is_this = pl.col("topic_id") == topic_id
    found = []
    for enum in enums:

        def compute(enum: str = enum) -> pl.DataFrame:
            steps = field_steps(snapshot, field, filters, level, value=enum)
            counted = steps.group_by("topic_id", "value").agg(pl.len().cast(pl.Int64).alias("n"))
            return counted.cast({"topic_id": pl.String, "value": pl.String})

        counts = snapshot.remember(("segment_counts", field, enum, filters, level), SOURCES, compute)
        n_none = counts.filter(is_this, pl.col("value").is_null())["n"].sum()
        counts = counts.drop_nulls("value")
        total, mine = counts["n"].sum(), counts.filter(is_this)["n"].sum()
        values = (
            counts.group_by("value")
            .agg(pl.col("n").filter(is_this).sum().alias("size"), pl.col("n").sum().alias("all"))
            .sort(["size", "all", "value"], descending=[True, True, False])
            .head(SEGMENT_VALUES)
            .select(
                "value",
                "size",
                share=pl.col("size") / max(mine, 1),
                share_of_all=pl.col("all") / max(total, 1),
            )
        )
        if values.height:
            n_rest = mine - int(values["size"].sum())
            found.append({"field": enum, "values": values.to_dicts(), "n_rest": n_rest, "n_none": n_none})
    return found


def _neighbours(
    snapshot: Snapshot, field: str, topic_id: str, level: int, labels: dict[str, str], n: int = 5
) -> list[dict[str, Any]]:
    """Return the `n` topics of the level whose centroids point most nearly the same way."""
    rows = (
        snapshot.scan(TOPICS)
        .filter(pl.col("field") == field, pl.col("level") == level, pl.col("topic_id").is_in(list(labels)))
        .select("topic_id", "centroid")
        .sort("topic_id")
        .collect()
    )
    ids = rows["topic_id"].to_list()
    if topic_id not in ids:
        return []
    vectors = np.array(rows["centroid"].to_list(), dtype=np.float32)
    similarity = vectors @ vectors[ids.index(topic_id)]
    order = [int(i) for i in np.argsort(-similarity, kind="stable") if ids[int(i)] != topic_id][:n]
    return [{"topic_id": ids[i], "label": labels[ids[i]], "similarity": round(float(similarity[i]), 6)} for i in order]


def _moves(
    edges: pl.DataFrame, here: str, there: str, topic_id: str, labels: dict[str, str], n: int = 10
) -> list[dict[str, Any]]:
    mine = edges.filter(pl.col(here) == topic_id)
    total = mine["count"].sum()
    top = mine.sort(["count", there], descending=[True, False]).head(n)
    return [
        {
            "topic_id": row[there],
            "label": labels.get(row[there], row[there]),
            "count": row["count"],
            "share": row["count"] / total,
        }
        for row in top.iter_rows(named=True)
    ]
