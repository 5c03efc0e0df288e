"""How a topic's messages sound, and how that changes: shares with intervals whose independent units are sessions."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import Meaning, typed_rows
from turret_api.read.questions.journeys.statistics import share_of_groups
from turret_api.read.views.filters import Filters
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.sentiment import Sentiment
from turret_api.read.views.steps import field_steps
from turret_pipeline.lake.tables import TEXT_SENTIMENT
from turret_pipeline.semantics.sentiment import NEGATIVE, NEUTRAL, POSITIVE

LOW_END, HIGH_END = Meaning("of the 95% confidence interval of the share, as sessions vary"), Meaning("likewise")

IS_SO = {NEGATIVE: pl.col("sounds") < 0, NEUTRAL: pl.col("sounds") == 0, POSITIVE: pl.col("sounds") > 0}
"""By sentiment whether a step sounds so."""


class SentimentShare(TypedDict):
    """How many of a topic's messages sound so."""

    sentiment: Sentiment
    n_messages: Annotated[int, Meaning("those of all sentiments add up to the topic's `size`")]
    n_sessions: Annotated[int, Meaning("with such a message")]
    share: Annotated[float, Meaning("of the topic's messages, 0 to 1")]
    low: Annotated[float, LOW_END]
    high: Annotated[float, HIGH_END]


class SentimentDay(TypedDict):
    """How a topic's messages of one UTC day sound."""

    date: dt.date
    size: int
    n_negative: int
    n_positive: int
    share_negative: Annotated[float, Meaning("of the messages of the day, 0 to 1")]
    low: Annotated[float, LOW_END]
    high: Annotated[float, HIGH_END]


class Mood(TypedDict):
    """How a topic's messages sound, and how that changes by day."""

    data: Annotated[list[SentimentShare], Meaning("a row a sentiment, the worst first; empty without messages")]
    days: Annotated[list[SentimentDay], Meaning("days with messages of the topic")]


def topic_mood(snapshot: Snapshot, field: str, topic_id: str, filters: Filters, level: int) -> Mood:
    """Return the mood of the messages that have the topic and pass the filters."""

    def compute() -> pl.DataFrame:
        steps = field_steps(snapshot, field, filters, level, sounds=True)
        mine = steps.filter(pl.col("topic_id").cast(pl.String) == topic_id)
        return mine.select("session", pl.col("timestamp").dt.date().alias("date"), "sounds")

    steps = snapshot.remember(("mood", field, topic_id, filters, level), (*SOURCES, TEXT_SENTIMENT), compute)
    if steps.is_empty():
        return {"data": [], "days": []}
    return {"data": typed_rows(_shares(steps), SentimentShare), "days": typed_rows(_days(steps), SentimentDay)}


def _shares(steps: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of all sentiments."""
    by_session = steps.group_by("session").agg(n=pl.len(), **{name: is_so.sum() for name, is_so in IS_SO.items()})
    groups = [by_session.select("n", sentiment=pl.lit(name), n_with=name) for name in IS_SO]
    found = share_of_groups(pl.concat(groups), "sentiment").sort(pl.col("sentiment").cast(pl.Enum(list(IS_SO))))
    return found.rename({"n_with": "n_messages", "n_groups_with": "n_sessions"})


def _days(steps: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of all days, in order."""
    negative = steps.group_by("date", "session").agg(n=pl.len(), n_with=IS_SO[NEGATIVE].sum())
    positive = steps.group_by("date").agg(n_positive=IS_SO[POSITIVE].sum().cast(pl.Int64))
    found = share_of_groups(negative, "date").join(positive, on="date").sort("date")
    return found.rename({"n": "size", "n_with": "n_negative", "share": "share_negative"})
