"""Where sessions start and where they end, read off the edges of `start` and `end`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import FieldAnswer, Meaning, Next, typed_rows
from turret_api.read.questions.of_field import OfJourneys
from turret_api.read.sql.views import field_views
from turret_api.read.views.filters import Filters
from turret_api.read.views.journeys import graph_edges
from turret_api.read.views.topics import labels_of
from turret_api.read.views.units import Unit, edge_users, node_units
from turret_pipeline.semantics.visits import END, START


class Start(TypedDict):
    """A topic that sessions start with."""

    topic_id: str
    label: str
    sessions: int
    users: Annotated[int | None, Meaning("with `unit=users`: distinct users of these sessions")]
    share: Annotated[
        float, Meaning("of all sessions; with `unit=users`: of all users, and these shares do not add up to 1")
    ]


class DropOff(Start):
    """A topic that sessions end with."""

    rate: Annotated[float, Meaning("share of the topic's visits that are the last of their session")]


@dataclass(frozen=True)
class Starts(FieldAnswer):
    """Topics with how many sessions begin with them, most first."""

    data: list[Start] = dataclasses.field(default_factory=list)
    n_sessions: int = 0
    n_users: Annotated[int | None, Meaning("with `unit=users`: distinct users of all sessions")] = None
    next: Next = None


@dataclass(frozen=True)
class DropOffs(FieldAnswer):
    """Topics with how many sessions end with them, most first."""

    data: list[DropOff] = dataclasses.field(default_factory=list)
    n_sessions: int = 0
    n_users: Annotated[int | None, Meaning("with `unit=users`: distinct users of all sessions")] = None
    next: Next = None


@dataclass(frozen=True)
class SessionStarts(OfJourneys):
    """Where do sessions start, and (`unit` users) how many users have a session that starts there?"""

    unit: Unit = "messages"

    answers = Starts
    is_open = True

    def of_field(self, snapshot: Snapshot, field: str) -> Starts:
        """Return where sessions start."""
        edges, n_sessions, n_users = _at(START, snapshot, field, self.filters, self.level, self.unit)
        return Starts(typed_rows(edges, Start), n_sessions, n_users)

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of where sessions start."""
        return Queries(_at_sql(START, self.unit), field_views(field, self.filters, self.level))


@dataclass(frozen=True)
class SessionEnds(OfJourneys):
    """Where do sessions end, and (`unit` users) how many users have a session that ends there?"""

    unit: Unit = "messages"

    answers = DropOffs
    is_open = True

    def of_field(self, snapshot: Snapshot, field: str) -> DropOffs:
        """Return where sessions end."""
        edges, n_sessions, n_users = _at(END, snapshot, field, self.filters, self.level, self.unit)
        return DropOffs(typed_rows(edges, DropOff), n_sessions, n_users)

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of where sessions end."""
        return Queries(_at_sql(END, self.unit), field_views(field, self.filters, self.level))


def _at(
    end: str, snapshot: Snapshot, field: str, filters: Filters, level: int, unit: Unit
) -> tuple[pl.DataFrame, int, int | None]:
    """Return the topics next to `start` or `end`, most first, as rows of an answer; all sessions, and all users."""
    here, there = ("from_topic", "to_topic") if end == START else ("to_topic", "from_topic")
    edges = graph_edges(snapshot, field, filters, level).filter(pl.col(here) == end)
    n_sessions, n_users = int(edges["count"].sum()), None
    share, users = pl.col("count") / n_sessions, pl.lit(None, dtype=pl.Int64)
    if unit == "users":
        n_users = node_units(snapshot, field, filters, level).get(end, (0, 0))[1]
        counted = edge_users(snapshot, field, filters, level)
        edges = edges.join(counted, on=["from_topic", "to_topic"], how="left").with_columns(
            pl.col("users").fill_null(0)
        )
        share, users = pl.col("users") / n_users, pl.col("users")
    names = pl.col(there).replace(labels_of(snapshot, field))
    most = "users" if unit == "users" else "count"
    found = edges.sort([most, "count", there], descending=[True, True, False]).select(
        topic_id=there, label=names, sessions="count", users=users, share=share, rate="probability"
    )
    return found, n_sessions, n_users


def _at_sql(end: str, unit: Unit) -> dict[str, str]:
    """Return the statements of the topics next to `start` or `end`, and of all sessions and users."""
    here, there, rate = (
        ("from_topic", "to_topic", "") if end == START else ("to_topic", "from_topic", ", probability AS rate")
    )
    most, users = ("users", "users") if unit == "users" else ("sessions", "NULL")
    whole = f"(SELECT {most} FROM node_units WHERE topic_id = {literal(end)})"
    return {
        "data": f"""
SELECT {there} AS topic_id, label, sessions, {users} AS users, {most} / {whole} AS share{rate}
FROM edges LEFT JOIN labels ON labels.topic_id = {there}
WHERE {here} = {literal(end)} ORDER BY edges.{most} DESC, sessions DESC, {there}""",
        "totals": f"""
SELECT count(DISTINCT session_id) AS n_sessions,
    {"count(DISTINCT user_id)" if unit == "users" else "NULL"} AS n_users
FROM visits JOIN session_users USING (session_id)""",
    }
