"""`GET /v1/…`: topics, journeys, messages, fields, sessions and use, from the tables alone; and the choice of a type.

What each answers is in `models`; how it is counted in the module of its name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from turret_api.auth import Admin, Reader
from turret_api.errors import invalid
from turret_api.read import edits, fields, journeys, messages, models, paths, sessions, topics
from turret_api.read.answers import AsOf, answer, library, only_known_parameters
from turret_api.read.filters import Filters, filters
from turret_api.read.pages import cut, offset_of
from turret_api.read.snapshot import Snapshot
from turret_pipeline.lake.tables import (
    FIELD_OVERRIDES,
    FIELD_TYPES,
    JOURNEY_EDGES,
    MESSAGES,
    TOPIC_ASSIGNMENTS,
    TOPIC_EDITS,
    TOPICS,
    Table,
)

router = APIRouter(prefix="/v1", tags=["read"], dependencies=[Depends(only_known_parameters)])

FieldName = Annotated[str | None, Query(description="a text field; default: the one with most events", max_length=200)]
Level = Annotated[int, Query(description="0: topics; 1: themes, groups of topics", ge=0, le=1)]
Filtered = Annotated[Filters, Depends(filters)]
Limit = Annotated[int, Query(description="most rows in one answer", ge=1, le=1000)]
Cursor = Annotated[str | None, Query(description="`next` of the page before", max_length=2000)]
TopicId = Annotated[str, Query(description="a topic, `start`, `end` or `unassigned`", min_length=1, max_length=100)]

_JOURNEYS = (*messages.SOURCES, JOURNEY_EDGES)
_STAGES = {"topics": (TOPICS, TOPIC_ASSIGNMENTS), "journeys": (JOURNEY_EDGES, TOPIC_ASSIGNMENTS)}


@router.get("/fields", response_model=models.Fields)
def get_fields(
    request: Request, principal: Reader, limit: Limit = 1000, cursor: Cursor = None, as_of: AsOf = None
) -> Response:
    """Every metadata field with its type, what shows it, and its values, numbers or examples."""
    offset = offset_of(cursor)

    def make(snapshot: Snapshot) -> dict[str, Any]:
        data, following = cut(fields.list_fields(snapshot), offset, limit)
        return {"data": data, "next": following, "built_at": snapshot.built_at(FIELD_TYPES)}

    return answer(request, principal, (FIELD_TYPES, FIELD_OVERRIDES), make, as_of)


@router.patch("/fields/{field:path}", response_model=models.FieldRow)
def patch_field(request: Request, principal: Admin, field: str, choice: models.TypeChoice) -> models.FieldRow:
    """Choose a field's type, or (null) leave it to detection again; what depends on it follows with the next build."""
    opened = library(request)
    row = fields.decide(opened.lake, opened.snapshot(principal.project_id), field, choice.type)
    return models.FieldRow(**row)


@router.get("/topics", response_model=models.Topics)
def get_topics(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    field: FieldName = None,
    level: Level = 0,
    limit: Limit = 1000,
    cursor: Cursor = None,
    as_of: AsOf = None,
) -> Response:
    """The topics of a text field, largest first; their sizes and `n_unassigned` add up to `n_messages`."""
    offset = offset_of(cursor)

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        found = topics.list_topics(snapshot, field, chosen, level)
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
    return answer(request, principal, messages.SOURCES, _of_field(field, "topics", make, empty), as_of)


@router.get("/topics/edits", response_model=models.Edits)
def get_edits(
    request: Request, principal: Reader, limit: Limit = 1000, cursor: Cursor = None, as_of: AsOf = None
) -> Response:
    """What people decided about topics, newest first."""
    offset = offset_of(cursor)

    def make(snapshot: Snapshot) -> dict[str, Any]:
        rows = snapshot.scan(TOPIC_EDITS).drop("project_id").sort("decided_at", descending=True).collect()
        data, following = cut(rows.to_dicts(), offset, limit)
        return {"data": data, "next": following}

    return answer(request, principal, (TOPIC_EDITS,), make, as_of)


@router.post("/topics/edits", response_model=models.Edit)
def post_edit(request: Request, principal: Admin, choice: models.EditChoice) -> models.Edit:
    """Rename, merge or hide a topic, or (value null) take that back; in force at once and through every refit."""
    if choice.action == edits.HIDE and choice.value not in ("true", None):
        raise invalid("value is 'true' to hide a topic and null to show it again.", field="value")
    opened = library(request)
    snapshot = opened.snapshot(principal.project_id)
    field = topics.find_field(snapshot, choice.topic_id, choice.field)
    return models.Edit(**edits.decide(opened.lake, snapshot, field, choice.topic_id, choice.action, choice.value))


@router.get("/topics/{topic_id}", response_model=models.Topic)
def get_topic(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    topic_id: str,
    field: FieldName = None,
    as_of: AsOf = None,
) -> Response:
    """One topic: its series by day, its segments, its neighbours, what came before it and what after."""

    def make(snapshot: Snapshot) -> dict[str, Any]:
        name = topics.find_field(snapshot, topic_id, field)
        now = edits.edits_of(snapshot, name).merged.get(topic_id, topic_id)
        return {**topics.one_topic(snapshot, name, now, chosen), **_stamp(snapshot, name, "topics")}

    return answer(request, principal, _JOURNEYS, make, as_of)


@router.get("/messages", response_model=models.Messages)
def get_messages(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    field: FieldName = None,
    topic_id: Annotated[str | None, Query(description="a topic, or `unassigned`", max_length=100)] = None,
    q: Annotated[
        str | None, Query(description="search by meaning; not available yet, refused", max_length=1000)
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_of: AsOf = None,
) -> Response:
    """Messages with their topics, newest first."""
    if q is not None:
        raise invalid(
            "Search by meaning (q) is not available; filter by topic_id, name, from, to or segment.", field="q"
        )

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        data, following = messages.page(snapshot, field, chosen, topic_id, limit, cursor)
        return {"data": data, "next": following}

    empty: dict[str, Any] = {"data": [], "next": None}
    return answer(request, principal, messages.SOURCES, _of_field(field, "topics", make, empty), as_of)


@router.get("/journeys", response_model=models.Journeys)
def get_journeys(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    field: FieldName = None,
    level: Level = 0,
    limit: Annotated[
        int, Query(description="most edges in the answer; `rest` sums up the others", ge=1, le=100_000)
    ] = 5000,
    as_of: AsOf = None,
) -> Response:
    """How sessions move from topic to topic: nodes and edges whose counts add up."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return journeys.graph(snapshot, field, chosen, level, limit)

    empty: dict[str, Any] = {"nodes": [], "edges": [], "rest": {"edges": 0, "count": 0}, "n_sessions": 0, "n_visits": 0}
    return answer(request, principal, _JOURNEYS, _of_field(field, "journeys", make, empty), as_of)


@router.get("/journeys/paths", response_model=models.Paths)
def get_paths(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    field: FieldName = None,
    topic_id: TopicId = "start",
    direction: Annotated[
        str, Query(description="paths that leave the topic, or that arrive", pattern="^(from|to)$")
    ] = "from",
    depth: Annotated[int, Query(description="most moves in a path", ge=1, le=10)] = 3,
    level: Level = 0,
    limit: Limit = 20,
    as_of: AsOf = None,
) -> Response:
    """The most common paths from or to a topic."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        found = paths.paths(
            snapshot, field, chosen, level, topic_id=topic_id, towards=direction == "to", depth=depth, limit=limit
        )
        return {**found, "next": None}

    empty: dict[str, Any] = {"data": [], "next": None, "n_paths": 0, "rest": {"paths": 0, "count": 0}}
    return answer(request, principal, messages.SOURCES, _of_field(field, "journeys", make, empty), as_of)


@router.get("/journeys/starts", response_model=models.Starts)
def get_starts(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    field: FieldName = None,
    level: Level = 0,
    as_of: AsOf = None,
) -> Response:
    """Where sessions start."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**journeys.starts(snapshot, field, chosen, level), "next": None}

    empty: dict[str, Any] = {"data": [], "next": None, "n_sessions": 0}
    return answer(request, principal, _JOURNEYS, _of_field(field, "journeys", make, empty), as_of)


@router.get("/journeys/drop-offs", response_model=models.DropOffs)
def get_drop_offs(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    field: FieldName = None,
    level: Level = 0,
    as_of: AsOf = None,
) -> Response:
    """Where sessions end."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**journeys.drop_offs(snapshot, field, chosen, level), "next": None}

    empty: dict[str, Any] = {"data": [], "next": None, "n_sessions": 0}
    return answer(request, principal, _JOURNEYS, _of_field(field, "journeys", make, empty), as_of)


@router.get("/journeys/loops", response_model=models.Loops)
def get_loops(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    field: FieldName = None,
    level: Level = 0,
    limit: Limit = 20,
    as_of: AsOf = None,
) -> Response:
    """Pairs of topics that sessions go back and forth between."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**journeys.loops(snapshot, field, chosen, level, limit), "next": None}

    empty: dict[str, Any] = {"data": [], "next": None}
    return answer(request, principal, messages.SOURCES, _of_field(field, "journeys", make, empty), as_of)


@router.get("/journeys/funnel", response_model=models.Funnel)
def get_funnel(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    steps: Annotated[str, Query(description="topics in order, with commas between", min_length=1, max_length=2000)],
    field: FieldName = None,
    within_s: Annotated[float | None, Query(description="most seconds from first to last step", gt=0, le=1e9)] = None,
    level: Level = 0,
    as_of: AsOf = None,
) -> Response:
    """How many sessions go through the given topics in the given order."""
    wanted = [step.strip() for step in steps.split(",")]
    if not all(wanted) or len(wanted) > 20:
        raise invalid("steps is 1 to 20 topic ids with commas between.", field="steps")

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**paths.funnel(snapshot, field, chosen, level, steps=wanted, within_s=within_s), "next": None}

    empty: dict[str, Any] = {"data": [], "next": None, "n_sessions": 0}
    return answer(request, principal, messages.SOURCES, _of_field(field, "journeys", make, empty), as_of)


@router.get("/sessions/{session_id:path}", response_model=models.Session)
def get_session(
    request: Request,
    principal: Reader,
    session_id: str,
    field: FieldName = None,
    limit: Limit = 1000,
    cursor: Cursor = None,
    as_of: AsOf = None,
) -> Response:
    """One session, message by message."""
    offset = offset_of(cursor)

    def make(snapshot: Snapshot) -> dict[str, Any]:
        found = sessions.one_session(snapshot, session_id, messages.choose_field(snapshot, field) if field else None)
        data, following = cut(found.pop("data"), offset, limit)
        return {**found, "data": data, "next": following, "built_at": snapshot.built_at(MESSAGES)}

    return answer(request, principal, messages.SOURCES, make, as_of)


@router.get("/usage", response_model=models.UsageRow)
def get_usage(request: Request, principal: Reader) -> models.UsageRow:
    """The project's plan, what it allows, what of it is used, and when the count begins anew."""
    usage = request.app.state.accounts.usage(principal.project_id)
    return models.UsageRow(plan=usage.plan, limit=usage.limit, used=usage.used, resets_at=usage.resets_at)


def _of_field(
    field: str | None, stage: str, make: Callable[[Snapshot, str], dict[str, Any]], empty: dict[str, Any]
) -> Callable[[Snapshot], dict[str, Any]]:
    """Return `make` for the text field that is meant, with when and by which model; `empty` if there is none yet."""

    def of(snapshot: Snapshot) -> dict[str, Any]:
        chosen = messages.choose_field(snapshot, field)
        body = empty if chosen is None else make(snapshot, chosen)
        return {**body, **_stamp(snapshot, chosen, stage)}

    return of


def _stamp(snapshot: Snapshot, field: str | None, stage: str) -> dict[str, Any]:
    stages: tuple[Table, ...] = _STAGES[stage]
    built_at: dt.datetime | None = snapshot.built_at(*stages)
    return {"built_at": built_at, "model_version": messages.model_version(snapshot, field), "field": field}
