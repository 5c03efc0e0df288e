"""The answers of the read API as types, from which the OpenAPI document is made.

Routes answer with bytes made once and kept, so these are not run over every answer; the tests hold every answer of
every route against them.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FieldType = Literal["text", "enum", "number"]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Built(Model):
    built_at: dt.datetime | None = Field(description="when the tables behind the answer were last built; null: never")


class ByModel(Built):
    model_version: int | None = Field(description="number of the fit that the topics come from; null: none yet")
    field: str | None = Field(description="the text field that the answer is about; null: the project has none yet")


class Page(Model):
    next: str | None = Field(description="cursor of the next page; null: this is the last")


class ValueCount(Model):
    value: str
    count: int


class Bin(Model):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    least: float | None = Field(alias="from", description="included; null: no bound. `from..to` is also a segment")
    most: float | None = Field(alias="to", description="not included; null: no bound")
    count: int


class FieldRow(Model):
    field: str
    type: Literal["text", "enum", "number", "other"] = Field(description="in force: chosen by a person, else detected")
    detected_type: Literal["text", "enum", "number", "other"]
    overridden: bool
    pending: bool = Field(description="whether a person's decision waits for the next build to take effect everywhere")
    confidence: float = Field(ge=0, le=1)
    reason: str
    n_events: int
    n_null: int
    n_distinct: int
    examples: list[str] | None = Field(description="of text and other")
    values: list[ValueCount] | None = Field(description="of an enum: its values, most common first")
    n_rest: int | None = Field(description="of an enum: events with a value that is not listed")
    min: float | None
    max: float | None
    mean: float | None
    quantiles: dict[str, float] | None = Field(description="of a number: by share, from 0.05 to 0.95")
    bins: list[Bin] | None = Field(description="of a number: about a tenth of them each; together all")


class Fields(Built, Page):
    data: list[FieldRow]


class TypeChoice(Model):
    type: FieldType | None = Field(description="the type from now on; null takes the choice back")


class FieldChange(Model):
    at: dt.datetime = Field(description="when it was decided; of detection: the last day that it was judged by")
    by: Literal["detection", "person"]
    type: Literal["text", "enum", "number", "other"] | None = Field(description="null: a person's choice taken back")
    confidence: float | None = Field(description="of detection, 0 to 1")
    reason: str


class FieldHistory(Built, Page):
    field: str
    data: list[FieldChange]


class DayCount(Model):
    date: dt.date
    count: int


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


class Numbers(Model):
    count: int = Field(description="that have a number in the field")
    n_none: int = Field(description="that have none")
    min: float | None
    max: float | None
    mean: float | None
    quantiles: dict[str, float] | None = Field(description="by share, from 0.05 to 0.95")
    bins: list[Bin] = Field(description="those of the field in /v1/fields; together all that have a number")


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


class MessageRow(Model):
    event_id: str
    session_id: str
    user_id: str
    name: str
    timestamp: dt.datetime
    text: str
    topic_id: str | None
    topic_label: str | None
    similarity: float | None = Field(description="cosine with the topic's centre; with `q`: with what is searched for")


class Messages(ByModel, Page):
    data: list[MessageRow]


class Node(Model):
    topic_id: str
    label: str
    kind: Literal["topic", "start", "end", "unassigned"]
    count: int = Field(description="visits; of start and end: sessions")


class Edge(Model):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    count: int
    sessions: int
    probability: float
    median_gap_s: float | None
    p25_gap_s: float | None
    p75_gap_s: float | None
    p95_gap_s: float | None
    lift: float = Field(
        description="moves, over those expected if where to did not depend on where from; 1: as expected"
    )
    number: Numbers | None = Field(
        default=None,
        description="with `number=<field>`: that field over the messages that begin the visits moved to (to `end`: the "
        "last messages)",
    )


class Rest(Model):
    edges: int
    count: int


class Journeys(ByModel):
    nodes: list[Node]
    edges: list[Edge]
    rest: Rest = Field(description="edges that are not listed, and the moves on them")
    n_sessions: int
    n_visits: int


class Path(Model):
    topics: list[str]
    labels: list[str]
    count: int
    sessions: int
    share: float


class RestPaths(Model):
    paths: int
    count: int


class Paths(ByModel, Page):
    data: list[Path]
    n_paths: int
    rest: RestPaths


class Start(Model):
    topic_id: str
    label: str
    sessions: int
    share: float


class Starts(ByModel, Page):
    data: list[Start]
    n_sessions: int


class DropOff(Start):
    rate: float = Field(description="share of the topic's visits that are the last of their session")


class DropOffs(ByModel, Page):
    data: list[DropOff]
    n_sessions: int


class Loop(Model):
    topics: list[str]
    labels: list[str]
    count: int
    sessions: int


class RestLoops(Model):
    loops: int
    count: int


class Loops(ByModel, Page):
    data: list[Loop]
    rest: RestLoops = Field(description="pairs that are not listed, and the returns between them")


class EdgeSession(Model):
    session_id: str
    user_id: str = Field(description="of its first message")
    at: dt.datetime = Field(description="when it moved so first")
    count: int = Field(description="how often it moves so")
    started_at: dt.datetime
    ended_at: dt.datetime
    n_visits: int


class EdgeSessions(ByModel, Page):
    data: list[EdgeSession]
    n_sessions: int
    n_moves: int


class EdgeDifference(Model):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    labels: list[str]
    a_sessions: int
    a_share: float = Field(description="of a's sessions, those that make the move")
    a_count: int
    a_probability: float | None
    a_median_gap_s: float | None
    b_sessions: int
    b_share: float
    b_count: int
    b_probability: float | None
    b_median_gap_s: float | None
    difference: float | None = Field(description="a_share less b_share; null: a side has no session")
    low: float | None = Field(description="lower end of its 95% confidence interval (Newcombe)")
    high: float | None
    p_value: float | None = Field(description="that the shares are equal: Fisher's exact test, mid-p")
    q_value: float | None = Field(description="adjusted over all edges (Benjamini-Hochberg)")


class SideCounts(Model):
    a: int
    b: int


class Comparison(ByModel, Page):
    data: list[EdgeDifference] = Field(description="the surest differences first")
    n_sessions: SideCounts
    n_sessions_in_both: int = Field(description="sessions with messages in both segments; they count on neither side")
    rest: Rest


class ReturnPair(Model):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    source: str = Field(alias="from", description="topic of a session: the one with most of its messages")
    target: str = Field(alias="to", description="topic of the same user's next session")
    count: int
    users: int
    probability: float
    lift: float
    median_interval_s: float


class ReturnTopic(Model):
    topic_id: str
    label: str
    sessions: int
    returns: int = Field(description="of them, sessions of users who had one before")
    share: float = Field(description="of all returns")
    lift: float | None = Field(
        description="that share over the topic's share of users' first sessions; null: it has none"
    )


class Interval(Model):
    from_s: int
    below_s: int | None
    count: int


class RestPairs(Model):
    pairs: int
    count: int


class Returns(ByModel, Page):
    data: list[ReturnPair]
    rest: RestPairs
    topics: list[ReturnTopic] = Field(description="what users come back for, most first")
    n_users: int
    n_returning_users: int
    n_sessions: int
    n_returns: int
    interval_quantiles_s: dict[str, float | None] = Field(description="from the start of a session to that of the next")
    intervals: list[Interval]


class Step(Model):
    topic_id: str
    label: str
    sessions: int
    share_of_first: float
    share_of_previous: float
    median_gap_s: float | None


class Funnel(ByModel, Page):
    data: list[Step]
    n_sessions: int


class SessionMessage(Model):
    event_id: str
    user_id: str
    name: str
    timestamp: dt.datetime
    field: str
    text: str
    topic_id: str | None
    topic_label: str | None
    similarity: float | None


class Session(Built, Page):
    session_id: str
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    n_messages: int
    data: list[SessionMessage]


class UsageRow(Model):
    plan: str
    limit: int | None
    used: int
    resets_at: dt.datetime | None


class EventName(Model):
    name: str
    count: int
    first_seen: dt.datetime
    last_seen: dt.datetime


class EventNames(Built, Page):
    data: list[EventName]
    n_events: int
    received_per_day: list[DayCount] = Field(description="events by UTC day of receipt; days without are left out")


class TableBuild(Model):
    table: str
    built_at: dt.datetime


class Project(Model):
    project_id: str
    name: str
    plan: str
    limit: int | None
    created_at: dt.datetime
    tables: list[TableBuild] = Field(description="those that were built at least once")


class KeyRow(Model):
    key_id: str
    scope: str
    hint: str = Field(description="the key's first characters")
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    is_current: bool = Field(description="whether it is the key of this very request")


class Keys(Page):
    data: list[KeyRow]


class KeyChoice(Model):
    scope: Literal["write", "read", "admin"] = Field(
        description="write: send events; read: read; admin: read and change settings"
    )
    days: int | None = Field(default=None, description="days until the key expires; null: never", ge=1, le=36_500)


class NewKey(Model):
    key_id: str
    scope: str
    key: str = Field(description="the key; nobody can be shown it again")
    expires_at: dt.datetime | None
