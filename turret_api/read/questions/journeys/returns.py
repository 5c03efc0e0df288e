"""Users that come back: after how long, for what, and which topic of one session leads to which of the next.

A session's user is that of its first message, its topic the one with most of its messages (of equals the earlier).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, cast

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import FieldAnswer, Meaning, Next
from turret_api.read.questions.of_field import OfJourneys
from turret_api.read.sql.views import field_views
from turret_api.read.views.all_steps import sessions_of
from turret_api.read.views.filters import Filters
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import walked_steps
from turret_api.read.views.topics import labels_of
from turret_api.read.views.units import Unit

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
INTERVALS_S = (3_600, 86_400, 7 * 86_400, 30 * 86_400)
"""Bounds between which returns are counted: an hour, a day, a week, thirty days."""


_TopicsOfReturn = TypedDict(
    "_TopicsOfReturn",
    {
        "from": Annotated[str, Meaning("topic of a session: the one with most of its messages")],
        "to": Annotated[str, Meaning("topic of the same user's next session")],
    },
)


class ReturnPair(_TopicsOfReturn):
    """A pair of topics of one session and the same user's next."""

    count: int
    users: int
    probability: float
    lift: Annotated[float, Meaning("returns, over those expected if the next topic did not depend on the one before")]
    median_interval_s: float


class ReturnTopic(TypedDict):
    """A topic that users come back for."""

    topic_id: str
    label: str
    sessions: int
    returns: Annotated[int, Meaning("of them, sessions of users who had one before")]
    users: Annotated[int, Meaning("distinct users of these returns")]
    share: Annotated[float, Meaning("of all returns; with `unit=users`: of all users that came back")]
    lift: Annotated[
        float | None,
        Meaning("the topic's share of returns over its share of users' first sessions; null: it has none"),
    ]


class Interval(TypedDict):
    """Returns after `from_s` (included) to `below_s` (not included; null: no bound) seconds."""

    from_s: int
    below_s: int | None
    count: int
    users: Annotated[int, Meaning("distinct users of these returns")]


class RestPairs(TypedDict):
    """Pairs that are not listed, and the returns of them."""

    pairs: int
    count: int


@dataclass(frozen=True)
class Returns(FieldAnswer):
    """How users come back. A return is a session of a user who had one before."""

    data: list[ReturnPair] = dataclasses.field(default_factory=list)
    rest: RestPairs = dataclasses.field(default_factory=lambda: RestPairs(pairs=0, count=0))
    topics: Annotated[list[ReturnTopic], Meaning("what users come back for, most first")] = dataclasses.field(
        default_factory=list
    )
    n_users: int = 0
    n_returning_users: int = 0
    n_sessions: int = 0
    n_returns: int = 0
    interval_quantiles_s: Annotated[
        dict[str, float | None], Meaning("from the start of a session to that of the next")
    ] = dataclasses.field(default_factory=dict)
    intervals: list[Interval] = dataclasses.field(default_factory=list)
    next: Next = None


@dataclass(frozen=True)
class ReturnsOfUsers(OfJourneys):
    """How do users come back: after how long, for what, and from which topic to which?

    unit: users: the most users come first, not the most returns, and shares are of users.
    """

    limit: int = 100
    unit: Unit = "messages"

    answers = Returns

    def of_field(self, snapshot: Snapshot, field: str) -> Returns:
        """Return how users come back, with the `limit` most common pairs of topics."""
        key = ("user sessions", field, self.filters, self.level)
        sessions = snapshot.remember(key, SOURCES, lambda: _user_sessions(snapshot, field, self.filters, self.level))
        found = sessions.filter(pl.col("interval_s").is_not_null())
        pairs = _pairs(found, self.unit)
        rest = pairs.tail(max(pairs.height - self.limit, 0))
        return Returns(
            cast(list[ReturnPair], pairs.head(self.limit).to_dicts()),
            {"pairs": rest.height, "count": int(rest["count"].sum())},
            _topics(sessions, labels_of(snapshot, field), self.unit),
            n_users=sessions["user_id"].n_unique(),
            n_returning_users=found["user_id"].n_unique(),
            n_sessions=sessions.height,
            n_returns=found.height,
            interval_quantiles_s={str(share): found["interval_s"].quantile(share, "linear") for share in QUANTILES},
            intervals=_intervals(found),
        )

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of how users come back."""
        views = field_views(field, self.filters, self.level)
        views["user_sessions"] = (
            "sessions of users in order of time, each with its topic, that of the session before, and the time between",
            """
WITH counted AS (
    SELECT session_id, topic_id, count(*) AS n, min(place) AS first FROM walked_steps GROUP BY session_id, topic_id
), mostly AS (
    SELECT session_id, topic_id FROM counted
    QUALIFY row_number() OVER (PARTITION BY session_id ORDER BY n DESC, first) = 1
), begun AS (
    SELECT session_id, min(timestamp) AS started_at FROM walked_steps GROUP BY session_id
), of_user AS (
    SELECT session_id, user_id, topic_id, started_at FROM mostly JOIN begun USING (session_id)
    JOIN session_users USING (session_id)
)
SELECT session_id, user_id, topic_id, lag(topic_id) OVER of_time AS before,
    date_diff('microsecond', lag(started_at) OVER of_time, started_at) / 1e6 AS interval_s
FROM of_user WINDOW of_time AS (PARTITION BY user_id ORDER BY started_at, session_id)""",
        )
        views["return_pairs"] = (
            "pairs of topics of one session and the same user's next",
            """
SELECT before AS from_topic, topic_id AS to_topic, count(*) AS "count", count(DISTINCT user_id) AS users,
    median(interval_s) AS median_interval_s
FROM user_sessions WHERE interval_s IS NOT NULL GROUP BY before, topic_id""",
        )
        bounds = ", ".join(
            f"({least or 0}, {'NULL' if most is None else most})" for least, most in pairwise([0, *INTERVALS_S, None])
        )
        of_users = self.unit == "users"
        most = 'users DESC, "count" DESC' if of_users else '"count" DESC'
        data = f"""
SELECT from_topic AS "from", to_topic AS "to", "count", users,
    "count" / sum("count") OVER (PARTITION BY from_topic) AS probability,
    "count" * (SELECT sum("count") FROM return_pairs)
        / (sum("count") OVER (PARTITION BY from_topic) * sum("count") OVER (PARTITION BY to_topic)) AS lift,
    median_interval_s
FROM return_pairs ORDER BY {most}, from_topic, to_topic LIMIT {self.limit}"""
        share = "users / nullif(n_users, 0)" if of_users else "returns / nullif(n_returns, 0)"
        topics = f"""
WITH counted AS (
    SELECT topic_id, count(*) AS sessions, count(interval_s) AS returns,
        count(DISTINCT user_id) FILTER (interval_s IS NOT NULL) AS users
    FROM user_sessions GROUP BY topic_id
), came_back AS (
    SELECT count(DISTINCT user_id) AS n_users FROM user_sessions WHERE interval_s IS NOT NULL
), summed AS (SELECT sum(returns) AS n_returns, sum(sessions - returns) AS n_first FROM counted)
SELECT topic_id, coalesce(label, topic_id) AS label, sessions, returns, users, coalesce({share}, 0) AS share,
    coalesce(returns / nullif(n_returns, 0), 0) / nullif((sessions - returns) / nullif(n_first, 0), 0) AS lift
FROM counted CROSS JOIN summed CROSS JOIN came_back LEFT JOIN labels USING (topic_id)
ORDER BY {"users DESC, " if of_users else ""}returns DESC, sessions DESC, topic_id"""
        intervals = f"""
SELECT from_s, below_s, count(interval_s) AS "count", count(DISTINCT user_id) AS users
FROM (VALUES {bounds}) AS bounds (from_s, below_s)
LEFT JOIN user_sessions ON interval_s >= from_s AND interval_s < coalesce(below_s, 'inf'::DOUBLE)
GROUP BY from_s, below_s ORDER BY from_s"""
        quantiles = ", ".join(f'quantile_cont(interval_s, {share}) AS "{share}"' for share in QUANTILES)
        totals = f"""
SELECT count(DISTINCT user_id) AS n_users,
    count(DISTINCT user_id) FILTER (interval_s IS NOT NULL) AS n_returning_users,
    count(*) AS n_sessions, count(interval_s) AS n_returns,
    (SELECT greatest(count(*) - {self.limit}, 0) FROM return_pairs) AS "rest.pairs"
FROM user_sessions"""
        parts = {"data": data, "topics": topics, "intervals": intervals, "totals": totals}
        parts["interval_quantiles_s"] = f"SELECT {quantiles} FROM user_sessions"
        return Queries(parts, views)


def _intervals(found: pl.DataFrame) -> list[Interval]:
    """Return how many of the returns, and of how many users, come after how long."""
    interval = pl.col("interval_s")
    rows: list[Interval] = []
    for least, most in pairwise([0, *INTERVALS_S, None]):
        within = found.filter(interval >= least, interval < most if most else True)
        users = within["user_id"].n_unique()
        rows.append({"from_s": least or 0, "below_s": most, "count": within.height, "users": users})
    return rows


def _user_sessions(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return every session, user after user in order of time: `user_id`, `topic_id`, `before`, `interval_s`.

    The last two are the topic of the user's session before and the seconds since it began; null of a user's first.
    """
    topic = (
        walked_steps(snapshot, field, filters, level)
        .lazy()
        .with_row_index("row")
        .group_by("session", "topic_id")
        .agg(pl.len().alias("n"), pl.col("row").min(), pl.col("timestamp").min())
        .group_by("session")
        .agg(
            pl.col("topic_id").sort_by("n", "row", descending=[True, False]).first(),
            pl.col("timestamp").min().alias("started_at"),
        )
        .collect()
    )
    users = sessions_of(snapshot, field)["user_id"].gather(topic["session"])
    same = pl.col("user_id") == pl.col("user_id").shift()
    gap = (pl.col("started_at") - pl.col("started_at").shift()).dt.total_microseconds() / 1e6
    return (
        topic.with_columns(users.alias("user_id"), pl.col("topic_id").cast(pl.String))
        .sort("user_id", "started_at", "session")
        .select(
            "user_id",
            "topic_id",
            before=pl.when(same).then(pl.col("topic_id").shift()),
            interval_s=pl.when(same).then(gap),
        )
    )


def _pairs(found: pl.DataFrame, unit: Unit) -> pl.DataFrame:
    """Return the pairs of topics of returns, those with most returns, or users, first."""
    most = ["users", "count"] if unit == "users" else ["count"]
    count = pl.col("count")
    out, into = count.sum().over("from_topic"), count.sum().over("to_topic")
    return (
        found.group_by(from_topic="before", to_topic="topic_id")
        .agg(
            pl.len().cast(pl.Int64).alias("count"),
            pl.col("user_id").n_unique().cast(pl.Int64).alias("users"),
            pl.col("interval_s").median().alias("median_interval_s"),
        )
        .with_columns(probability=count / out, lift=count * count.sum() / (out * into))
        .sort([*most, "from_topic", "to_topic"], descending=[True] * len(most) + [False, False])
        .rename({"from_topic": "from", "to_topic": "to"})
    )


def _topics(sessions: pl.DataFrame, labels: dict[str, str], unit: Unit) -> list[ReturnTopic]:
    """Return what most returns are for, or what most users come back for, first."""
    returned = pl.col("interval_s").is_not_null()
    of_users = unit == "users"
    most = ["users", "returns", "sessions"] if of_users else ["returns", "sessions"]
    counted = (
        sessions.group_by("topic_id")
        .agg(
            pl.len().cast(pl.Int64).alias("sessions"),
            returned.sum().cast(pl.Int64).alias("returns"),
            pl.col("user_id").filter(returned).n_unique().cast(pl.Int64).alias("users"),
        )
        .sort([*most, "topic_id"], descending=[True] * len(most) + [False])
    )
    n_users = sessions.filter(returned)["user_id"].n_unique()
    n_returns = int(counted["returns"].sum())
    n_first = sessions.height - n_returns
    found: list[ReturnTopic] = []
    for topic_id, n, n_returned, users in counted.iter_rows():
        share = n_returned / n_returns if n_returns else 0.0
        share_of_first = (n - n_returned) / n_first if n_first else 0.0
        lift = share / share_of_first if share_of_first else None
        found.append(
            {
                "label": labels.get(topic_id, topic_id),
                "topic_id": topic_id,
                "sessions": n,
                "returns": n_returned,
                "users": users,
                "share": (users / n_users if n_users else 0.0) if of_users else share,
                "lift": lift,
            }
        )
    return found
