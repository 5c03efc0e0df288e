"""Messages, sessions message by message, and the events that they come from."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from turret_api.read.models.shared import Built, ByModel, DayCount, Model, Page


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


class EventName(Model):
    name: str
    count: int
    first_seen: dt.datetime
    last_seen: dt.datetime


class EventNames(Built, Page):
    data: list[EventName]
    n_events: int
    received_per_day: list[DayCount] = Field(description="events by UTC day of receipt; days without are left out")
