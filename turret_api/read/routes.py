"""`GET /v1/…`: topics, journeys, messages, fields and sessions, from the tables alone; and the choice of a type.

What each answers is in `models`; how it is counted in the module of its name.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from turret_api.auth import Admin, Reader
from turret_api.errors import invalid
from turret_api.read import (
    account_routes,
    edits,
    events,
    fields,
    journey_routes,
    lineage,
    messages,
    search,
    sessions,
    topic_map,
    topics,
)
from turret_api.read.answers import AsOf, Form, answer, library, only_known_parameters
from turret_api.read.models.fields import FieldChange, FieldHistory, FieldRow, Fields, TypeChoice
from turret_api.read.models.messages import EventName, EventNames, MessageRow, Messages, Session, SessionMessage
from turret_api.read.models.topics import Edit, EditChoice, Edits, Fit, Fits, Topic, TopicMap, TopicRow, Topics
from turret_api.read.pages import cut, offset_of
from turret_api.read.parameters import (
    FILES,
    JOURNEY_SOURCES,
    TOPIC_SOURCES,
    Asked,
    Cursor,
    FieldName,
    Filtered,
    Level,
    Limit,
    Listed,
    stamp,
)
from turret_api.read.snapshot import Snapshot
from turret_pipeline.lake.tables import (
    EMBEDDINGS,
    EVENTS,
    FIELD_HISTORY,
    FIELD_OVERRIDES,
    FIELD_TYPES,
    MESSAGES,
    TOPIC_EDITS,
    TOPIC_FITS,
    TOPICS,
)

router = APIRouter(prefix="/v1", tags=["read"], dependencies=[Depends(only_known_parameters)])


@router.get("/events", responses=FILES, response_model=EventNames)
def get_events(request: Request, principal: Reader, as_of: AsOf = None, form: Form = "json") -> Response:
    """The names that events have, most common first, and how many events came on each day."""

    def make(snapshot: Snapshot) -> dict[str, Any]:
        return {**events.names_and_days(snapshot), "next": None, "built_at": snapshot.built_at(EVENTS)}

    return answer(request, principal, (EVENTS,), make, as_of, form=form, row=EventName)


@router.get("/fields", responses=FILES, response_model=Fields)
def get_fields(listed: Listed) -> Response:
    """Every metadata field with its type, what shows it, and its values, numbers or examples."""

    def make(snapshot: Snapshot) -> dict[str, Any]:
        return {"data": fields.list_fields(snapshot), "built_at": snapshot.built_at(FIELD_TYPES)}

    return listed.answer((FIELD_TYPES, FIELD_OVERRIDES), make, FieldRow)


@router.get("/fields/{field:path}/history", responses=FILES, response_model=FieldHistory)
def get_field_history(listed: Listed, field: str) -> Response:
    """What type a field was found to be or was chosen to be, when and why; newest first."""

    def make(snapshot: Snapshot) -> dict[str, Any]:
        return {"field": field, "data": fields.history(snapshot, field), "built_at": snapshot.built_at(FIELD_TYPES)}

    return listed.answer((FIELD_TYPES, FIELD_HISTORY, FIELD_OVERRIDES), make, FieldChange)


@router.patch("/fields/{field:path}", response_model=FieldRow)
def patch_field(request: Request, principal: Admin, field: str, choice: TypeChoice) -> FieldRow:
    """Choose a field's type, or (null) leave it to detection again; what depends on it follows with the next build."""
    opened = library(request)
    row = fields.decide(opened.lake, opened.snapshot(principal.project_id), field, choice.type)
    opened.look_again()
    return FieldRow(**row)


@router.get("/topics", responses=FILES, response_model=Topics)
def get_topics(asked: Asked, level: Level = 0, limit: Limit = 1000, cursor: Cursor = None) -> Response:
    """The topics of a text field, largest first; their sizes and `n_unassigned` add up to `n_messages`."""
    offset = offset_of(cursor)

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        found = topics.list_topics(snapshot, field, asked.filters, level)
        data, following = cut(found.pop("data"), offset, limit)
        return {"data": data, "next": following, **found}

    empty: dict[str, Any] = {
        "data": [],
        "next": None,
        "n_messages": 0,
        "n_unassigned": 0,
        "n_hidden": 0,
        "messages_per_day": [],
    }
    return asked.answer("topics", TOPIC_SOURCES, make, empty, TopicRow)


@router.get("/topics/edits", responses=FILES, response_model=Edits)
def get_edits(listed: Listed) -> Response:
    """What people decided about topics, newest first."""

    def make(snapshot: Snapshot) -> dict[str, Any]:
        rows = snapshot.scan(TOPIC_EDITS).drop("project_id").sort("decided_at", descending=True)
        return {"data": rows.collect().to_dicts()}

    return listed.answer((TOPIC_EDITS,), make, Edit)


@router.post("/topics/edits", response_model=Edit)
def post_edit(request: Request, principal: Admin, choice: EditChoice) -> Edit:
    """Rename, merge, hide or pin a topic, or (value null) take that back; in force at once and through every refit."""
    if choice.action in (edits.HIDE, edits.PIN) and choice.value not in ("true", None):
        raise invalid(f"value is 'true' to {choice.action} a topic and null to take that back.", field="value")
    opened = library(request)
    snapshot = opened.snapshot(principal.project_id)
    field = topics.find_field(snapshot, choice.topic_id, choice.field)
    decided = edits.decide(opened.lake, snapshot, field, choice.topic_id, choice.action, choice.value)
    opened.look_again()
    return Edit(**decided)


@router.get("/topics/map", response_model=TopicMap)
def get_topic_map(
    asked: Asked, limit: Annotated[int, Query(description="most texts in one answer", ge=1, le=100_000)] = 20_000
) -> Response:
    """A place on the topic map for each distinct text, column by column; past the limit, for an even sample."""
    empty: dict[str, Any] = {**{name: [] for name in topic_map.COLUMNS}, "n_texts": 0}

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return topic_map.topic_map(snapshot, field, asked.filters, limit)

    return asked.answer("topics", messages.SOURCES, make, empty)


@router.get("/topics/fits", responses=FILES, response_model=Fits)
def get_fits(listed: Listed) -> Response:
    """Every fit of topics, newest first: why it was made, what it found, and how far it moved what there was."""

    def make(snapshot: Snapshot) -> dict[str, Any]:
        return {"data": lineage.list_fits(snapshot), "built_at": snapshot.built_at(TOPICS)}

    return listed.answer((TOPIC_FITS,), make, Fit)


@router.get("/topics/{topic_id}", response_model=Topic)
def get_topic(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    topic_id: str,
    field: FieldName = None,
    as_of: AsOf = None,
) -> Response:
    """One topic: its series by day, its segments, its neighbours, what came before it and after it, and its lineage."""

    def make(snapshot: Snapshot) -> dict[str, Any]:
        name = topics.find_field(snapshot, topic_id, field)
        now = edits.edits_of(snapshot, name).merged.get(topic_id, topic_id)
        return {**topics.one_topic(snapshot, name, now, chosen), **stamp(snapshot, name, "topics")}

    return answer(request, principal, (*JOURNEY_SOURCES, *TOPIC_SOURCES), make, as_of)


@router.get("/messages", responses=FILES, response_model=Messages)
def get_messages(
    asked: Asked,
    topic_id: Annotated[str | None, Query(description="a topic, or `unassigned`", max_length=100)] = None,
    q: Annotated[
        str | None,
        Query(description="search by meaning: messages most similar to this text first", min_length=1, max_length=1000),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Messages with their topics, newest first; with `q` those most similar to it in meaning first."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        if q is not None:
            data, following = search.page(snapshot, field, asked.filters, topic_id, q, limit, cursor)
            return {"data": data, "next": following}
        data, following = messages.page(snapshot, field, asked.filters, topic_id, limit, cursor)
        return {"data": data, "next": following}

    sources = messages.SOURCES if q is None else (*messages.SOURCES, EMBEDDINGS)
    empty: dict[str, Any] = {"data": [], "next": None}
    return asked.answer("topics", sources, make, empty, MessageRow)


router.include_router(journey_routes.router)


@router.get("/sessions/{session_id:path}", responses=FILES, response_model=Session)
def get_session(listed: Listed, session_id: str, field: FieldName = None) -> Response:
    """One session, message by message."""

    def make(snapshot: Snapshot) -> dict[str, Any]:
        chosen = messages.choose_field(snapshot, field) if field else None
        return {**sessions.one_session(snapshot, session_id, chosen), "built_at": snapshot.built_at(MESSAGES)}

    return listed.answer(messages.SOURCES, make, SessionMessage)


router.include_router(account_routes.router)
