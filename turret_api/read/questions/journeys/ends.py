"""Where sessions start and where they end, read off the edges of `start` and `end`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import FieldAnswer, Meaning, Next
from turret_api.read.questions.of_field import OfJourneys
from turret_api.read.sql.queries import Queries
from turret_api.read.sql.views import field_views
from turret_api.read.views.journeys import graph_edges
from turret_api.read.views.topics import labels_of
from turret_pipeline.semantics.visits import END, START


class Start(TypedDict):
    """A topic that sessions start with."""

    topic_id: str
    label: str
    sessions: int
    share: float


class DropOff(Start):
    """A topic that sessions end with; `share` is of all ends."""

    rate: Annotated[float, Meaning("share of the topic's visits that are the last of their session")]


@dataclass(frozen=True)
class Starts(FieldAnswer):
    """Topics with how many sessions begin with them, most first."""

    data: list[Start] = dataclasses.field(default_factory=list)
    n_sessions: int = 0
    next: Next = None


@dataclass(frozen=True)
class DropOffs(FieldAnswer):
    """Topics with how many sessions end with them, most first."""

    data: list[DropOff] = dataclasses.field(default_factory=list)
    n_sessions: int = 0
    next: Next = None


@dataclass(frozen=True)
class SessionStarts(OfJourneys):
    """Where do sessions start?"""

    answers = Starts

    def of_field(self, snapshot: Snapshot, field: str) -> Starts:
        """Return where sessions start."""
        edges = graph_edges(snapshot, field, self.filters, self.level).filter(pl.col("from_topic") == START)
        labels = labels_of(snapshot, field)
        data: list[Start] = [
            {
                "topic_id": edge["to_topic"],
                "label": labels.get(edge["to_topic"], edge["to_topic"]),
                "sessions": edge["count"],
                "share": edge["probability"],
            }
            for edge in edges.sort(["count", "to_topic"], descending=[True, False]).iter_rows(named=True)
        ]
        return Starts(data, int(edges["count"].sum()))

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of where sessions start."""
        data = """
SELECT to_topic AS topic_id, label, "count" AS sessions, probability AS share
FROM edges LEFT JOIN labels ON labels.topic_id = to_topic
WHERE from_topic = 'start' ORDER BY sessions DESC, to_topic"""
        totals = """SELECT count(DISTINCT session_id) AS n_sessions FROM visits"""
        return Queries({"data": data, "totals": totals}, field_views(field, self.filters, self.level))


@dataclass(frozen=True)
class SessionEnds(OfJourneys):
    """Where do sessions end?"""

    answers = DropOffs

    def of_field(self, snapshot: Snapshot, field: str) -> DropOffs:
        """Return where sessions end."""
        edges = graph_edges(snapshot, field, self.filters, self.level).filter(pl.col("to_topic") == END)
        labels, n_sessions = labels_of(snapshot, field), int(edges["count"].sum())
        data: list[DropOff] = [
            {
                "topic_id": edge["from_topic"],
                "label": labels.get(edge["from_topic"], edge["from_topic"]),
                "sessions": edge["count"],
                "share": edge["count"] / n_sessions,
                "rate": edge["probability"],
            }
            for edge in edges.sort(["count", "from_topic"], descending=[True, False]).iter_rows(named=True)
        ]
        return DropOffs(data, n_sessions)

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of where sessions end."""
        data = """
SELECT from_topic AS topic_id, label, "count" AS sessions, "count" / sum("count") OVER () AS share, probability AS rate
FROM edges LEFT JOIN labels ON labels.topic_id = from_topic
WHERE to_topic = 'end' ORDER BY sessions DESC, from_topic"""
        totals = """SELECT count(DISTINCT session_id) AS n_sessions FROM visits"""
        return Queries({"data": data, "totals": totals}, field_views(field, self.filters, self.level))
