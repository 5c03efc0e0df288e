"""`GET /v1/journeys…`: the graph, and what is read off the visits behind it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from turret_api.errors import invalid
from turret_api.read import compare, journeys, moved, paths, returns
from turret_api.read.models.comparisons import Comparison, EdgeDifference, ReturnPair, Returns
from turret_api.read.models.journeys import (
    DropOff,
    DropOffs,
    Edge,
    EdgeSession,
    EdgeSessions,
    Funnel,
    Journeys,
    Loop,
    Loops,
    Path,
    Paths,
    Start,
    Starts,
    Step,
)
from turret_api.read.numbers import edge_numbers
from turret_api.read.pages import after, offset_of
from turret_api.read.parameters import FILES, JOURNEY_SOURCES, Asked, Cursor, Level, Limit, TopicId
from turret_api.read.snapshot import Snapshot

router = APIRouter(tags=["journeys"])


@router.get("/journeys", responses=FILES, response_model=Journeys)
def get_journeys(
    asked: Asked,
    level: Level = 0,
    limit: Annotated[
        int, Query(description="most edges in the answer; `rest` sums up the others", ge=1, le=100_000)
    ] = 5000,
    number: Annotated[
        str | None, Query(description="a number field to add up over the moves of each edge", max_length=200)
    ] = None,
) -> Response:
    """How sessions move from topic to topic: nodes and edges whose counts add up."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        found = journeys.graph(snapshot, field, asked.filters, level, limit)
        if number is not None:
            by_edge = edge_numbers(snapshot, field, number, asked.filters, level)
            for edge in found["edges"]:
                # Null while a build is between the steps and the edges, and the one lacks a move of the other.
                edge["number"] = by_edge.get((edge["from"], edge["to"]))
        return found

    empty: dict[str, Any] = {"nodes": [], "edges": [], "rest": {"edges": 0, "count": 0}, "n_sessions": 0, "n_visits": 0}
    return asked.answer("journeys", JOURNEY_SOURCES, make, empty, Edge)


@router.get("/journeys/paths", responses=FILES, response_model=Paths)
def get_paths(
    asked: Asked,
    topic_id: TopicId = "start",
    direction: Annotated[
        str, Query(description="paths that leave the topic, or that arrive", pattern="^(from|to)$")
    ] = "from",
    depth: Annotated[int, Query(description="most moves in a path", ge=1, le=10)] = 3,
    level: Level = 0,
    limit: Limit = 20,
) -> Response:
    """The most common paths from or to a topic."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        found = paths.paths(
            snapshot,
            field,
            asked.filters,
            level,
            topic_id=topic_id,
            towards=direction == "to",
            depth=depth,
            limit=limit,
        )
        return {**found, "next": None}

    empty: dict[str, Any] = {"data": [], "next": None, "n_paths": 0, "rest": {"paths": 0, "count": 0}}
    return asked.answer("journeys", JOURNEY_SOURCES, make, empty, Path)


@router.get("/journeys/starts", responses=FILES, response_model=Starts)
def get_starts(asked: Asked, level: Level = 0) -> Response:
    """Where sessions start."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**journeys.starts(snapshot, field, asked.filters, level), "next": None}

    empty: dict[str, Any] = {"data": [], "next": None, "n_sessions": 0}
    return asked.answer("journeys", JOURNEY_SOURCES, make, empty, Start)


@router.get("/journeys/drop-offs", responses=FILES, response_model=DropOffs)
def get_drop_offs(asked: Asked, level: Level = 0) -> Response:
    """Where sessions end."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**journeys.drop_offs(snapshot, field, asked.filters, level), "next": None}

    empty: dict[str, Any] = {"data": [], "next": None, "n_sessions": 0}
    return asked.answer("journeys", JOURNEY_SOURCES, make, empty, DropOff)


@router.get("/journeys/loops", responses=FILES, response_model=Loops)
def get_loops(asked: Asked, level: Level = 0, limit: Limit = 20) -> Response:
    """Pairs of topics that sessions go back and forth between."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**journeys.loops(snapshot, field, asked.filters, level, limit), "next": None}

    empty: dict[str, Any] = {"data": [], "next": None, "rest": {"loops": 0, "count": 0}}
    return asked.answer("journeys", JOURNEY_SOURCES, make, empty, Loop)


@router.get("/journeys/sessions", responses=FILES, response_model=EdgeSessions)
def get_edge_sessions(
    asked: Asked,
    from_topic: Annotated[str | None, Query(description="a topic, `start` or `unassigned`", max_length=100)] = None,
    to_topic: Annotated[str | None, Query(description="a topic, `end` or `unassigned`", max_length=100)] = None,
    level: Level = 0,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The sessions behind an edge, those that moved so last first; one end alone stands for all edges from or to it."""
    offset = offset_of(cursor)

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        found, more = moved.sessions(
            snapshot,
            field,
            asked.filters,
            level,
            from_topic=from_topic,
            to_topic=to_topic,
            offset=offset,
            limit=limit,
        )
        return {**found, "next": after(offset + limit) if more else None}

    empty: dict[str, Any] = {"data": [], "next": None, "n_sessions": 0, "n_moves": 0}
    return asked.answer("journeys", JOURNEY_SOURCES, make, empty, EdgeSession)


@router.get("/journeys/compare", responses=FILES, response_model=Comparison)
def get_comparison(asked: Asked, segments: compare.Sides, level: Level = 0, limit: Limit = 100) -> Response:
    """Which moves the sessions of one segment make more often than those of another, and how sure that is."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**compare.compare(snapshot, field, asked.filters, level, segments, limit), "next": None}

    empty: dict[str, Any] = {
        "data": [],
        "next": None,
        "n_sessions": {"a": 0, "b": 0},
        "n_sessions_in_both": 0,
        "rest": {"edges": 0, "count": 0},
    }
    return asked.answer("journeys", JOURNEY_SOURCES, make, empty, EdgeDifference)


@router.get("/journeys/returns", responses=FILES, response_model=Returns)
def get_returns(asked: Asked, level: Level = 0, limit: Limit = 100) -> Response:
    """How users come back: after how long, for what, and from which topic of one session to which of the next."""

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {**returns.returns(snapshot, field, asked.filters, level, limit), "next": None}

    empty: dict[str, Any] = {
        "data": [],
        "next": None,
        "rest": {"pairs": 0, "count": 0},
        "topics": [],
        **dict.fromkeys(("n_users", "n_returning_users", "n_sessions", "n_returns"), 0),
        "interval_quantiles_s": {},
        "intervals": [],
    }
    return asked.answer("journeys", JOURNEY_SOURCES, make, empty, ReturnPair)


@router.get("/journeys/funnel", responses=FILES, response_model=Funnel)
def get_funnel(
    asked: Asked,
    steps: Annotated[str, Query(description="topics in order, with commas between", min_length=1, max_length=2000)],
    within_s: Annotated[float | None, Query(description="most seconds from first to last step", gt=0, le=1e9)] = None,
    level: Level = 0,
) -> Response:
    """How many sessions go through the given topics in the given order."""
    wanted = [step.strip() for step in steps.split(",")]
    if not all(wanted) or len(wanted) > 20:
        raise invalid("steps is 1 to 20 topic ids with commas between.", field="steps")

    def make(snapshot: Snapshot, field: str) -> dict[str, Any]:
        return {
            **paths.funnel(snapshot, field, asked.filters, level, steps=wanted, within_s=within_s),
            "next": None,
        }

    empty: dict[str, Any] = {"data": [], "next": None, "n_sessions": 0}
    return asked.answer("journeys", JOURNEY_SOURCES, make, empty, Step)
