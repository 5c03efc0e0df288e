"""What can go wrong in a request, and the one place that turns it into HTTP.

Every error answer of Turret, the framework's own included, has the shape of `error_body`. Rooms raise `ApiError`; the
collector, which answers many events at once, uses `error_body` and `ApiError` as values.

    ApiError
    ├─ InvalidKeyError        401 INVALID_API_KEY: always the same words, so that they tell nothing about the key
    ├─ NotFoundError          404 INVALID_REQUEST: also for what belongs to another project
    └─ UnavailableError       503 SERVICE_UNAVAILABLE: nothing was stored; try again after `retry_after_s`
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

log = logging.getLogger(__name__)

INVALID_API_KEY = "INVALID_API_KEY"
MISSING_REQUIRED_FIELD = "MISSING_REQUIRED_FIELD"
INVALID_REQUEST = "INVALID_REQUEST"
TEXT_TOO_LONG = "TEXT_TOO_LONG"
RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
INTERNAL_ERROR = "INTERNAL_ERROR"

_WORDS = {
    404: "There is nothing at this address; see the API's document at /openapi.json.",
    405: "This address does not take this method; the Allow header names those it takes.",
    413: "The request is too large.",
    415: "This content type is not taken here; send application/json.",
}


class ApiError(Exception):
    """An answer that is not a success.

    Args:
        status: HTTP status.
        code: one of the constants of this module.
        message: one sentence: what is wrong and what to do.
        field: the key of the request that is at fault, where one is.
        headers: further headers of the answer.
        extra: further keys of the answer's body.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def body(self) -> dict[str, Any]:
        """Return the answer's body as the contract has it."""
        return error_body(self.code, self.message, field=self.field, extra=self.extra)

    def response(self) -> Response:
        """Return the answer."""
        return Response(msgspec.json.encode(self.body()), self.status, self.headers, "application/json")


class InvalidKeyError(ApiError):
    """No key, or one that may not do this; which of the two is not told."""

    def __init__(self) -> None:
        super().__init__(
            401,
            INVALID_API_KEY,
            "The API key is missing or may not be used here; send a valid key in the X-API-Key header.",
            headers={"WWW-Authenticate": "X-API-Key"},
        )


class NotFoundError(ApiError):
    """What was asked for does not exist in this project."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(404, INVALID_REQUEST, message, field=field)


class UnavailableError(ApiError):
    """Nothing was stored, through no fault of the request."""

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(503, SERVICE_UNAVAILABLE, message, headers={"Retry-After": str(retry_after_s)})
        self.retry_after_s = retry_after_s


def invalid(message: str, *, field: str | None = None, status: int = 400) -> ApiError:
    """Return an `INVALID_REQUEST` error."""
    return ApiError(status, INVALID_REQUEST, message, field=field)


def error_body(
    code: str, message: str, *, field: str | None = None, extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the body of an error answer: `success`, `error`, `code`, and `field` where one is at fault."""
    body: dict[str, Any] = {"success": False, "error": message, "code": code}
    if field is not None:
        body["field"] = field
    if extra:
        body.update(extra)
    return body


def install(app: FastAPI) -> None:
    """After this call every error that leaves `app` has the contract's shape."""
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(HTTPException, _answer_framework_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(Exception, _answer_bug)


async def _answer_api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error.response()


async def _answer_framework_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = _WORDS.get(error.status_code) or f"{str(error.detail).rstrip('.')}."
    code = SERVICE_UNAVAILABLE if error.status_code == 503 else INVALID_REQUEST
    return ApiError(error.status_code, code, words, headers=error.headers).response()


async def _answer_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = [str(word) for word in first["loc"] if word not in ("body", "query", "path", "header")]
    field = ".".join(place) or None
    message = f"{field or 'The request body'}: {first['msg'][:1].lower()}{first['msg'][1:].rstrip('.')}."
    if first["type"] == "missing" and field:
        return ApiError(400, INVALID_REQUEST, f"{field} is required; add it.", field=field).response()
    return ApiError(400, INVALID_REQUEST, message, field=field).response()


async def _answer_bug(request: Request, error: Exception) -> Response:
    log.error("unhandled error", exc_info=error, extra={"method": request.method, "path": request.url.path})
    return ApiError(500, INTERNAL_ERROR, "The server failed at this request; its log says why.").response()
