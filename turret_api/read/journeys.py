"""Journeys: the graph of moves between topics, and what can be read off the visits behind it.

The unfiltered graph of topics is a table that the pipeline keeps; every other is counted here from the steps of the
messages that pass, by the same functions (`semantics.visits`).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from turret_api.read.edits import edits_of
from turret_api.read.filters import Filters
from turret_api.read.messages import SOURCES, topics_of
from turret_api.read.snapshot import Snapshot
from turret_api.read.steps import field_visits, numbered
from turret_pipeline.lake.tables import JOURNEY_EDGES
from turret_pipeline.semantics.visits import END, GAPS, START, UNASSIGNED, journey_edges

LABELS = {START: "Start", END: "End", UNASSIGNED: "No topic"}
EDGE = ("from_topic", "to_topic", "count", "sessions", "probability", "median_gap_s")
"""Columns of `turret export journeys`."""


def graph_edges(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the edges (columns `EDGE` and the further ones of `GAPS`) of the journeys of the messages that pass."""
    if not filters and level == 0 and not edits_of(snapshot, field).merged:
        return snapshot.remember(
            ("edges", field),
            (JOURNEY_EDGES,),
            lambda: snapshot.scan(JOURNEY_EDGES).filter(pl.col("field") == field).drop("project_id", "field").collect(),
        )

    def compute() -> pl.DataFrame:
        return journey_edges(numbered(field_visits(snapshot, field, filters, level)))

    return snapshot.remember(("edges", field, filters, level), SOURCES, compute)


def labels_of(snapshot: Snapshot, field: str) -> dict[str, str]:
    """Return the label of every node that the field's journeys can have."""
    rows = (topics_of(snapshot, field, level).select("topic_id", "label").iter_rows() for level in (0, 1))
    return {**LABELS, **{topic_id: label for each in rows for topic_id, label in each}}


def graph(snapshot: Snapshot, field: str, filters: Filters, level: int, limit: int) -> dict[str, Any]:
    """Return the graph: all nodes, the `limit` largest edges, and in `rest` what the others add up to."""
    edges = graph_edges(snapshot, field, filters, level)
    labels = labels_of(snapshot, field)
    into = dict(edges.group_by("to_topic").agg(pl.col("count").sum()).iter_rows())
    out = dict(edges.group_by("from_topic").agg(pl.col("count").sum()).iter_rows())
    nodes = [
        {
            "topic_id": name,
            "label": labels.get(name, name),
            "kind": name if name in LABELS else "topic",
            "count": into.get(name, out.get(name, 0)),
        }
        for name in {*into, *out}
    ]
    nodes.sort(key=lambda node: (-node["count"], node["topic_id"]))
    ordered = edges.sort(["count", "from_topic", "to_topic"], descending=[True, False, False])
    shown, rest = ordered.head(limit), ordered.tail(max(ordered.height - limit, 0))
    n_sessions, n_moves = out.get(START, 0), int(edges["count"].sum())
    return {
        "nodes": nodes,
        "edges": [
            _edge(row, row["count"] * n_moves / (out[row["from_topic"]] * into[row["to_topic"]]))
            for row in shown.iter_rows(named=True)
        ],
        "rest": {"edges": rest.height, "count": int(rest["count"].sum())},
        "n_sessions": n_sessions,
        "n_visits": n_moves - n_sessions,
    }


def starts(snapshot: Snapshot, field: str, filters: Filters, level: int) -> dict[str, Any]:
    """Return where sessions start: topics with how many sessions begin with them, most first."""
    edges = graph_edges(snapshot, field, filters, level).filter(pl.col("from_topic") == START)
    labels = labels_of(snapshot, field)
    found = edges.sort(["count", "to_topic"], descending=[True, False])
    data = [
        {
            "topic_id": row["to_topic"],
            "label": _label(labels, row["to_topic"]),
            "sessions": row["count"],
            "share": row["probability"],
        }
        for row in found.iter_rows(named=True)
    ]
    return {"data": data, "n_sessions": int(edges["count"].sum())}


def drop_offs(snapshot: Snapshot, field: str, filters: Filters, level: int) -> dict[str, Any]:
    """Return where sessions end, most first: `share` of all ends, `rate` of the topic's visits that are the last."""
    edges = graph_edges(snapshot, field, filters, level)
    ends = edges.filter(pl.col("to_topic") == END).sort(["count", "from_topic"], descending=[True, False])
    n_sessions = int(ends["count"].sum())
    labels = labels_of(snapshot, field)
    data = [
        {
            "topic_id": row["from_topic"],
            "label": _label(labels, row["from_topic"]),
            "sessions": row["count"],
            "share": row["count"] / n_sessions,
            "rate": row["probability"],
        }
        for row in ends.iter_rows(named=True)
    ]
    return {"data": data, "n_sessions": n_sessions}


def loops(snapshot: Snapshot, field: str, filters: Filters, level: int, limit: int) -> dict[str, Any]:
    """Return pairs of topics that sessions go back and forth between: runs A, B, A of visits, most first.

    `count` counts the returns in either direction; `sessions` the distinct sessions with one.
    """
    back = pl.col("session") == pl.col("session").shift(-2)
    code = pl.col("topic_id").to_physical()
    found = (
        field_visits(snapshot, field, filters, level)
        .lazy()
        .select("session", a="topic_id", b=pl.col("topic_id").shift(-1), returns=back & (code == code.shift(-2)))
        .filter("returns")
        .group_by("a", "b", "session")
        .agg(pl.len().cast(pl.Int64).alias("count"))
        .cast({"a": pl.String, "b": pl.String})
        .group_by(first=pl.min_horizontal("a", "b"), second=pl.max_horizontal("a", "b"))
        .agg(pl.col("count").sum(), pl.col("session").n_unique().cast(pl.Int64).alias("sessions"))
        .sort(["count", "first", "second"], descending=[True, False, False])
        .collect()
    )
    labels = labels_of(snapshot, field)
    rest = found.tail(max(found.height - limit, 0))
    return {
        "data": [
            {
                "topics": [first, second],
                "labels": [_label(labels, first), _label(labels, second)],
                "count": count,
                "sessions": sessions,
            }
            for first, second, count, sessions in found.head(limit).iter_rows()
        ],
        "rest": {"loops": rest.height, "count": int(rest["count"].sum())},
    }


def _label(labels: dict[str, str], topic_id: str) -> str:
    return labels.get(topic_id, topic_id)


def _edge(row: dict[str, Any], lift: float) -> dict[str, Any]:
    """lift: moves on the edge, over those that there would be if where to did not depend on where from."""
    return {
        "from": row["from_topic"],
        "to": row["to_topic"],
        **{name: row[name] for name in ("count", "sessions", "probability", *GAPS)},
        "lift": lift,
        "number": None,
    }
