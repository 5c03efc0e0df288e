"""The topics of a text field: how many messages each has, since when, and whether it grows."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import OF_TEXTS, FieldAnswer, Meaning, Next, typed_rows
from turret_api.read.questions.of_field import TOPICS_BUILT, OfField
from turret_api.read.questions.pages import cut, no_number
from turret_api.read.questions.topics.rows import TopicRow, topic_rows
from turret_api.read.sql.numbers import number_sums as number_sums_sql
from turret_api.read.sql.topics import TRENDS_LEFT_OUT, days, hidden_topics, lineage, topic_views, totals
from turret_api.read.sql.views import how_many, value_views
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.numbers import NumberSum, number_sums
from turret_api.read.views.topic_days import DayCount, daily_counts
from turret_api.read.views.topics import edits_of
from turret_api.read.views.units import Unit, days_told, told_date, topic_units, unit_days
from turret_api.read.views.windows import whole_days_of, windows_of
from turret_pipeline.lake.tables import TEXT_SENTIMENT, TOPIC_DAYS, TOPIC_LINEAGE
from turret_pipeline.semantics.changes import Days
from turret_pipeline.semantics.visits import UNASSIGNED

TOPIC_SOURCES = (*SOURCES, TOPIC_DAYS, TOPIC_LINEAGE, TEXT_SENTIMENT)
"""Tables that answers about topics follow from."""

NOTHING: NumberSum = {"sum": 0.0, "mean": None, "median": None, "n": 0}
"""What a number field comes to over no messages."""


class WholeDays(TypedDict):
    """UTC days between the day of the first message and that of the newest: those that changes are told of."""

    first: dt.date
    last: dt.date
    count: int


class ListedTopic(TopicRow):
    """One topic of the list, with what a number field comes to over its messages."""

    number: Annotated[
        NumberSum | None, Meaning("with `number=<field>`: that field over its messages; else null"), OF_TEXTS
    ]


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
    n_moves: Annotated[
        int | None, Meaning("further messages that pass, left out as moves of conversation"), OF_TEXTS
    ] = 0
    n_unassigned: Annotated[int, Meaning("of them, those without a topic")] = 0
    n_hidden: Annotated[int, Meaning("of them, those of topics that people have hidden")] = 0
    hidden: Annotated[list[HiddenTopic], Meaning("these topics, of this level, with their labels"), OF_TEXTS] = (
        dataclasses.field(default_factory=list)
    )
    n_sessions: Annotated[int, Meaning("distinct sessions of these messages")] = 0
    n_users: Annotated[int, Meaning("distinct users of these messages")] = 0
    n_with_topic: Annotated[
        int | None, Meaning("of the unit, those with a message that has a topic, or is a move"), OF_TEXTS
    ] = 0
    per_day: Annotated[list[DayCount], Meaning("of the unit, by UTC day; days without are left out")] = (
        dataclasses.field(default_factory=list)
    )
    number: Annotated[
        NumberTotals | None, Meaning("with `number=<field>`: what that field comes to; else null"), OF_TEXTS
    ] = None
    messages_per_day: Annotated[list[DayCount], Meaning("all that pass, by UTC day; days without are left out")] = (
        dataclasses.field(default_factory=list)
    )
    whole_days: Annotated[WholeDays | None, Meaning("days that changes are told of; null: there is none")] = None


@dataclass(frozen=True)
class TopicsOfField(OfField):
    """Which topics has the text field, or (`level` 1) which themes? `unit`: what shares, changes and days count."""

    level: int = 0
    limit: int = 1000
    offset: int = 0
    number: str | None = None
    unit: Unit = "messages"

    tables = TOPIC_SOURCES
    built = TOPICS_BUILT
    answers = Topics
    is_open = True

    def for_viewer(self, least: int) -> TopicsOfField:
        """Return the same question about counts of `least` users or more; raise an `ApiError` for sums of a number."""
        no_number(self.number)
        return dataclasses.replace(self, filters=self.filters.for_viewer(least))

    def of_field(self, snapshot: Snapshot, field: str) -> Topics:
        """Return a page of the topics, largest in the unit first.

        Left out are the topics that people have hidden and, with filters, those without a message that passes.
        """
        all_rows, daily = topic_rows(snapshot, field, self.filters, self.level, self.unit)
        ids = edits_of(snapshot, field).hidden
        hidden = [
            HiddenTopic(topic_id=each["topic_id"], label=each["label"], size=each["size"])
            for each in all_rows
            if each["topic_id"] in ids
        ]
        shown = [each for each in all_rows if each["topic_id"] not in ids and (each["size"] or not self.filters)]
        n_messages = int(daily["n"].sum())
        everything = daily_counts(snapshot, field, self.filters.with_moves(), self.level)
        shown.sort(key=lambda each: (-in_unit(each, self.unit), -each["size"], each["topic_id"]))
        page, following = cut(shown, self.offset, self.limit)
        sums, total = self._sums(snapshot, field, ids)
        data = [ListedTopic(**each, number=sums.get(each["topic_id"], NOTHING) if total else None) for each in page]
        told = days_told(snapshot, field, self.filters, self.level)
        on_day = daily if told is None else daily.with_columns(told_date(told))
        summed = on_day.drop_nulls("date").group_by("date").agg(pl.col("n").sum().alias("count"))
        per_day = typed_rows(summed.sort("date"), DayCount)
        units = topic_units(snapshot, field, self.filters, self.level)
        n_sessions, n_users = units.filter(pl.col("topic_id").is_null()).select("n_sessions", "n_users").row(0)
        n_unassigned = int(daily.filter(pl.col("topic_id") == UNASSIGNED)["n"].sum())
        n_with_topic, unit_per_day = n_messages - n_unassigned, per_day
        if self.unit != "messages":
            n_with_topic = units.filter(pl.col("topic_id") == "")[f"n_{self.unit}"].item()
            days = unit_days(snapshot, field, self.filters, self.level, self.unit, told)
            unit_per_day = typed_rows(days.filter(pl.col("topic_id").is_null()).rename({"n": "count"}), DayCount)
        return Topics(
            data,
            following,
            n_messages=n_messages,
            n_moves=int(everything["n"].sum()) - n_messages,
            n_unassigned=n_unassigned,
            n_hidden=sum(each["size"] for each in hidden),
            hidden=hidden,
            number=total,
            n_sessions=n_sessions,
            n_users=n_users,
            n_with_topic=n_with_topic,
            per_day=unit_per_day,
            messages_per_day=per_day,
            whole_days=_told(whole_days_of(snapshot, field, self.filters)),
        )

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the topics and of what they add up to."""
        size = "\n    AND size > 0" if self.filters else ""
        hidden = f"SELECT topic_id FROM hidden WHERE field = {literal(field)}"
        order = "" if self.unit == "messages" else f"n_{self.unit} DESC, "
        data = f"""
SELECT * FROM listed_topics WHERE topic_id NOT IN ({hidden}){size}
ORDER BY {order}size DESC, topic_id LIMIT {self.limit} OFFSET {self.offset}"""
        per_day = """
SELECT timestamp::DATE AS date, {} AS "count" FROM counted_steps GROUP BY date ORDER BY date"""
        parts = {
            "data": data,
            "trend.days": days("topic_id IN (SELECT topic_id FROM listed_topics)", self.unit),
            "hidden": hidden_topics(field),
            "totals": totals(field, self.unit),
            "per_day": per_day.format(how_many(self.unit)),
            "messages_per_day": per_day.format(how_many("messages")),
            "lineage": lineage(field),
        }
        windows = windows_of(snapshot, field, self.filters)
        views = topic_views(field, self.filters, self.level, windows, self.unit)
        if self.number is not None:
            views |= value_views(field, [self.number, *(name for name, _ in self.filters.segments)])
            parts["number"] = number_sums_sql(self.number)
        return Queries(parts, views, TRENDS_LEFT_OUT)

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


def in_unit(topic: TopicRow, unit: Unit) -> int:
    """Return how many of the unit the topic has."""
    return {"messages": topic["size"], "sessions": topic["n_sessions"], "users": topic["n_users"]}[unit]
