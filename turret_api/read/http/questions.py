"""How a request becomes a question: one function for each `GET` that is answered from tables.

A function is the whole way in: its parameters are the query string's, its text is the document's, the question that it
returns is all that the answer depends on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import Query

from turret_api.errors import invalid
from turret_api.read.engine.question import Question
from turret_api.read.http.parameters import (
    About,
    AnsweredSo,
    Cursor,
    FieldName,
    Filtered,
    InUnit,
    Level,
    Limit,
    OfPage,
    SignOrAny,
    TopicId,
    TwoSides,
    utc,
)
from turret_api.read.questions.answers import AnswersOfField
from turret_api.read.questions.changes.findings import ChangesOfField
from turret_api.read.questions.digest import DigestOfField
from turret_api.read.questions.events import EventsByName
from turret_api.read.questions.fields import AllFields, HistoryOfField
from turret_api.read.questions.journeys.comparison import ComparisonOfSegments
from turret_api.read.questions.journeys.edge_sessions import SessionsOfEdge
from turret_api.read.questions.journeys.ends import SessionEnds, SessionStarts
from turret_api.read.questions.journeys.friction import FrictionOfField
from turret_api.read.questions.journeys.graph import JourneyGraph
from turret_api.read.questions.journeys.loops import LoopsOfTopics
from turret_api.read.questions.journeys.outcomes import OutcomesOfField
from turret_api.read.questions.journeys.paths import FunnelOfTopics, PathsOfTopic
from turret_api.read.questions.journeys.retention import Period, RetentionOfTopics
from turret_api.read.questions.journeys.returns import ReturnsOfUsers
from turret_api.read.questions.messages import NewestMessages
from turret_api.read.questions.notebook import AllAnnotations, AllNotes, AllViews, Kind
from turret_api.read.questions.pages import offset_of
from turret_api.read.questions.search import SimilarMessages
from turret_api.read.questions.sessions import OneSession
from turret_api.read.questions.topics.comparison import ComparisonOfTopics
from turret_api.read.questions.topics.edits import AllEdits
from turret_api.read.questions.topics.fits import AllFits
from turret_api.read.questions.topics.map import MapOfTexts
from turret_api.read.questions.topics.topic import OneTopic
from turret_api.read.questions.topics.topics import TopicsOfField
from turret_api.read.views.sentiment import Sentiment
from turret_api.read.views.sides import Side

MOST_STEPS = 20


def get_events() -> EventsByName:
    """The names that events have, most common first, and how many events came on each day."""
    return EventsByName()


def get_fields(page: OfPage) -> AllFields:
    """Every metadata field with its type, what shows it, and its values, numbers or examples."""
    return AllFields(page.limit, page.offset)


def get_field_history(page: OfPage, field: str) -> HistoryOfField:
    """What type a field was found to be or was chosen to be, when and why; newest first."""
    return HistoryOfField(page.limit, page.offset, field)


def get_topics(
    about: About,
    level: Level = 0,
    limit: Limit = 1000,
    cursor: Cursor = None,
    number: Annotated[
        str | None, Query(description="a number field to add up over the messages of each topic", max_length=200)
    ] = None,
    unit: InUnit = "messages",
) -> TopicsOfField:
    """The topics of a text field, largest first; their sizes and `n_unassigned` add up to `n_messages`."""
    return TopicsOfField(about.field, about.filters, level, limit, offset_of(cursor), number, unit)


def get_edits(page: OfPage) -> AllEdits:
    """What people changed about topics, newest first."""
    return AllEdits(page.limit, page.offset)


def get_topic_map(
    about: About, limit: Annotated[int, Query(description="most texts in one answer", ge=1, le=100_000)] = 20_000
) -> MapOfTexts:
    """A place on the topic map for each distinct text, column by column; past the limit, for an even sample."""
    return MapOfTexts(about.field, about.filters, limit)


def get_fits(page: OfPage) -> AllFits:
    """Every fit of topics, newest first: why it was made, what it found, and how far it moved what there was."""
    return AllFits(page.limit, page.offset)


def get_topic_comparison(about: About, sides: TwoSides, level: Level = 0, limit: Limit = 100) -> ComparisonOfTopics:
    """Which topics the sessions of a segment, period or release have more often than others, and how sure that is."""
    return ComparisonOfTopics(about.field, about.filters, sides, level, limit)


def get_topic(chosen: Filtered, topic_id: str, field: FieldName = None, unit: InUnit = "messages") -> OneTopic:
    """One topic: its series by day, its segments, its neighbours, what came before it and after it, and its lineage."""
    return OneTopic(topic_id, field, chosen, unit)


def get_topic_notes(page: OfPage, topic_id: str, field: FieldName = None) -> AllNotes:
    """The notes on a topic, newest first: those written on it, and on topics that are part of it now."""
    return AllNotes(page.limit, page.offset, topic_id, field)


def get_notes(page: OfPage) -> AllNotes:
    """All notes on topics, newest first, those on topics that ended too."""
    return AllNotes(page.limit, page.offset)


def get_annotations(
    page: OfPage, kind: Annotated[Kind | None, Query(description="only releases; default: all")] = None
) -> AllAnnotations:
    """What people said of dates, in order of their days."""
    return AllAnnotations(page.limit, page.offset, kind)


def get_views(page: OfPage) -> AllViews:
    """The pages of the dashboard that people saved, in order of their names."""
    return AllViews(page.limit, page.offset)


def get_messages(
    about: About,
    topic_id: Annotated[
        str | None,
        Query(description="a topic, `unassigned`, a move of conversation (`thanks`), or `moves`", max_length=100),
    ] = None,
    q: Annotated[
        str | None,
        Query(description="search by meaning: messages most similar to this text first", min_length=1, max_length=1000),
    ] = None,
    answer: Annotated[
        AnsweredSo | None,
        Query(
            description="only messages with an answer of this kind; `repeated`: that the session was given before; "
            "`none`: without one; `unserved`: refused, apologised, repeated or none"
        ),
    ] = None,
    sentiment: Annotated[Sentiment | None, Query(description="only messages that sound so")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> NewestMessages | SimilarMessages:
    """Messages with their kinds and topics, newest first; with `q` those most similar to it in meaning first."""
    if q is not None:
        return SimilarMessages(about.field, about.filters, q, topic_id, sentiment, limit, cursor, answer)
    return NewestMessages(about.field, about.filters, topic_id, sentiment, limit, cursor, answer)


def get_session(page: OfPage, session_id: str, field: FieldName = None) -> OneSession:
    """One session, message by message."""
    return OneSession(page.limit, page.offset, session_id, field)


def get_journeys(
    about: About,
    level: Level = 0,
    limit: Annotated[
        int, Query(description="most edges in the answer; `rest` sums up the others", ge=1, le=100_000)
    ] = 5000,
    number: Annotated[
        str | None, Query(description="a number field to add up over the moves of each edge", max_length=200)
    ] = None,
    unit: InUnit = "messages",
) -> JourneyGraph:
    """How sessions move from topic to topic: nodes and edges whose counts add up."""
    return JourneyGraph(about.field, about.filters, level, limit, number, unit)


def get_paths(
    about: About,
    topic_id: TopicId = "start",
    direction: Annotated[
        str, Query(description="paths that leave the topic, or that arrive", pattern="^(from|to)$")
    ] = "from",
    depth: Annotated[int, Query(description="most moves in a path", ge=1, le=10)] = 3,
    level: Level = 0,
    limit: Limit = 20,
    unit: InUnit = "messages",
) -> PathsOfTopic:
    """The most common paths from or to a topic."""
    return PathsOfTopic(about.field, about.filters, level, topic_id, direction == "to", depth, limit, unit)


def get_starts(about: About, level: Level = 0, unit: InUnit = "messages") -> SessionStarts:
    """Where sessions start."""
    return SessionStarts(about.field, about.filters, level, unit)


def get_drop_offs(about: About, level: Level = 0, unit: InUnit = "messages") -> SessionEnds:
    """Where sessions end."""
    return SessionEnds(about.field, about.filters, level, unit)


def get_loops(about: About, level: Level = 0, limit: Limit = 20, unit: InUnit = "messages") -> LoopsOfTopics:
    """Pairs of topics that sessions go back and forth between."""
    return LoopsOfTopics(about.field, about.filters, level, limit, unit)


def get_friction(about: About, level: Level = 0, limit: Limit = 100, unit: InUnit = "messages") -> FrictionOfField:
    """Where sessions did not get what they asked for: how often each sign is, and in which topics and moves."""
    return FrictionOfField(about.field, about.filters, level, limit, unit)


def get_answers(about: About, level: Level = 0, limit: Limit = 100) -> AnswersOfField:
    """What became of requests: how many were refused, apologised for, answered again or not at all, and with what."""
    return AnswersOfField(about.field, about.filters, level, limit)


def get_changes(
    about: About,
    level: Level = 0,
    days: Annotated[int, Query(description="whole days, and as many before them", ge=1, le=90)] = 7,
) -> ChangesOfField:
    """What changed in the last days, beyond chance, what matters most first: topics, friction, number of sessions."""
    return ChangesOfField(about.field, about.filters, level, days)


def get_digest(
    field: FieldName = None,
    days: Annotated[int, Query(description="complete days in the window", ge=1, le=90)] = 7,
    brief: Annotated[bool, Query(description="without changes, friction and numbers, which take longest")] = False,
) -> DigestOfField:
    """What the last whole days brought, beside as many before: as JSON, or as text or Markdown to send to people."""
    return DigestOfField(field, days=days, brief=brief)


def get_outcomes(
    about: About,
    outcome: Annotated[
        str | None, Query(description="a field that is marked as an outcome; default: the first", max_length=200)
    ] = None,
    topic_id: Annotated[
        str | None, Query(description="only this topic, and the moves from it and to it", max_length=100)
    ] = None,
    level: Level = 0,
    limit: Annotated[int, Query(description="most topics, moves and signs, of each", ge=1, le=1000)] = 100,
) -> OutcomesOfField:
    """What precedes a good or a bad outcome: topics, moves and signs of friction, and how sure that is."""
    return OutcomesOfField(about.field, about.filters, outcome, level, topic_id, limit)


def get_edge_sessions(
    about: About,
    from_topic: Annotated[str | None, Query(description="a topic, `start` or `unassigned`", max_length=100)] = None,
    to_topic: Annotated[str | None, Query(description="a topic, `end` or `unassigned`", max_length=100)] = None,
    friction: Annotated[
        SignOrAny | None, Query(description="only sessions in which a message has this sign of friction, or any")
    ] = None,
    here: Annotated[
        bool, Query(description="with friction: only in a request for `to_topic`, or in the visit that the move leaves")
    ] = False,
    began_from: Annotated[dt.datetime | None, Query(description="only sessions that began from this time on")] = None,
    began_to: Annotated[dt.datetime | None, Query(description="only sessions that began before this time")] = None,
    users: Annotated[
        Literal["new"] | None, Query(description="new: only of users whose first session began from `began_from` on")
    ] = None,
    outcome: Annotated[
        str | None,
        Query(description="only sessions that have this outcome, and moved so no later than that", max_length=200),
    ] = None,
    level: Level = 0,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> SessionsOfEdge:
    """The sessions behind an edge, those that moved so last first; one end alone stands for all edges from or to it."""
    if users is not None and began_from is None:
        raise invalid("users=new needs `began_from`, the time from which on a user is new.", field="users")
    began = Side((), utc(began_from), utc(began_to))
    ends = (from_topic, to_topic)
    return SessionsOfEdge(
        about.field,
        about.filters,
        level,
        *ends,
        limit,
        offset_of(cursor),
        friction,
        here,
        began,
        users == "new",
        outcome,
    )


def get_comparison(about: About, sides: TwoSides, level: Level = 0, limit: Limit = 100) -> ComparisonOfSegments:
    """Which moves the sessions of a segment, period or release make more often than others, and how sure that is."""
    return ComparisonOfSegments(about.field, about.filters, level, sides, limit)


def get_returns(about: About, level: Level = 0, limit: Limit = 100, unit: InUnit = "messages") -> ReturnsOfUsers:
    """How users come back: after how long, for what, and from which topic of one session to which of the next."""
    return ReturnsOfUsers(about.field, about.filters, level, limit, unit)


def get_retention(
    about: About,
    topic_id: Annotated[
        str | None,
        Query(
            description="users begin with their first message that has this topic; default: each topic that a user's "
            "first message has",
            min_length=1,
            max_length=100,
        ),
    ] = None,
    by: Annotated[Period, Query(description="periods: weeks from Monday on, or days (UTC)")] = "week",
    periods: Annotated[int, Query(description="most periods after the first", ge=1, le=60)] = 12,
    level: Level = 0,
    limit: Limit = 100,
) -> RetentionOfTopics:
    """How many users come back in later weeks or days, by the topic that they began with, beside all users."""
    return RetentionOfTopics(about.field, about.filters, level, topic_id, by, periods, limit)


def get_funnel(
    about: About,
    steps: Annotated[str, Query(description="topics in order, with commas between", min_length=1, max_length=2000)],
    within_s: Annotated[float | None, Query(description="most seconds from first to last step", gt=0, le=1e9)] = None,
    level: Level = 0,
    unit: InUnit = "messages",
) -> FunnelOfTopics:
    """How many sessions, or users, go through the given topics in the given order."""
    wanted = tuple(step.strip() for step in steps.split(","))
    if not all(wanted) or len(wanted) > MOST_STEPS:
        raise invalid(f"steps is 1 to {MOST_STEPS} topic ids with commas between.", field="steps")
    return FunnelOfTopics(about.field, about.filters, level, wanted, within_s, unit)


Paths = dict[str, tuple[Callable[..., Question], type[Question]]]

READ: Paths = {
    "/events": (get_events, EventsByName),
    "/fields": (get_fields, AllFields),
    "/fields/history": (get_field_history, HistoryOfField),
    "/fields/{field:id}/history": (get_field_history, HistoryOfField),
    "/topics": (get_topics, TopicsOfField),
    "/topics/edits": (get_edits, AllEdits),
    "/topics/map": (get_topic_map, MapOfTexts),
    "/topics/fits": (get_fits, AllFits),
    "/topics/compare": (get_topic_comparison, ComparisonOfTopics),
    "/topics/notes": (get_notes, AllNotes),
    "/topics/{topic_id}": (get_topic, OneTopic),
    "/topics/{topic_id}/notes": (get_topic_notes, AllNotes),
    "/annotations": (get_annotations, AllAnnotations),
    "/views": (get_views, AllViews),
    "/messages": (get_messages, NewestMessages),
    "/changes": (get_changes, ChangesOfField),
    "/friction": (get_friction, FrictionOfField),
    "/answers": (get_answers, AnswersOfField),
    "/retention": (get_retention, RetentionOfTopics),
    "/digest": (get_digest, DigestOfField),
    "/outcomes": (get_outcomes, OutcomesOfField),
    "/sessions": (get_session, OneSession),
    "/sessions/{session_id:id}": (get_session, OneSession),
}
"""By path: the function, and the type of its question, or of one that is answered alike. Where two match, the first.

Names that clients choose go into the path or the query: browsers take the ids `.` and `..` in a path for folders.
"""

JOURNEYS: Paths = {
    "/journeys": (get_journeys, JourneyGraph),
    "/journeys/paths": (get_paths, PathsOfTopic),
    "/journeys/starts": (get_starts, SessionStarts),
    "/journeys/drop-offs": (get_drop_offs, SessionEnds),
    "/journeys/loops": (get_loops, LoopsOfTopics),
    "/journeys/sessions": (get_edge_sessions, SessionsOfEdge),
    "/journeys/compare": (get_comparison, ComparisonOfSegments),
    "/journeys/returns": (get_returns, ReturnsOfUsers),
    "/journeys/funnel": (get_funnel, FunnelOfTopics),
}
