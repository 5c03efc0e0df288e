"""The row that one topic, or one theme, has in each answer: what is counted of it, and how its share changes."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import OF_TEXTS, Meaning
from turret_api.read.questions.topics.fits import Way, ways
from turret_api.read.views.filters import Filters
from turret_api.read.views.moves import COLUMNS, few_topic, move_topics
from turret_api.read.views.topic_days import DayCount, daily_counts
from turret_api.read.views.topics import edits_of, topics_of
from turret_api.read.views.units import Unit, topic_units, unit_days
from turret_api.read.views.windows import topic_changes, whole_days_of
from turret_pipeline.semantics.definitions import is_defined
from turret_pipeline.semantics.trends import topic_trends

NO_MESSAGES: dict[str, Any] = {
    "size": 0,
    "n_negative": 0,
    "n_positive": 0,
    "first_seen": None,
    "date": [],
    "n": [],
}
"""What is counted of a topic that no message has."""

TREND_DAYS = 90


class Trend(TypedDict):
    """How a topic's share of the sessions changes."""

    mark: Annotated[
        Literal["new", "growing", "fading", "steady"] | None,
        Meaning("how its share of the sessions has changed; null: too few sessions or days to tell"),
    ]
    change: Annotated[
        float | None,
        Meaning(
            "of its share of the sessions that began in the last 7 whole days against the 7 before: 0.5 is half as "
            "much again; null: none before, or these days are not all whole"
        ),
        OF_TEXTS,
    ]
    q_value: Annotated[
        float | None, Meaning("share of false alarms among the marks that are as sure as this one"), OF_TEXTS
    ]
    days: Annotated[list[DayCount], Meaning("of the unit a day, over the 90 days up to the newest message"), OF_TEXTS]


class TopicRow(TypedDict):
    """One topic, or one theme, with its messages."""

    topic_id: str
    level: Annotated[int, Meaning("0: topic; 1: theme, a group of topics")]
    parent_id: Annotated[str | None, Meaning("the theme it belongs to")]
    label: str
    summary: Annotated[str | None, Meaning("a sentence on what its messages ask or say; null for a theme"), OF_TEXTS]
    keywords: Annotated[list[str], OF_TEXTS]
    examples: Annotated[list[str], OF_TEXTS]
    n_texts: int
    x: Annotated[float | None, Meaning("place on the map; null: a move of conversation, which has none")]
    y: float | None
    size: Annotated[int, Meaning("messages that have it and pass the filters")]
    n_sessions: Annotated[int, Meaning("distinct sessions of these messages")]
    n_users: Annotated[int, Meaning("distinct users of these messages")]
    share: Annotated[
        float,
        Meaning(
            "of all messages that pass, 0 to 1; with `unit`: of the sessions, or the users, that have one, and these "
            "shares do not add up to 1"
        ),
    ]
    n_negative: Annotated[int | None, Meaning("of `size`, those that sound negative"), OF_TEXTS]
    n_neutral: Annotated[int | None, Meaning("of `size`, those that sound neutral"), OF_TEXTS]
    n_positive: Annotated[int | None, Meaning("of `size`, those that sound positive"), OF_TEXTS]
    first_seen: Annotated[dt.datetime | None, Meaning("its earliest message that passes"), OF_TEXTS]
    trend: Trend
    change: Annotated[float | None, Meaning("`change` of `trend`"), OF_TEXTS]
    defined: Annotated[bool, Meaning("whether a person defined it by examples; else it was found")]
    pinned: Annotated[bool, Meaning("whether a person asked to keep it through every refit")]
    lineage: Annotated[list[Way], Meaning("what it came from and what came from it, newest fit first"), OF_TEXTS]


def topic_rows(
    snapshot: Snapshot, field: str, filters: Filters, level: int, unit: Unit = "messages"
) -> tuple[list[TopicRow], pl.DataFrame]:
    """Return a row for each topic of the level, by id, and the daily counts behind them (see `daily_counts`).

    Shares and days of the rows are of the unit, changes always of sessions; the daily counts are of messages.

    Moves of conversation, where these count, come last.
    """
    daily = daily_counts(snapshot, field, filters, level)
    n_messages, newest = int(daily["n"].sum()), daily["date"].max()
    counted = daily.group_by("topic_id").agg(
        pl.col("n").sum().alias("size"),
        pl.col("n_negative", "n_positive").sum(),
        pl.col("first_at").min().alias("first_seen"),
        "date",
        "n",
    )
    sizes = {each["topic_id"]: each for each in counted.iter_rows(named=True)}
    trends = trends_of(snapshot, field, filters, level)
    pinned, lineage = edits_of(snapshot, field).pinned, ways(snapshot, field)
    units = {topic: tuple(ns) for topic, *ns in topic_units(snapshot, field, filters, level).iter_rows()}
    n_all = {"messages": n_messages, "sessions": units[None][0], "users": units[None][1]}[unit]
    days = _days(snapshot, field, filters, level, unit)
    found: list[TopicRow] = []
    for topic in _topics(snapshot, field, filters, level).iter_rows(named=True):
        name = topic["topic_id"]
        mine = sizes.get(name, NO_MESSAGES)
        mine_by_day = dict(zip(mine["date"], mine["n"], strict=True)) if days is None else days.get(name, {})
        trend = _course(mine_by_day, newest, trends.get(name, {}))
        n_sessions, n_users = units.get(name, (0, 0))
        n_mine = {"messages": mine["size"], "sessions": n_sessions, "users": n_users}[unit]
        found.append(
            {
                "topic_id": name,
                "level": topic["level"],
                "parent_id": topic["parent_id"],
                "label": topic["label"],
                "summary": topic["summary"],
                "keywords": topic["keywords"],
                "examples": topic["examples"],
                "n_texts": topic["n_texts"],
                "x": topic["x"],
                "y": topic["y"],
                "size": mine["size"],
                "n_sessions": n_sessions,
                "n_users": n_users,
                "share": n_mine / n_all if n_all else 0.0,
                "n_negative": mine["n_negative"],
                "n_neutral": mine["size"] - mine["n_negative"] - mine["n_positive"],
                "n_positive": mine["n_positive"],
                "first_seen": mine["first_seen"],
                "trend": trend,
                "change": trend["change"],
                "defined": is_defined(name),
                "pinned": name in pinned,
                "lineage": lineage.get(name, []),
            }
        )
    return found, daily


def _days(
    snapshot: Snapshot, field: str, filters: Filters, level: int, unit: Unit
) -> dict[str, dict[dt.date, int]] | None:
    """Return by topic and day how many of the unit there are; None of messages, which `daily_counts` has."""
    if unit == "messages":
        return None
    found: dict[str, dict[dt.date, int]] = {}
    for topic, date, n in unit_days(snapshot, field, filters, level, unit).iter_rows():
        found.setdefault(topic, {})[date] = n
    return found


def _topics(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the level's topics; at level 1 those topics too that belong to no theme."""
    topics = topics_of(snapshot, field, level)
    if level:
        alone = topics_of(snapshot, field).filter(pl.col("parent_id").is_null())
        topics = pl.concat([topics, alone]).sort("topic_id")
    rows = [topics.select(COLUMNS)]
    rows += [move_topics(snapshot, field)] if filters.has_moves else []
    rows += [few_topic(level)] if filters.few else []
    return pl.concat(rows)


def trends_of(snapshot: Snapshot, field: str, filters: Filters, level: int) -> dict[str, dict[str, Any]]:
    """Return by topic its row of `semantics.trends`."""
    days = whole_days_of(snapshot, field, filters)
    changes = topic_changes(snapshot, field, filters, level)
    found = topic_trends(daily_counts(snapshot, field, filters, level), changes, days.last if days else None)
    return {each["topic_id"]: each for each in found.iter_rows(named=True)}


def _course(days: dict[dt.date, int], newest: object, trend: dict[str, Any]) -> Trend:
    """Return a topic's trend, with its messages of every day from its first on.

    These are the `TREND_DAYS` up to the newest message of any topic.
    """
    told: Trend = {
        "mark": trend.get("trend"),
        "change": trend.get("change"),
        "q_value": trend.get("q_value"),
        "days": [],
    }
    if isinstance(newest, dt.date) and days:
        first = max(min(days), newest - dt.timedelta(TREND_DAYS - 1))
        dates = [first + dt.timedelta(i) for i in range((newest - first).days + 1)]
        told["days"] = [{"date": date, "count": days.get(date, 0)} for date in dates]
    return told
