"""Pairs of topics that sessions go back and forth between."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import FieldAnswer, Meaning, Next
from turret_api.read.questions.of_field import OfJourneys
from turret_api.read.sql.views import field_views
from turret_api.read.views.all_steps import users_of_sessions
from turret_api.read.views.filters import Filters
from turret_api.read.views.steps import field_visits
from turret_api.read.views.topics import labels_of
from turret_api.read.views.units import Unit

MOST: dict[Unit, str] = {"messages": "count", "sessions": "sessions", "users": "users"}
"""By unit, the column of pairs that comes first in their order."""


class Loop(TypedDict):
    """A pair of topics: `count` returns to either from the other, and the distinct sessions with one."""

    topics: list[str]
    labels: list[str]
    count: int
    sessions: int
    users: Annotated[int, Meaning("distinct users of these sessions")]


class RestLoops(TypedDict):
    """Pairs that are not listed, and the returns between them."""

    loops: int
    count: int


@dataclass(frozen=True)
class Loops(FieldAnswer):
    """Pairs of topics that sessions go back and forth between, most first."""

    data: list[Loop] = dataclasses.field(default_factory=list)
    rest: Annotated[RestLoops, Meaning("pairs that are not listed, and the returns between them")] = dataclasses.field(
        default_factory=lambda: RestLoops(loops=0, count=0)
    )
    next: Next = None


@dataclass(frozen=True)
class LoopsOfTopics(OfJourneys):
    """Between which topics do most sessions, or users, go back and forth, or how often: runs A, B, A of visits?"""

    limit: int = 20
    unit: Unit = "messages"

    answers = Loops

    def of_field(self, snapshot: Snapshot, field: str) -> Loops:
        """Return the `limit` pairs with most returns, or most sessions or users that return so."""
        found = _counted(snapshot, field, self.filters, self.level)
        first = dict.fromkeys([MOST[self.unit], "count"])
        found = found.sort([*first, "first", "second"], descending=[True] * len(first) + [False, False])
        labels = labels_of(snapshot, field)
        data: list[Loop] = [
            {
                "topics": [first, second],
                "labels": [labels.get(first, first), labels.get(second, second)],
                "count": count,
                "sessions": sessions,
                "users": users,
            }
            for first, second, count, sessions, users in found.head(self.limit).iter_rows()
        ]
        rest = found.tail(max(found.height - self.limit, 0))
        return Loops(data, {"loops": rest.height, "count": int(rest["count"].sum())})

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the pairs."""
        views = field_views(field, self.filters, self.level)
        views["loops"] = (
            "pairs of topics that sessions go back and forth between: runs A, B, A of visits",
            """
WITH runs AS (
    SELECT session_id, topic_id AS a, lead(topic_id) OVER in_session AS b, lead(topic_id, 2) OVER in_session AS c
    FROM visits WINDOW in_session AS (PARTITION BY session_id ORDER BY visit)
)
SELECT least(a, b) AS first, greatest(a, b) AS second, count(*) AS "count", count(DISTINCT session_id) AS sessions,
    count(DISTINCT user_id) AS users
FROM runs JOIN session_users USING (session_id) WHERE a = c GROUP BY first, second""",
        )
        order = f'{MOST[self.unit]} DESC, "count" DESC, first, second'
        data = f"""
SELECT [first, second] AS topics, [coalesce(one.label, first), coalesce(other.label, second)] AS labels,
    "count", sessions, users
FROM loops LEFT JOIN labels AS one ON one.topic_id = first LEFT JOIN labels AS other ON other.topic_id = second
ORDER BY {order} LIMIT {self.limit}"""
        totals = f"""
WITH ranked AS (SELECT "count", row_number() OVER (ORDER BY {order}) AS rank FROM loops)
SELECT count(*) AS "rest.loops", coalesce(sum("count"), 0) AS "rest.count" FROM ranked WHERE rank > {self.limit}"""
        return Queries({"data": data, "totals": totals}, views)


def _counted(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return `first`, `second` (in order of the id), `count`, `sessions` and `users` of every pair."""
    back = pl.col("session") == pl.col("session").shift(-2)
    code = pl.col("topic_id").to_physical()
    users = users_of_sessions(snapshot, field)
    return (
        field_visits(snapshot, field, filters, level)
        .lazy()
        .select("session", a="topic_id", b=pl.col("topic_id").shift(-1), returns=back & (code == code.shift(-2)))
        .filter("returns")
        .group_by("a", "b", "session")
        .agg(pl.len().cast(pl.Int64).alias("count"))
        .cast({"a": pl.String, "b": pl.String})
        .with_columns(user=pl.lit(users).gather(pl.col("session")))
        .group_by(first=pl.min_horizontal("a", "b"), second=pl.max_horizontal("a", "b"))
        .agg(
            pl.col("count").sum(),
            pl.col("session").n_unique().cast(pl.Int64).alias("sessions"),
            pl.col("user").n_unique().cast(pl.Int64).alias("users"),
        )
        .collect()
    )
