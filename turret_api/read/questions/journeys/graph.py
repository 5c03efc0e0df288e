"""The graph of journeys: how sessions move from topic to topic."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal, cast

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.literals import texts
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import OF_TEXTS, FieldAnswer, Meaning, typed_rows
from turret_api.read.questions.of_field import OfJourneys
from turret_api.read.questions.pages import no_number
from turret_api.read.sql.numbers import edge_numbers as edge_numbers_sql
from turret_api.read.sql.views import field_views, value_views
from turret_api.read.views.journeys import graph_edges
from turret_api.read.views.numbers import Numbers, edge_numbers
from turret_api.read.views.topics import MOVE_NODES, NODES, labels_of
from turret_api.read.views.units import Unit, edge_users, node_units
from turret_pipeline.semantics.visits import START

Ends = TypedDict("Ends", {"from": str, "to": str})
"""The two topics of an edge."""


class Node(TypedDict):
    """A topic that sessions visit, or `start`, `end`, `unassigned`, or moves of conversation."""

    topic_id: str
    label: str
    kind: Annotated[
        Literal["topic", "start", "end", "unassigned", "moves", "few"],
        Meaning(
            "moves: of conversation, of sessions that have nothing else; with `kinds=all`, of each kind of them; few: "
            "of a viewer, topics and moves of too few users"
        ),
    ]
    count: Annotated[int, Meaning("visits; of start and end: sessions")]
    sessions: Annotated[int | None, Meaning("with `unit`: distinct sessions that visit it")]
    users: Annotated[int | None, Meaning("with `unit`: distinct users of these sessions")]


class Edge(Ends):
    """The moves of sessions from one node to another."""

    count: int
    sessions: int
    users: Annotated[int | None, Meaning("with `unit`: distinct users of the sessions that made the move")]
    share: Annotated[
        float,
        Meaning("its probability; with `unit`: of the sessions, or users, that visit `from`, those that moved so"),
    ]
    probability: float
    median_gap_s: float | None
    p25_gap_s: float | None
    p75_gap_s: float | None
    p95_gap_s: float | None
    lift: Annotated[
        float, Meaning("moves, over those expected if where to did not depend on where from; 1: as expected")
    ]
    number: Annotated[
        Numbers | None,
        Meaning(
            "with `number=<field>`: that field over the messages that begin the visits moved to (to `end`: the last)"
        ),
        OF_TEXTS,
    ]


class Rest(TypedDict):
    """Edges that are not listed, and the moves on them."""

    edges: int
    count: int


@dataclass(frozen=True)
class Journeys(FieldAnswer):
    """The graph: all nodes, the largest edges, and in `rest` what the others add up to."""

    nodes: list[Node] = dataclasses.field(default_factory=list)
    edges: list[Edge] = dataclasses.field(default_factory=list)
    rest: Annotated[Rest, Meaning("edges that are not listed, and the moves on them")] = dataclasses.field(
        default_factory=lambda: Rest(edges=0, count=0)
    )
    n_sessions: int = 0
    n_visits: int = 0
    n_users: Annotated[int | None, Meaning("with `unit`: distinct users of the sessions")] = None


@dataclass(frozen=True)
class JourneyGraph(OfJourneys):
    """How do sessions move from topic to topic? `number`: a number field to add up over the moves of each edge.

    unit: what shares and the order of edges count: moves (`messages`), or the sessions or users that made them.
    """

    limit: int = 5000
    number: str | None = None
    unit: Unit = "messages"

    answers = Journeys
    is_open = True
    rows_in = "edges"

    def for_viewer(self, least: int) -> JourneyGraph:
        """Return the same question about counts of `least` users or more; raise an `ApiError` for sums of a number."""
        no_number(self.number)
        return dataclasses.replace(self, filters=self.filters.for_viewer(least))

    def of_field(self, snapshot: Snapshot, field: str) -> Journeys:
        """Return the graph, with the `limit` largest edges; raise an `ApiError` if `number` is no number field."""
        edges = graph_edges(snapshot, field, self.filters, self.level)
        into = dict(edges.group_by("to_topic").agg(pl.col("count").sum()).iter_rows())
        out = dict(edges.group_by("from_topic").agg(pl.col("count").sum()).iter_rows())
        units = {} if self.unit == "messages" else node_units(snapshot, field, self.filters, self.level)
        framed = _with_lift(self._in_unit(snapshot, field, edges, units))
        most = {"messages": "count", "sessions": "sessions", "users": "users"}[self.unit]
        ordered = framed.sort(most, "count", "from", "to", descending=[True, True, False, False], nulls_last=True)
        shown = typed_rows(ordered.head(self.limit), Edge)
        if self.number is not None:
            by_edge = edge_numbers(snapshot, field, self.number, self.filters, self.level)
            for edge in shown:
                edge["number"] = by_edge[edge["from"], edge["to"]]
        rest = ordered.tail(max(ordered.height - self.limit, 0))
        n_sessions, n_moves = out.get(START, 0), int(edges["count"].sum())
        return Journeys(
            _nodes(into, out, labels_of(snapshot, field), units),
            shown,
            {"edges": rest.height, "count": int(rest["count"].sum())},
            n_sessions=n_sessions,
            n_visits=n_moves - n_sessions,
            n_users=units[START][1] if units else None,
        )

    def _in_unit(
        self, snapshot: Snapshot, field: str, edges: pl.DataFrame, units: dict[str, tuple[int, int]]
    ) -> pl.DataFrame:
        """Return `edges` with `users` and `share`; units: by node, as `node_units` returns them."""
        if self.unit == "messages":
            return edges.with_columns(users=pl.lit(None, dtype=pl.Int64), share="probability")
        place = 0 if self.unit == "sessions" else 1
        known = {name: counted[place] for name, counted in units.items()}
        users = edge_users(snapshot, field, self.filters, self.level)
        found = edges.join(users, on=["from_topic", "to_topic"], how="left", maintain_order="left")
        visitors = pl.col("from_topic").replace_strict(known, return_dtype=pl.Int64)
        return found.with_columns(share=pl.col(self.unit) / visitors)

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the graph."""
        in_unit = self.unit != "messages"
        most, share = (self.unit, f"{self.unit} / n_here") if in_unit else ('"count"', "probability")
        order = f'{most} DESC, "count" DESC, from_topic, to_topic'
        edges = f"""
SELECT from_topic AS "from", to_topic AS "to", "count", sessions, {"users" if in_unit else "NULL"} AS users,
    {share} AS share, probability, median_gap_s, p25_gap_s, p75_gap_s, p95_gap_s,
    "count" * sum("count") OVER () / (sum("count") OVER (PARTITION BY from_topic)
        * sum("count") OVER (PARTITION BY to_topic)) AS lift
FROM edges
JOIN (SELECT topic_id AS from_topic, {self.unit if in_unit else "NULL"} AS n_here FROM node_units) USING (from_topic)
ORDER BY {order} LIMIT {self.limit}"""
        nodes = f"""
WITH entered AS (
    SELECT to_topic AS topic_id, sum("count") AS "count" FROM edges GROUP BY to_topic
    UNION ALL
    SELECT 'start', sum("count") FROM edges WHERE from_topic = 'start' HAVING count(*) > 0
)
SELECT entered.topic_id, label,
    CASE WHEN entered.topic_id IN {texts(MOVE_NODES)} THEN 'moves'
        WHEN entered.topic_id IN {texts(NODES)} THEN entered.topic_id ELSE 'topic' END AS kind,
    "count", {"sessions, users" if in_unit else "NULL AS sessions, NULL AS users"}
FROM entered LEFT JOIN labels USING (topic_id) LEFT JOIN node_units USING (topic_id)
ORDER BY "count" DESC, entered.topic_id"""
        n_users = f"(SELECT coalesce(any_value(users), 0) FROM node_units WHERE topic_id = {literal(START)})"
        n_users = n_users if in_unit else "NULL"
        totals = f"""
WITH ranked AS (SELECT *, row_number() OVER (ORDER BY {order}) AS rank FROM edges)
SELECT coalesce(sum("count") FILTER (from_topic = 'start'), 0) AS n_sessions,
    coalesce(sum("count") FILTER (from_topic <> 'start'), 0) AS n_visits,
    {n_users} AS n_users,
    count(*) FILTER (rank > {self.limit}) AS "rest.edges",
    coalesce(sum("count") FILTER (rank > {self.limit}), 0) AS "rest.count"
FROM ranked"""
        parts = {"edges": edges, "nodes": nodes, "totals": totals}
        views = field_views(field, self.filters, self.level)
        if self.number is not None:
            parts["numbers"] = edge_numbers_sql(self.number)
            views |= value_views(field, [self.number, *(name for name, _ in self.filters.segments)])
        return Queries(parts, views)


def _nodes(
    into: dict[str, int], out: dict[str, int], labels: dict[str, str], units: dict[str, tuple[int, int]]
) -> list[Node]:
    """Return the nodes, the most visited first.

    into, out: moves by the node that they lead to, and come from. units: by node, its sessions and users; or empty.
    """
    nodes = [
        {
            "topic_id": name,
            "label": labels.get(name, name),
            "kind": "moves" if name in MOVE_NODES else name if name in NODES else "topic",
            "count": into.get(name, out.get(name, 0)),
            "sessions": units[name][0] if name in units else None,
            "users": units[name][1] if name in units else None,
        }
        for name in {*into, *out}
    ]
    return sorted(cast(list[Node], nodes), key=lambda node: (-node["count"], node["topic_id"]))


def _with_lift(edges: pl.DataFrame) -> pl.DataFrame:
    """Return `edges` with the columns of `Edge`, `number` left open."""
    count = pl.col("count")
    out, into = (count.sum().over(end) for end in ("from_topic", "to_topic"))
    found = edges.with_columns(lift=count * count.sum() / (out * into), number=None)
    return found.rename({"from_topic": "from", "to_topic": "to"})
