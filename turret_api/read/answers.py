"""From a question to its bytes: one state of the tables, an ETag of it, and each answer made once while it holds."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import threading
from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from turret_api.auth import Principal
from turret_api.errors import UnavailableError, invalid
from turret_api.read.calculator import Calculator
from turret_api.read.filters import SEGMENT, utc
from turret_api.read.front import SLOT, Kept
from turret_api.read.snapshot import Library, Snapshot
from turret_api.read.tabular import MEDIA, Format, encode
from turret_pipeline.lake.tables import BUILDS, Table

Form = Annotated[Format, Query(alias="format", description="csv and parquet give the list alone, as a file")]
AsOf = Annotated[
    dt.datetime | None, Query(description="answer from the tables as they were at this time (while its files are kept)")
]
PACKED_FROM, PACKING = 2_000, 5
"""Bytes from which an answer is packed for who takes gzip, and how hard: a graph becomes a tenth in some 10 ms."""
_opening = threading.Lock()


def library(request: Request) -> Library:
    """Return the application's open tables; opened at the first question."""
    state = request.app.state
    with _opening:
        if getattr(state, "library", None) is None:
            state.library = Library(state.lake)
    found: Library = state.library
    return found


def answer(
    request: Request,
    principal: Principal,
    tables: tuple[Table, ...],
    make: Callable[[Snapshot], dict[str, Any]],
    as_of: dt.datetime | None = None,
    *,
    form: str = "json",
    row: type[BaseModel] | None = None,
) -> Response:
    """Return what `make` says of the project's `tables`, or 304 if the client has it already.

    make: from a snapshot to the answer's body; run at most once for one URL and one state of `tables`.
    form: csv or parquet for the body's list alone, whose rows are of the model `row`; the cursor of the next page is
    then in the header `Next-Cursor`.
    """
    if row is None and form != "json":
        raise invalid("This answer is no list, so it comes as JSON alone.", field="format")
    try:
        return _answer(request, principal, tables, make, as_of, form, row)
    except FileNotFoundError:
        # An old file was cleaned away between the look at the table and the look into it.
        if as_of is not None:
            raise invalid("The tables of that time are no longer kept; ask for a later one.", field="as_of") from None
    try:
        return _answer(request, principal, tables, make, as_of, form, row)
    except FileNotFoundError:
        raise UnavailableError("The tables are being cleaned up; ask again.") from None


def _answer(
    request: Request,
    principal: Principal,
    tables: tuple[Table, ...],
    make: Callable[[Snapshot], dict[str, Any]],
    as_of: dt.datetime | None,
    form: str,
    row: type[BaseModel] | None,
) -> Response:
    opened = library(request)
    snapshot = opened.snapshot(principal.project_id, utc(as_of))
    state = snapshot.state(*tables, BUILDS)
    url = f"{request.url.path}?{request.url.query}"
    tag = f'"{hashlib.blake2b(f"{state} {url}".encode(), digest_size=12).hexdigest()}"'
    packed_tag = f'{tag[:-1]}-gzip"'
    vary = "X-API-Key, X-Project, Cookie, Accept-Encoding"
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": vary}
    known = _matching(request.headers.get("If-None-Match"), tag, packed_tag)
    if known is not None:
        return Response(status_code=304, headers={**headers, "ETag": known})

    def work() -> tuple[bytes, str | None]:
        with opened.working():
            calculator: Calculator | None = getattr(request.app.state, "calculator", None)
            if calculator is not None:
                found = calculator.ask(principal.project_id, request.url.path, request.scope["query_string"])
                return found.content, found.headers.get("next-cursor")
            body = make(snapshot)
            if row is None or form == "json":
                return orjson.dumps(body), None
            return encode(body["data"] if "data" in body else body["edges"], row, form), body.get("next")

    content, following = opened.answers.get((state, url), work, lambda made: len(made[0]))
    if following is not None:
        headers["Next-Cursor"] = following
    if len(content) >= PACKED_FROM and "gzip" in request.headers.get("Accept-Encoding", ""):
        plain = content
        content = opened.answers.get((packed_tag, principal.project_id), lambda: gzip.compress(plain, PACKING), len)
        headers |= {"ETag": packed_tag, "Content-Encoding": "gzip"}
    response = Response(content, media_type=MEDIA.get(form, "application/json"), headers=headers)
    if snapshot.generation is not None and SLOT in request.scope:
        kept = Kept(snapshot.generation, principal.project_id, headers["ETag"].encode(), response.raw_headers, content)
        request.scope[SLOT].append(kept)
    return response


def _matching(asked: str | None, *tags: str) -> str | None:
    """Return the one of `tags` that the header `If-None-Match` names, if it does."""
    if asked is None:
        return None
    named = [each.strip().removeprefix("W/") for each in asked.split(",")]
    return tags[0] if "*" in named else next((tag for tag in tags if tag in named), None)


def only_known_parameters(request: Request) -> None:
    """Raise an `ApiError` if the query string has a key that the route does not know."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    known = _query_keys(route.dependant)
    known |= {f"{SEGMENT}<field>"} if "from" in known else set()
    starts = [name.removesuffix("<field>") for name in known if name.endswith("<field>")]
    for key in request.query_params:
        if key not in known and not any(key.startswith(start) and len(key) > len(start) for start in starts):
            names = ", ".join(sorted(known))
            raise invalid(f"There is no parameter {key!r} here; there are: {names}.", field=key)


def _query_keys(dependant: Dependant) -> set[str]:
    keys = {param.alias for param in dependant.query_params}
    return keys.union(*(_query_keys(each) for each in dependant.dependencies))
