"""The one place that turns errors into HTTP: what `errors` declares, the framework's own, and bugs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from turret_api.errors import (
    INVALID_REQUEST,
    SERVICE_UNAVAILABLE,
    ApiError,
    AwayError,
    DamagedError,
    FailedError,
    invalid,
)
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.objects import UnreachableError

log = logging.getLogger(__name__)

_WORDS = {
    404: "There is nothing at this address; see the API's document at /openapi.json.",
    405: "This address does not take this method; the Allow header names those it takes.",
    415: "This content type is not taken here; send application/json.",
}


def answer(error: ApiError) -> Response:
    """Return the answer that tells `error`, in the contract's shape."""
    return Response(msgspec.json.encode(error.body()), error.status, error.headers, "application/json")


def install(app: FastAPI, nothing_here: Callable[[Request], Response]) -> None:
    """After this call every error that leaves `app` has the contract's shape.

    nothing_here: the page for a browser that comes to an address at which there is nothing.
    """
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(DamageError, _answer_damage)
    app.add_exception_handler(UnreachableError, _answer_away)
    app.add_exception_handler(HTTPException, partial(_answer_framework_error, nothing_here))
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(Exception, _answer_bug)


async def _answer_api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return answer(error)


async def _answer_damage(_: Request, error: Exception) -> Response:
    log.error("damage was found", extra={"reason": str(error)})
    return answer(DamagedError(str(error)))


async def _answer_away(_: Request, error: Exception) -> Response:
    log.error("the lake cannot be reached", extra={"reason": str(error)})
    return answer(AwayError())


async def _answer_framework_error(
    nothing_here: Callable[[Request], Response], request: Request, error: Exception
) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and "text/html" in request.headers.get("accept", ""):
        return nothing_here(request)
    words = _WORDS.get(error.status_code) or f"{str(error.detail).rstrip('.')}."
    code = SERVICE_UNAVAILABLE if error.status_code == 503 else INVALID_REQUEST
    return answer(ApiError(error.status_code, code, words, headers=error.headers))


async def _answer_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        reason = str(first.get("ctx", {}).get("error", "it cannot be read")).rstrip(".")
        return answer(invalid(f"The body is not valid JSON: {reason[:1].lower()}{reason[1:]}."))
    place = [str(word) for word in first["loc"] if word not in ("body", "query", "path", "header")]
    field = ".".join(place) or None
    message = f"{field or 'The request body'}: {first['msg'][:1].lower()}{first['msg'][1:].rstrip('.')}."
    if first["type"] == "missing" and field:
        message = f"Missing required field: {field}; add it."
    return answer(invalid(message, field=field))


async def _answer_bug(request: Request, error: Exception) -> Response:
    log.error("unhandled error", exc_info=error, extra={"method": request.method, "path": request.url.path})
    return answer(FailedError())
