"""`/v1/…` as a router: the questions about tables, the changes that people make, and the project itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from turret_api import path_ids
from turret_api.accounts import Accounts
from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.freshness import Freshness
from turret_api.read.engine.engine import Engine
from turret_api.read.engine.question import Question
from turret_api.read.http.changes import change_router
from turret_api.read.http.parameters import AsOf, Form, only_known_parameters, utc
from turret_api.read.http.project import project_router
from turret_api.read.http.questions import JOURNEYS, READ
from turret_api.read.http.replies import MEDIA, Replies

SQL: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
FILES: dict[str, Any] = {
    media: {"schema": {"type": "string", "format": "binary"}} for media in ("text/csv", MEDIA["parquet"])
}


def read_router(engine: Engine, gate: Gate, accounts: Accounts, freshness: Freshness) -> APIRouter:
    """Return the read API over `engine`, `accounts` and `freshness`, for clients that `gate` lets in."""
    path_ids.install()
    router = APIRouter(prefix="/v1", tags=["read"], dependencies=[Depends(only_known_parameters)], route_class=KeyFirst)
    replies = Replies(engine)
    for tag, paths in (("read", READ), ("journeys", JOURNEYS)):
        for path, (parse, kind) in paths.items():
            router.add_api_route(
                path,
                _endpoint(parse, replies, gate),
                methods=["GET"],
                response_model=kind.answers,
                responses={200: {"content": {**SQL, **(FILES if kind.row() else {})}}},
                tags=[] if tag == "read" else [tag],
            )
    router.include_router(change_router(engine, gate))
    router.include_router(project_router(engine.library, gate, accounts, freshness))
    return router


def _endpoint(parse: Callable[..., Question], replies: Replies, gate: Gate) -> Callable[..., Response]:
    """Return what answers a request for the question that `parse` reads off it."""
    reader, parsed = Depends(gate.reader), Depends(parse)

    def endpoint(
        request: Request,
        principal: Principal = reader,
        question: Question = parsed,
        as_of: AsOf = None,
        form: Form = "json",
    ) -> Response:
        return replies.reply(request, principal, question, form, utc(as_of))

    endpoint.__name__, endpoint.__doc__ = parse.__name__, parse.__doc__
    return endpoint
