"""`GET /v1/journeys…`: the graph, and what is read off the visits behind it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from turret_api.auth import Reader
from turret_api.errors import invalid
from turret_api.read import journeys, messages, models, paths
from turret_api.read.answers import AsOf, Form, answer
from turret_api.read.numbers import edge_numbers
from turret_api.read.parameters import FILES, JOURNEY_SOURCES, FieldName, Filtered, Level, Limit, TopicId, of_field
from turret_api.read.snapshot import Snapshot

router = APIRouter(tags=["journeys"])


@router.get("/journeys", responses=FILES, response_model=models.Journeys)
def get_journeys(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    field: FieldName = None,
    level: Level = 0,
    limit: Annotated[
        int, Query(description="most edges in the answer; `rest` sums up the others", ge=1, le=100_000)
    ] = 5000,
    number: Annotated[
        str | None, Query(description="a number field to add up over the moves of each edge", max_length=200)
    ] = None,
    as_of: AsOf = None,
    form: Form = "json",
) -> Response:
    """How sessions move from topic to topic: nodes and edges whose counts add up."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        found = journeys.graph(snapshot, field, chosen, level, limit)
        if number is not None:
            by_edge = edge_numbers(snapshot, field, number, chosen, level)
            for edge in found["edges"]:
                edge["number"] = by_edge[edge["from"], edge["to"]]
        return found

    empty: dict[str, Any] = {"nodes": [], "edges": [], "rest": {"edges": 0, "count": 0}, "n_sessions": 0, "n_visits": 0}
    return answer(
        request, principal, JOURNEY_SOURCES, of_field(field, "journeys", make, empty), as_of, form=form, row=models.Edge
    )


@router.get("/journeys/paths", responses=FILES, response_model=models.Paths)
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
    form: Form = "json",
) -> Response:
    """The most common paths from or to a topic."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        found = paths.paths(
            snapshot, field, chosen, level, topic_id=topic_id, towards=direction == "to", depth=depth, limit=limit
        )
        return {**found, "next": None}

    empty: dict[str, Any] = {"data": [], "next": None, "n_paths": 0, "rest": {"paths": 0, "count": 0}}
    return answer(
        request,
        principal,
        messages.SOURCES,
        of_field(field, "journeys", make, empty),
        as_of,
        form=form,
        row=models.Path,
    )


@router.get("/journeys/starts", responses=FILES, response_model=models.Starts)
def get_starts(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    field: FieldName = None,
    level: Level = 0,
    as_of: AsOf = None,
    form: Form = "json",
) -> Response:
    """Where sessions start."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**journeys.starts(snapshot, field, chosen, level), "next": None}

    empty: dict[str, Any] = {"data": [], "next": None, "n_sessions": 0}
    asked = of_field(field, "journeys", make, empty)
    return answer(request, principal, JOURNEY_SOURCES, asked, as_of, form=form, row=models.Start)


@router.get("/journeys/drop-offs", responses=FILES, response_model=models.DropOffs)
def get_drop_offs(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    field: FieldName = None,
    level: Level = 0,
    as_of: AsOf = None,
    form: Form = "json",
) -> Response:
    """Where sessions end."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**journeys.drop_offs(snapshot, field, chosen, level), "next": None}

    empty: dict[str, Any] = {"data": [], "next": None, "n_sessions": 0}
    asked = of_field(field, "journeys", make, empty)
    return answer(request, principal, JOURNEY_SOURCES, asked, as_of, form=form, row=models.DropOff)


@router.get("/journeys/loops", responses=FILES, response_model=models.Loops)
def get_loops(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    field: FieldName = None,
    level: Level = 0,
    limit: Limit = 20,
    as_of: AsOf = None,
    form: Form = "json",
) -> Response:
    """Pairs of topics that sessions go back and forth between."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**journeys.loops(snapshot, field, chosen, level, limit), "next": None}

    empty: dict[str, Any] = {"data": [], "next": None}
    return answer(
        request,
        principal,
        messages.SOURCES,
        of_field(field, "journeys", make, empty),
        as_of,
        form=form,
        row=models.Loop,
    )


@router.get("/journeys/funnel", responses=FILES, response_model=models.Funnel)
def get_funnel(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    steps: Annotated[str, Query(description="topics in order, with commas between", min_length=1, max_length=2000)],
    field: FieldName = None,
    within_s: Annotated[float | None, Query(description="most seconds from first to last step", gt=0, le=1e9)] = None,
    level: Level = 0,
    as_of: AsOf = None,
    form: Form = "json",
) -> Response:
    """How many sessions go through the given topics in the given order."""
    wanted = [step.strip() for step in steps.split(",")]
    if not all(wanted) or len(wanted) > 20:
        raise invalid("steps is 1 to 20 topic ids with commas between.", field="steps")

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**paths.funnel(snapshot, field, chosen, level, steps=wanted, within_s=within_s), "next": None}

    empty: dict[str, Any] = {"data": [], "next": None, "n_sessions": 0}
    return answer(
        request,
        principal,
        messages.SOURCES,
        of_field(field, "journeys", make, empty),
        as_of,
        form=form,
        row=models.Step,
    )
