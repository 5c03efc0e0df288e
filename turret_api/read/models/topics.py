"""Topics, one topic, their fits, their map, and what people decided about them."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from turret_api.read.models.shared import Built, ByModel, DayCount, Model, Numbers, Page


class Trend(Model):
    mark: Literal["new", "growing", "fading", "steady"] | None = Field(
        description="how its share of the sessions has changed; null: too few sessions or days to tell"
    )
    change: float | None = Field(description="of that share, the last 7 complete days against the 8 weeks before")
    q_value: float | None = Field(description="share of false alarms among the marks that are as sure as this one")
    days: list[DayCount] = Field(description="messages a day, over the 90 days up to the newest message")


class Way(Model):
    model_version: int = Field(description="number of the fit at which it happened")
    kind: Literal["birth", "end", "split", "merge"]
    from_topic: str | None
    from_label: str | None
    to_topic: str | None
    to_label: str | None
    n_texts: int = Field(description="distinct texts that went this way")
    share: float = Field(description="of the texts of `from_topic`; at a birth, of the topic's own that had none")


class TopicRow(Model):
    topic_id: str
    level: int = Field(description="0: topic; 1: theme, a group of topics")
    parent_id: str | None = Field(description="the theme it belongs to")
    label: str
    keywords: list[str]
    examples: list[str]
    n_texts: int
    x: float
    y: float
    size: int = Field(description="messages that have it and pass the filters")
    share: float = Field(description="of all messages that pass, 0 to 1")
    first_seen: dt.datetime | None = Field(description="its earliest message that passes")
    trend: Trend
    change: float | None = Field(description="the last 7 days against the 7 before: 0.5 is half as many again")
    pinned: bool = Field(description="whether a person asked to keep it through every refit")
    lineage: list[Way] = Field(description="what it came from and what came from it, newest fit first")


class Topics(ByModel, Page):
    data: list[TopicRow]
    n_messages: int = Field(description="all messages that pass the filters")
    n_unassigned: int = Field(description="of them, those without a topic")
    n_hidden: int = Field(description="of them, those of topics that people have hidden")
    messages_per_day: list[DayCount] = Field(description="all that pass, by UTC day; days without are left out")


class TopicMap(ByModel):
    x: list[float] = Field(description="one place a text, column by column")
    y: list[float]
    topic_id: list[str | None]
    text: list[str] = Field(description="the first characters of each")
    size: list[int] = Field(description="messages that pass and have the text")
    n_texts: int = Field(description="distinct texts that pass; past the limit an even sample of them is shown")


class Fit(Model):
    field: str
    model_version: int
    reason: str
    seen_until: dt.datetime | None = Field(description="time of receipt of the newest message that it knew")
    n_texts: int
    n_topics: int
    coverage: float | None = Field(description="share of the messages that have a topic")
    mean_similarity: float | None
    sd_similarity: float | None
    changed: float | None = Field(description="share of the messages known before whose topic is another now")
    ari: float | None = Field(description="adjusted Rand index of both, over these messages")
    kept_ids: float | None = Field(description="share of the topics before that there are still")


class Fits(Built, Page):
    data: list[Fit]


class Edit(Model):
    field: str
    topic_id: str
    action: Literal["rename", "merge", "hide", "pin"]
    value: str | None
    decided_at: dt.datetime


class Edits(Page):
    data: list[Edit]


class EditChoice(Model):
    topic_id: str = Field(min_length=1, max_length=100)
    action: Literal["rename", "merge", "hide", "pin"]
    value: str | None = Field(
        description="the new label; the topic to merge into; `true` to hide or pin; null takes it back",
        min_length=1,
        max_length=200,
    )
    field: str | None = Field(default=None, description="the text field; needed only if two have a topic of this id")


class Day(Model):
    date: dt.date
    size: int
    share: float


class SegmentValue(Model):
    value: str
    size: int
    share: float = Field(description="of the topic's messages that have the field")
    share_of_all: float = Field(description="of all messages that have the field")


class Segment(Model):
    field: str
    values: list[SegmentValue]
    n_rest: int = Field(description="the topic's messages with a value that is not listed")
    n_none: int = Field(description="the topic's messages without a value")


class Number(Numbers):
    field: str
    mean_of_all: float | None = Field(description="of all messages that pass")


class Neighbour(Model):
    topic_id: str
    label: str
    similarity: float


class Move(Model):
    topic_id: str
    label: str
    count: int
    share: float


class Topic(TopicRow, ByModel):
    field: str
    series: list[Day]
    segments: list[Segment]
    numbers: list[Number] = Field(description="each number field, over the topic's messages")
    neighbours: list[Neighbour]
    before: list[Move] = Field(description="what sessions came from, most first")
    after: list[Move] = Field(description="what sessions went on to, most first")
