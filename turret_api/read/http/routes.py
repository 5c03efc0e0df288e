"""`/v1/…` as a router: the questions about tables, the changes that people make, and the project itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from turret_api import path_ids
from turret_api.accounts import Accounts, audit
from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.errors import invalid
from turret_api.freshness import Freshness
from turret_api.read.engine.engine import Engine
from turret_api.read.engine.question import Question, Spoken
from turret_api.read.http.changes import change_router
from turret_api.read.http.few import OfProject, few_router, no_rules
from turret_api.read.http.keeping import keeping_router
from turret_api.read.http.notebook import notebook_router
from turret_api.read.http.parameters import AsOf, Form, only_known_parameters, utc
from turret_api.read.http.project import project_router
from turret_api.read.http.questions import JOURNEYS, READ
from turret_api.read.http.replies import FILE_FORMS, MEDIA, Replies
from turret_api.read.questions.viewers import of_viewer
from turret_api.roles import ANALYST

Responses = dict[int | str, dict[str, Any]]


def _also(schema: dict[str, str], *media: str) -> Responses:
    """Return what the document says of an answer that comes as these media types too."""
    return {200: {"content": {each.split(";")[0]: {"schema": schema} for each in media}}}


FILES = _also({"type": "string", "format": "binary"}, MEDIA["csv"], MEDIA["parquet"])
FILES[200]["content"] |= _also({"type": "string"}, MEDIA["sql"])[200]["content"]
WORDS = _also({"type": "string"}, MEDIA["text"], MEDIA["markdown"])
SQL = _also({"type": "string"}, MEDIA["sql"])


def read_router(
    engine: Engine, gate: Gate, accounts: Accounts, freshness: Freshness, few: OfProject = no_rules
) -> APIRouter:
    """Return the read API over `engine`, `accounts` and `freshness`, for clients that `gate` lets in.

    few: says of how many users the counts that a project's viewers see must be.
    """
    path_ids.install()
    router = APIRouter(prefix="/v1", tags=["read"], dependencies=[Depends(only_known_parameters)], route_class=KeyFirst)
    replies = Replies(engine)
    for tag, paths in (("read", READ), ("journeys", JOURNEYS)):
        for path, (parse, kind) in paths.items():
            router.add_api_route(
                path,
                _endpoint(parse, replies, gate.viewer if kind.is_open else gate.reader, few, accounts),
                methods=["GET"],
                response_model=kind.answers,
                responses=FILES if kind.row() else WORDS if issubclass(kind.answers, Spoken) else SQL,
                tags=[] if tag == "read" else [tag],
            )
    router.include_router(change_router(engine, gate))
    router.include_router(notebook_router(engine.library, gate))
    router.include_router(keeping_router(engine.library, gate, accounts))
    router.include_router(project_router(engine.library, gate, accounts, freshness))
    router.include_router(few_router(gate, accounts))
    return router


def _endpoint(
    parse: Callable[..., Question],
    replies: Replies,
    judge: Callable[..., Principal],
    few: OfProject,
    accounts: Accounts,
) -> Callable[..., Response]:
    """Return what answers a request, of a client that `judge` lets in, for the question that `parse` reads off it."""
    reader, parsed = Depends(judge), Depends(parse)

    def endpoint(
        request: Request,
        principal: Principal = reader,
        question: Question = parsed,
        as_of: AsOf = None,
        form: Form = "json",
    ) -> Response:
        if not principal.may(ANALYST):
            if as_of is not None:
                raise invalid("A viewer asks for the tables as they are now; leave out `as_of`.", field="as_of")
            question = of_viewer(question, few(principal.project_id).viewers)
        response = replies.reply(request, principal, question, form, utc(as_of))
        if form in FILE_FORMS and response.status_code == 200:
            about = {"route": request.scope["route"].path, "format": form}
            audit.note(accounts, principal.project_id, principal.actor, "export", about)
        return response

    endpoint.__name__, endpoint.__doc__ = parse.__name__, parse.__doc__
    return endpoint
