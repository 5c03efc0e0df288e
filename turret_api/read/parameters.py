"""What the routes have in common: their parameters, and which text field a question is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Query

from turret_api.read import messages
from turret_api.read.filters import Filters, filters
from turret_api.read.snapshot import Snapshot
from turret_api.read.tabular import MEDIA
from turret_pipeline.lake.tables import JOURNEY_EDGES, TOPIC_ASSIGNMENTS, TOPICS, Table

FieldName = Annotated[str | None, Query(description="a text field; default: the one with most events", max_length=200)]
Level = Annotated[int, Query(description="0: topics; 1: themes, groups of topics", ge=0, le=1)]
Filtered = Annotated[Filters, Depends(filters)]
Limit = Annotated[int, Query(description="most rows in one answer", ge=1, le=1000)]
Cursor = Annotated[str | None, Query(description="`next` of the page before", max_length=2000)]
TopicId = Annotated[str, Query(description="a topic, `start`, `end` or `unassigned`", min_length=1, max_length=100)]

FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            media: {"schema": {"type": "string", "format": "binary"}} for media in ("text/csv", MEDIA["parquet"])
        }
    }
}
JOURNEY_SOURCES = (*messages.SOURCES, JOURNEY_EDGES)
STAGES = {"topics": (TOPICS, TOPIC_ASSIGNMENTS), "journeys": (JOURNEY_EDGES, TOPIC_ASSIGNMENTS)}


def of_field(
    field: str | None, stage: str, make: Callable[[Snapshot, str], dict[str, Any]], empty: dict[str, Any]
) -> Callable[[Snapshot], dict[str, Any]]:
    """Return `make` for the text field that is meant, with when and by which model; `empty` if there is none yet."""

    def of(snapshot: Snapshot) -> dict[str, Any]:
        chosen = messages.choose_field(snapshot, field)
        body = empty if chosen is None else make(snapshot, chosen)
        return {**body, **stamp(snapshot, chosen, stage)}

    return of


def stamp(snapshot: Snapshot, field: str | None, stage: str) -> dict[str, Any]:
    stages: tuple[Table, ...] = STAGES[stage]
    """Return when the stage was built, by which model, and about which field."""
    version = messages.model_version(snapshot, field)
    return {"built_at": snapshot.built_at(*stages), "model_version": version, "field": field}
