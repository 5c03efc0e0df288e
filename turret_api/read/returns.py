"""Users that come back: after how long, for what, and which topic of one session leads to which of the next.

A session's user is that of its first message, its topic the one with most of its messages (of equals the earlier).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from turret_api.read.filters import Filters
from turret_api.read.journeys import labels_of
from turret_api.read.messages import SOURCES
from turret_api.read.snapshot import Snapshot
from turret_api.read.steps import field_steps, sessions_of

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
INTERVALS_S = (3_600, 86_400, 7 * 86_400, 30 * 86_400)
"""Bounds between which returns are counted: an hour, a day, a week, thirty days."""


def returns(snapshot: Snapshot, field: str, filters: Filters, level: int, limit: int) -> dict[str, Any]:
    """Return how users come back. A return is a session of a user who had one before; `interval_s` runs from the start
    of the one to the start of the next.

    `data`: pairs of topics of one session and the next, most first; `lift` is returns over those that there would be if
    the next topic did not depend on the one before. `topics`: for each topic how many sessions it has, how many of them
    are returns, and `lift`, its share of returns over its share of first sessions.
    """
    sessions = snapshot.remember(
        ("user sessions", field, filters, level), SOURCES, lambda: _user_sessions(snapshot, field, filters, level)
    )
    found = sessions.filter(pl.col("interval_s").is_not_null())
    labels = labels_of(snapshot, field)
    pairs = _pairs(found)
    rest = pairs.tail(max(pairs.height - limit, 0))
    bounds = [0, *INTERVALS_S, None]
    interval = found["interval_s"]
    return {
        "data": [
            {"from": row.pop("from_topic"), "to": row.pop("to_topic"), **row}
            for row in pairs.head(limit).iter_rows(named=True)
        ],
        "rest": {"pairs": rest.height, "count": int(rest["count"].sum())},
        "topics": [{"label": labels.get(row["topic_id"], row["topic_id"]), **row} for row in _topics(sessions)],
        "n_users": sessions["user_id"].n_unique(),
        "n_returning_users": found["user_id"].n_unique(),
        "n_sessions": sessions.height,
        "n_returns": found.height,
        "interval_quantiles_s": {str(share): interval.quantile(share, "linear") for share in QUANTILES},
        "intervals": [
            {
                "from_s": least,
                "below_s": most,
                "count": int(((interval >= least) & ((interval < most) if most else True)).sum()),
            }
            for least, most in zip(bounds, bounds[1:], strict=False)  # noqa: RUF007
        ],
    }


def _user_sessions(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return every session, user after user in order of time: `user_id`, `topic_id`, `before`, `interval_s`.

    The last two are the topic of the user's session before and the seconds since it began; null of a user's first.
    """
    topic = (
        field_steps(snapshot, field, filters, level)
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


def _pairs(found: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of topics of returns, most first."""
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
        .sort(["count", "from_topic", "to_topic"], descending=[True, False, False])
    )


def _topics(sessions: pl.DataFrame) -> list[dict[str, Any]]:
    """Return what users come back for, most first."""
    returned = pl.col("interval_s").is_not_null()
    counted = (
        sessions.group_by("topic_id")
        .agg(pl.len().cast(pl.Int64).alias("sessions"), returned.sum().cast(pl.Int64).alias("returns"))
        .sort(["returns", "sessions", "topic_id"], descending=[True, True, False])
    )
    n_returns = int(counted["returns"].sum())
    n_first = sessions.height - n_returns
    rows = []
    for topic_id, n, n_returned in counted.iter_rows():
        share = n_returned / n_returns if n_returns else 0.0
        share_of_first = (n - n_returned) / n_first if n_first else 0.0
        lift = share / share_of_first if share_of_first else None
        rows.append({"topic_id": topic_id, "sessions": n, "returns": n_returned, "share": share, "lift": lift})
    return rows
