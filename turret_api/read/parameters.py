"""What the routes have in common: their parameters, declared once, and which text field a question is about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from turret_api.auth import Principal, Reader
from turret_api.read import messages
from turret_api.read.answers import AsOf, Form, answer
from turret_api.read.filters import Filters, filters
from turret_api.read.pages import cut, offset_of
from turret_api.read.snapshot import Snapshot
from turret_api.read.tabular import MEDIA
from turret_pipeline.lake.tables import (
    JOURNEY_EDGES,
    JOURNEY_STEPS,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPIC_LINEAGE,
    TOPICS,
    Table,
)

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
STAGES = {"topics": (TOPICS, TOPIC_ASSIGNMENTS), "journeys": (JOURNEY_STEPS, JOURNEY_EDGES)}
TOPIC_SOURCES = (*messages.SOURCES, TOPIC_DAYS, TOPIC_LINEAGE)


@dataclass(frozen=True)
class Question:
    """What may be said to every route that answers about the messages of a text field, and who asks."""

    request: Request
    principal: Principal
    filters: Filters
    field: str | None
    as_of: dt.datetime | None
    form: str

    def answer(
        self,
        stage: str,
        sources: tuple[Table, ...],
        make: Callable[[Snapshot, str], dict[str, Any]],
        empty: dict[str, Any],
        row: type[BaseModel] | None = None,
    ) -> Response:
        """Return what `make` says of the text field that is meant, with when and by which model its `stage` was built;
        `empty` if there is no text field yet.

        sources: the tables that the answer follows from. row: as of `answers.answer`.
        """

        def of_field(snapshot: Snapshot) -> dict[str, Any]:
            chosen = messages.choose_field(snapshot, self.field)
            body = empty if chosen is None else make(snapshot, chosen)
            return {**body, **stamp(snapshot, chosen, stage)}

        return answer(self.request, self.principal, sources, of_field, self.as_of, form=self.form, row=row)


def question(
    request: Request,
    principal: Reader,
    chosen: Filtered,
    field: FieldName = None,
    as_of: AsOf = None,
    form: Form = "json",
) -> Question:
    """Return what the query string says."""
    return Question(request, principal, chosen, field, as_of, form)


Asked = Annotated[Question, Depends(question)]


@dataclass(frozen=True)
class List:
    """What may be said to every route that lists something of the whole project, and who asks."""

    request: Request
    principal: Principal
    limit: int
    offset: int
    as_of: dt.datetime | None
    form: str

    def answer(
        self, sources: tuple[Table, ...], make: Callable[[Snapshot], dict[str, Any]], row: type[BaseModel]
    ) -> Response:
        """Return what `make` says, with of its list `data` the page that is asked for, and the `next`.

        sources: the tables that the answer follows from. row: as of `answers.answer`.
        """

        def page(snapshot: Snapshot) -> dict[str, Any]:
            found = make(snapshot)
            data, following = cut(found["data"], self.offset, self.limit)
            return {**found, "data": data, "next": following}

        return answer(self.request, self.principal, sources, page, self.as_of, form=self.form, row=row)


def listed(
    request: Request,
    principal: Reader,
    limit: Limit = 1000,
    cursor: Cursor = None,
    as_of: AsOf = None,
    form: Form = "json",
) -> List:
    """Return what the query string says."""
    return List(request, principal, limit, offset_of(cursor), as_of, form)


Listed = Annotated[List, Depends(listed)]


def stamp(snapshot: Snapshot, field: str | None, stage: str) -> dict[str, Any]:
    """Return when the stage was built, by which model, and about which field."""
    stages: tuple[Table, ...] = STAGES[stage]
    version = messages.model_version(snapshot, field)
    return {"built_at": snapshot.built_at(*stages), "model_version": version, "field": field}
