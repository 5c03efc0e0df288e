"""What can go wrong in a request, as errors that know their answer; `error_answers` turns them into HTTP.

Every error answer of Turret, the framework's own included, has the shape of `error_body`. Rooms raise `ApiError`; the
collector, which answers many events at once, uses `error_body` and `ApiError` as values. Processes send them to each
other, so that they can be pickled, and no framework is imported here.

    ApiError
    ├─ InvalidKeyError        401 INVALID_API_KEY: always the same words, so that they tell nothing about the key
    ├─ RoleError              403 ROLE_TOO_LOW: who asks is known, and may not do this
    ├─ NotFoundError          404 INVALID_REQUEST: also for what belongs to another project
    ├─ FailedError            500 INTERNAL_ERROR: a bug; the log has it
    ├─ DamagedError           503 SERVICE_UNAVAILABLE: what was asked for is damaged; a person has to mend it
    └─ UnavailableError       503 SERVICE_UNAVAILABLE: nothing was stored; try again after `retry_after_s`
       └─ AwayError           the same, because the store that holds the lake does not answer
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping
from typing import Any

INVALID_API_KEY = "INVALID_API_KEY"
MISSING_REQUIRED_FIELD = "MISSING_REQUIRED_FIELD"
INVALID_REQUEST = "INVALID_REQUEST"
TEXT_TOO_LONG = "TEXT_TOO_LONG"
ROLE_TOO_LOW = "ROLE_TOO_LOW"
RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
INTERNAL_ERROR = "INTERNAL_ERROR"
DAMAGED_RETRY_S = 60


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

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle needs: subclasses are made with other arguments than their parts."""
        return copyreg.__newobj__, (type(self), self.message), self.__dict__  # type: ignore[attr-defined]


class InvalidKeyError(ApiError):
    """No key, or one that may not do this; which of the two is not told."""

    def __init__(self) -> None:
        super().__init__(
            401,
            INVALID_API_KEY,
            "Invalid API key: it is missing or may not be used here; send a valid key in the X-API-Key header.",
            headers={"WWW-Authenticate": "X-API-Key"},
        )


class RoleError(ApiError):
    """A person who is signed in may not do this; a key is told no more than that it is refused (`InvalidKeyError`)."""

    def __init__(self, role: str, needed: str) -> None:
        words = f"Your role does not allow this: you are {_a(role)}, and it takes {_a(needed)}. Ask an owner."
        super().__init__(403, ROLE_TOO_LOW, words)


class NotFoundError(ApiError):
    """What was asked for does not exist in this project."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(404, INVALID_REQUEST, message, field=field)


class FailedError(ApiError):
    """A bug: the request is not at fault."""

    def __init__(self) -> None:
        super().__init__(500, INTERNAL_ERROR, "The server failed at this request; its log says why.")


class DamagedError(ApiError):
    """A file is damaged, and what was asked for cannot be told without it; the message names the command to mend it."""

    def __init__(self, message: str) -> None:
        super().__init__(503, SERVICE_UNAVAILABLE, message, headers={"Retry-After": str(DAMAGED_RETRY_S)})


class UnavailableError(ApiError):
    """Nothing was stored, through no fault of the request."""

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(503, SERVICE_UNAVAILABLE, message, headers={"Retry-After": str(retry_after_s)})
        self.retry_after_s = retry_after_s


class AwayError(UnavailableError):
    """The store that holds the lake does not answer, or refuses; the log says why."""

    def __init__(self) -> None:
        super().__init__("The store that holds the data does not answer; try again.", retry_after_s=5)


def _a(role: str) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"


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
