"""The topics of a text field: how many messages each has, since when, and whether it grows."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import FieldAnswer, Meaning, Next, typed_rows
from turret_api.read.questions.of_field import TOPICS_BUILT, OfField
from turret_api.read.questions.pages import cut
from turret_api.read.questions.topics.fits import Way, ways
from turret_api.read.views.filters import Filters
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.moves import COLUMNS, move_topics
from turret_api.read.views.numbers import NumberSum, number_sums
from turret_api.read.views.topic_days import DayCount, daily_counts
from turret_api.read.views.topics import edits_of, topics_of
from turret_api.read.views.windows import topic_changes, whole_days_of
from turret_pipeline.lake.tables import TOPIC_DAYS, TOPIC_LINEAGE
from turret_pipeline.semantics.changes import Days
from turret_pipeline.semantics.definitions import is_defined
from turret_pipeline.semantics.trends import topic_trends
from turret_pipeline.semantics.visits import UNASSIGNED

TOPIC_SOURCES = (*SOURCES, TOPIC_DAYS, TOPIC_LINEAGE)
"""Tables that answers about topics follow from."""

NOTHING: NumberSum = {"sum": 0.0, "mean": None, "median": None, "n": 0}
"""What a number field comes to over no messages."""

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
    ]
    q_value: Annotated[float | None, Meaning("share of false alarms among the marks that are as sure as this one")]
    days: Annotated[list[DayCount], Meaning("messages a day, over the 90 days up to the newest message")]


class TopicRow(TypedDict):
    """One topic, or one theme, with its messages."""

    topic_id: str
    level: Annotated[int, Meaning("0: topic; 1: theme, a group of topics")]
    parent_id: Annotated[str | None, Meaning("the theme it belongs to")]
    label: str
    summary: Annotated[str | None, Meaning("a sentence on what its messages ask or say; null for a theme")]
    keywords: list[str]
    examples: list[str]
    n_texts: int
    x: Annotated[float | None, Meaning("place on the map; null: a move of conversation, which has none")]
    y: float | None
    size: Annotated[int, Meaning("messages that have it and pass the filters")]
    share: Annotated[float, Meaning("of all messages that pass, 0 to 1")]
    first_seen: Annotated[dt.datetime | None, Meaning("its earliest message that passes")]
    trend: Trend
    change: Annotated[float | None, Meaning("`change` of `trend`")]
    defined: Annotated[bool, Meaning("whether a person defined it by examples; else it was found")]
    pinned: Annotated[bool, Meaning("whether a person asked to keep it through every refit")]
    lineage: Annotated[list[Way], Meaning("what it came from and what came from it, newest fit first")]


class WholeDays(TypedDict):
    """UTC days between the day of the first message and that of the newest: those that changes are told of."""

    first: dt.date
    last: dt.date
    count: int


class ListedTopic(TopicRow):
    """One topic of the list, with what a number field comes to over its messages."""

    number: Annotated[NumberSum | None, Meaning("with `number=<field>`: that field over its messages; else null")]


class NumberTotals(TypedDict):
    """What a number field comes to over all messages, and over those that no topic of the list has.

    The sums of the listed topics on all pages, `unassigned` and `hidden` add up to `all`; and so do their `n`.
    """

    field: str
    all: NumberSum
    unassigned: NumberSum
    hidden: NumberSum


class HiddenTopic(TypedDict):
    """A topic that people have hidden: it is in no list, and journeys go through it as through any other."""

    topic_id: str
    label: str
    size: Annotated[int, Meaning("messages that have it and pass the filters")]


@dataclass(frozen=True)
class Topics(FieldAnswer):
    """The topics of a text field; their sizes, `n_unassigned` and `n_hidden` add up to `n_messages`.

    With `kinds=all` each kind of move is one of them; else `n_moves` counts these beside.
    """

    data: list[ListedTopic] = dataclasses.field(default_factory=list)
    next: Next = None
    n_messages: Annotated[
        int, Meaning("messages that pass the filters, moves of conversation only with `kinds=all`")
    ] = 0
    n_moves: Annotated[int, Meaning("further messages that pass, left out as moves of conversation")] = 0
    n_unassigned: Annotated[int, Meaning("of them, those without a topic")] = 0
    n_hidden: Annotated[int, Meaning("of them, those of topics that people have hidden")] = 0
    hidden: Annotated[list[HiddenTopic], Meaning("these topics, of this level, with their labels")] = dataclasses.field(
        default_factory=list
    )
    number: Annotated[NumberTotals | None, Meaning("with `number=<field>`: what that field comes to; else null")] = None
    messages_per_day: Annotated[list[DayCount], Meaning("all that pass, by UTC day; days without are left out")] = (
        dataclasses.field(default_factory=list)
    )
    whole_days: Annotated[WholeDays | None, Meaning("days that changes are told of; null: there is none")] = None


@dataclass(frozen=True)
class TopicsOfField(OfField):
    """Which topics has the text field, or (`level` 1) which themes?"""

    level: int = 0
    limit: int = 1000
    offset: int = 0
    number: str | None = None

    tables = TOPIC_SOURCES
    built = TOPICS_BUILT
    answers = Topics

    def of_field(self, snapshot: Snapshot, field: str) -> Topics:
        """Return a page of the topics, largest first.

        Left out are the topics that people have hidden and, with filters, those without a message that passes.
        """
        all_rows, daily = topic_rows(snapshot, field, self.filters, self.level)
        ids = edits_of(snapshot, field).hidden
        hidden = [
            HiddenTopic(topic_id=each["topic_id"], label=each["label"], size=each["size"])
            for each in all_rows
            if each["topic_id"] in ids
        ]
        shown = [each for each in all_rows if each["topic_id"] not in ids and (each["size"] or not self.filters)]
        n_messages = int(daily["n"].sum())
        everything = daily_counts(snapshot, field, self.filters.with_moves(), self.level)
        shown.sort(key=lambda each: (-each["size"], each["topic_id"]))
        page, following = cut(shown, self.offset, self.limit)
        sums, total = self._sums(snapshot, field, ids)
        data = [ListedTopic(**each, number=sums.get(each["topic_id"], NOTHING) if total else None) for each in page]
        per_day = daily.group_by("date").agg(pl.col("n").sum().alias("count")).sort("date")
        return Topics(
            data,
            following,
            n_messages=n_messages,
            n_moves=int(everything["n"].sum()) - n_messages,
            n_unassigned=int(daily.filter(pl.col("topic_id") == UNASSIGNED)["n"].sum()),
            n_hidden=sum(each["size"] for each in hidden),
            hidden=hidden,
            number=total,
            messages_per_day=typed_rows(per_day, DayCount),
            whole_days=_told(whole_days_of(snapshot, field, self.filters)),
        )

    def _sums(
        self, snapshot: Snapshot, field: str, hidden: frozenset[str]
    ) -> tuple[dict[str, NumberSum], NumberTotals | None]:
        """Return what `number` comes to for each topic that has messages, and in all; None: none is asked for."""
        if self.number is None:
            return {}, None
        sums, whole = number_sums(snapshot, field, self.number, self.filters, self.level)
        left_out = [sums[name] for name in sorted(hidden & sums.keys())]
        totals: NumberTotals = {
            "field": self.number,
            "all": whole,
            "unassigned": sums.get(UNASSIGNED, NOTHING),
            "hidden": left_out[0] if len(left_out) == 1 else _together(left_out),
        }
        return sums, totals


def _together(sums: list[NumberSum]) -> NumberSum:
    """Return the sum over the messages of several topics; their median is not told by those of each."""
    total, n = sum(each["sum"] for each in sums), sum(each["n"] for each in sums)
    return {"sum": total, "mean": total / n if n else None, "median": None, "n": n}


def _told(days: Days | None) -> WholeDays | None:
    return None if days is None else WholeDays(first=days.first, last=days.last, count=days.n)


def topic_rows(snapshot: Snapshot, field: str, filters: Filters, level: int) -> tuple[list[TopicRow], pl.DataFrame]:
    """Return a row for each topic of the level, by id, and the daily counts behind them (see `daily_counts`).

    Moves of conversation, where these count, come last.
    """
    daily = daily_counts(snapshot, field, filters, level)
    n_messages, newest = int(daily["n"].sum()), daily["date"].max()
    counted = daily.group_by("topic_id").agg(
        pl.col("n").sum().alias("size"), pl.col("first_at").min().alias("first_seen"), "date", "n"
    )
    sizes = {each["topic_id"]: each for each in counted.iter_rows(named=True)}
    trends = trends_of(snapshot, field, filters, level)
    pinned, lineage = edits_of(snapshot, field).pinned, ways(snapshot, field)
    found: list[TopicRow] = []
    for topic in _topics(snapshot, field, filters, level).iter_rows(named=True):
        name = topic["topic_id"]
        mine = sizes.get(name, {"size": 0, "first_seen": None, "date": [], "n": []})
        trend = _course(dict(zip(mine["date"], mine["n"], strict=True)), newest, trends.get(name, {}))
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
                "share": mine["size"] / n_messages if n_messages else 0.0,
                "first_seen": mine["first_seen"],
                "trend": trend,
                "change": trend["change"],
                "defined": is_defined(name),
                "pinned": name in pinned,
                "lineage": lineage.get(name, []),
            }
        )
    return found, daily


def _topics(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the level's topics; at level 1 those topics too that belong to no theme."""
    topics = topics_of(snapshot, field, level)
    if level:
        alone = topics_of(snapshot, field).filter(pl.col("parent_id").is_null())
        topics = pl.concat([topics, alone]).sort("topic_id")
    if not filters.has_moves:
        return topics
    return pl.concat([topics.select(COLUMNS), move_topics(snapshot, field)])


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
