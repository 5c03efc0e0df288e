"""Retention: how many of the users who began in one week (or day) came back in each later one, by what they began with.

Weeks begin on Monday, days at midnight, UTC. A period counts once it is over: it ends on the day of the newest message
at the latest, for that day itself may not be over. Users are independent of each other, and each counts once in a
period, so the intervals of shares are Wilson's.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import FieldAnswer, Meaning, Next
from turret_api.read.questions.journeys.statistics import wilson_intervals
from turret_api.read.questions.of_field import OfJourneys
from turret_api.read.questions.topics.topic import find_topic
from turret_api.read.sql.retention import LEFT_OUT, retention_parts, retention_views
from turret_api.read.sql.views import field_views
from turret_api.read.views.filters import Filters
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import field_steps
from turret_api.read.views.topics import NODES, edits_of, labels_of

Period = Literal["day", "week"]
DAYS: dict[Period, int] = {"day": 1, "week": 7}
MONDAY = dt.date(1969, 12, 29)
"""The Monday before the first day of 1970: weeks are counted from it."""


class Back(TypedDict):
    """How many users came back in one period after that in which they began."""

    period: Annotated[int, Meaning("1: the one after that in which they began")]
    n_users: Annotated[int, Meaning("users who began so early that the period is over")]
    n_back: Annotated[int, Meaning("of them, those with a message in the period")]
    share: float
    low: Annotated[float, Meaning("lower end of its 95% confidence interval (Wilson)")]
    high: float
    n_same: Annotated[int | None, Meaning("of them, those with a message of the topic in the period")]
    share_same: float | None
    low_same: float | None
    high_same: float | None


class Began(TypedDict):
    """The users who began in one period, and how many of them came back in each later one."""

    start: Annotated[dt.date, Meaning("first day of the period")]
    n_users: int
    n_back: Annotated[list[int | None], Meaning("by period after it, from the next on; null: not over yet")]
    n_same: Annotated[list[int | None], Meaning("those with the topic again")]


class TopicRetention(TypedDict):
    """How the users come back who began with a topic."""

    topic_id: str
    label: str
    n_users: int
    periods: list[Back]


@dataclass(frozen=True)
class Retention(FieldAnswer):
    """How users come back, by topic, beside all users; a period that is not over for any of them is left out."""

    data: Annotated[
        list[TopicRetention],
        Meaning(
            "by the topic of users' first message, most users first; with `topic_id` that topic alone, by users' first "
            "message that has it"
        ),
    ] = dataclasses.field(default_factory=list)
    all: Annotated[list[Back], Meaning("all users, from their first message on")] = dataclasses.field(
        default_factory=list
    )
    starts: Annotated[
        list[Began], Meaning("by period of the beginning, of all users, or with `topic_id` of those of the topic")
    ] = dataclasses.field(default_factory=list)
    n_users: int = 0
    next: Next = None


@dataclass(frozen=True)
class RetentionOfTopics(OfJourneys):
    """How many of the users who began with a topic (None: with each) come back, `by` day or week?

    The messages that pass the filters are all that counts: to begin, and to come back.
    """

    topic_id: str | None = None
    by: Period = "week"
    n_periods: int = 12
    limit: int = 100

    tables = SOURCES
    answers = Retention

    def of_field(self, snapshot: Snapshot, field: str) -> Retention:
        """Return the retention; raise `NotFoundError` if there is no topic `topic_id`."""
        topic = self.topic_id
        if topic is not None:
            if topic not in NODES:
                find_topic(snapshot, topic, field)
            topic = edits_of(snapshot, field).merged.get(topic, topic)
        key = ("retention", field, self.filters, self.level, topic, self.by, self.n_periods)
        counts = snapshot.remember(key, SOURCES, lambda: self._counts(snapshot, field, topic))
        of_all = counts.filter(pl.col("topic").is_null())
        labels, hidden = labels_of(snapshot, field), edits_of(snapshot, field).hidden
        by_topic = counts.drop_nulls("topic").partition_by("topic", as_dict=True)
        rows: list[TopicRetention] = [
            {
                "topic_id": str(name),
                "label": labels.get(str(name), str(name)),
                "n_users": _n_users(found),
                "periods": _periods(found, has_topic=True),
            }
            for (name,), found in by_topic.items()
            if name == topic or name not in hidden
        ]
        rows.sort(key=lambda row: (-row["n_users"], row["topic_id"]))
        shown = of_all if topic is None else by_topic.get((topic,), counts.clear())
        return Retention(
            rows[: self.limit],
            _periods(of_all, has_topic=False),
            _starts(shown, DAYS[self.by], self.n_periods, has_topic=topic is not None),
            _n_users(of_all),
        )

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the users who began, and of those who came back."""
        topic = self.topic_id
        if topic is not None:
            if topic not in NODES:
                find_topic(snapshot, topic, field)
            topic = edits_of(snapshot, field).merged.get(topic, topic)
        newest = _newest(snapshot, field, self.filters) or 0
        views = field_views(field, self.filters, self.level)
        views |= retention_views(topic, DAYS[self.by], self.n_periods, newest)
        return Queries(retention_parts(field, topic, DAYS[self.by], self.limit), views, LEFT_OUT)

    def _counts(self, snapshot: Snapshot, field: str, topic: str | None) -> pl.DataFrame:
        steps = field_steps(snapshot, field, self.filters, self.level, users=True)
        days = (pl.col("timestamp").dt.date() - MONDAY).dt.total_days()
        dated = steps.select("user", "timestamp", pl.col("topic_id").cast(pl.String).alias("topic"), day=days)
        return retention_counts(dated, topic, DAYS[self.by], self.n_periods, _newest(snapshot, field, self.filters))


def retention_counts(
    steps: pl.DataFrame, topic: str | None, n_days: int, n_periods: int, newest: int | None
) -> pl.DataFrame:
    """Return `topic` (null: all users), `began`, `k`, `n_users`, `n_back`, `n_same` of each period that is over.

    steps: `user`, `timestamp`, `topic` and `day` (days since a Monday) of messages. topic: users begin with their first
    message that has it; None: with their first message, and under its topic. n_days: of a period. newest: the last day,
    which may not be over; None: there is none. `began` counts periods since that Monday, `k` from 0, where all are.
    """
    rows = steps.with_columns(period=pl.col("day") // n_days).sort("timestamp", maintain_order=True)
    firsts = rows.unique("user", keep="first", maintain_order=True).select("user", "topic", began="period")
    of_topic = firsts
    if topic is not None:
        with_it = rows.filter(pl.col("topic") == topic).unique("user", keep="first", maintain_order=True)
        of_topic = with_it.select("user", "topic", began="period")
    every = firsts.with_columns(topic=pl.lit(None, dtype=pl.String))
    users = pl.concat([every, of_topic])
    k = pl.col("period") - pl.col("began")
    is_later = (k >= 1) & (k <= n_periods)
    group = ["topic", "began", "k"]
    back = users.join(rows.select("user", "period").unique(), on="user").filter(is_later)
    back = back.with_columns(k=k).group_by(group).agg(n_back=pl.len().cast(pl.Int64))
    same = of_topic.join(rows.select("user", "topic", "period").unique(), on=["user", "topic"]).filter(is_later)
    same = same.with_columns(k=k).group_by(group).agg(n_same=pl.len().cast(pl.Int64))
    sizes = users.group_by("topic", "began").agg(n_users=pl.len().cast(pl.Int64))
    ks = pl.DataFrame({"k": range(n_periods + 1)}, schema={"k": pl.Int64})
    is_over = (pl.col("k") == 0) | ((pl.col("began") + pl.col("k") + 1) * n_days <= (newest or 0))
    whole = sizes.join(ks, how="cross").filter(is_over)
    met = whole.join(back, on=group, how="left", nulls_equal=True).join(same, on=group, how="left", nulls_equal=True)
    return met.select(*group, "n_users", pl.col("n_back", "n_same").fill_null(0)).sort(group)


def _newest(snapshot: Snapshot, field: str, filters: Filters) -> int | None:
    """Return the day of the field's newest message, or of `until` if that is earlier, as days since `MONDAY`."""
    newest = field_steps(snapshot, field, Filters(kinds="all"), 0)["timestamp"].max()
    if not isinstance(newest, dt.datetime):
        return None
    last = newest if filters.until is None else min(newest, filters.until)
    return (last.date() - MONDAY).days


def _n_users(counts: pl.DataFrame) -> int:
    return int(counts.filter(pl.col("k") == 0)["n_users"].sum())


def _periods(counts: pl.DataFrame, *, has_topic: bool) -> list[Back]:
    later = counts.filter(pl.col("k") > 0).group_by("k").agg(pl.col("n_users", "n_back", "n_same").sum()).sort("k")
    n = later["n_users"].to_numpy()
    back, same = (
        np.stack(wilson_intervals(later[name].to_numpy(), n), axis=1).tolist() for name in ("n_back", "n_same")
    )
    found: list[Back] = []
    for (k, n_users, n_back, n_same), mine, again in zip(later.iter_rows(), back, same, strict=True):
        found.append(
            {
                "period": k,
                "n_users": n_users,
                "n_back": n_back,
                "share": mine[0],
                "low": mine[1],
                "high": mine[2],
                "n_same": n_same if has_topic else None,
                "share_same": again[0] if has_topic else None,
                "low_same": again[1] if has_topic else None,
                "high_same": again[2] if has_topic else None,
            }
        )
    return found


def _starts(counts: pl.DataFrame, n_days: int, n_periods: int, *, has_topic: bool) -> list[Began]:
    found: list[Began] = []
    for (began,), rows in counts.partition_by("began", as_dict=True).items():
        by_k = {row["k"]: row for row in rows.iter_rows(named=True)}
        ks = range(1, n_periods + 1)
        found.append(
            {
                "start": MONDAY + dt.timedelta(days=int(str(began)) * n_days),
                "n_users": by_k[0]["n_users"],
                "n_back": [by_k[k]["n_back"] if k in by_k else None for k in ks],
                "n_same": [by_k[k]["n_same"] if k in by_k and has_topic else None for k in ks],
            }
        )
    return sorted(found, key=lambda each: each["start"])
