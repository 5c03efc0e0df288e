"""What every route that takes events shares: the key, the body within bounds, and how an answer goes out.

A route (`turret_api.collector.track`, `turret_api.otlp.receiver`) knows what its bodies mean and how its answers are
written; all else is here, so that keys, limits, large bodies and used-up plans are judged alike whatever is spoken.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple, TypeVar, TypeVarTuple

from starlette.types import Message, Receive, Scope, Send

from turret_api.collector import body as bodies
from turret_api.collector.collector import Collector
from turret_api.collector.intake import Intake, Reservation
from turret_api.collector.ledger import LOOK_AGAIN_S, Refusal
from turret_api.collector.masked import Masker, in_words, masker_for
from turret_api.errors import RATE_LIMIT_EXCEEDED, ApiError, InvalidKeyError, UnavailableError
from turret_api.masking.masks import Masks
from turret_api.roles import WRITE

LARGE = 256 * 1024
"""Bytes of a body from which on it is checked in a thread beside the event loop."""
_UNPACKED_HERE = 1024
"""Bytes of a packed body that is unpacked on the event loop: they make a MiB at most, sooner than a thread begins."""
_UNPACKERS = 2
_CHECKERS = 1
"""Threads. The event loop waits now and then for one that checks; with two it would wait for one after the other."""
_GIVE_WAY_S = 0.001
"""Seconds after which a thread that works on a large body lets the event loop go on. Always, it would cost 8 % more."""
_USUAL_S = sys.getswitchinterval()
_QUOTE = (400, 415)
"""Statuses of errors that may quote what was sent."""
_OTHER_PLAN = "to send more, give the project another plan: turret project plan PROJECT pro."

Given = TypeVarTuple("Given")
Made = TypeVar("Made")
Headers = list[tuple[bytes, bytes]]


class Described(NamedTuple):
    """What a request's headers say of its body; `length` is None where they do not say it."""

    content_type: str
    encoding: str
    length: int | None


class Desk:
    """Where requests with events come in; one for all routes of a process. Event loop only.

    Args:
        collector: what the events are stored by.
    """

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.metrics = collector.metrics
        self.max_text = collector.settings.max_text
        self.intake = Intake(collector.metrics)
        self._keys = collector.keys
        self._ledger = collector.ledger
        self._masks = Masks(collector.keys, collector.settings.mask_names)
        self._n_apart = 0
        self._unpackers = ThreadPoolExecutor(_UNPACKERS, "packed bodies")
        self._checkers = ThreadPoolExecutor(_CHECKERS, "large bodies")

    async def project_of(self, key: str | None) -> str:
        """Return the project that `key` may write events to; raise `InvalidKeyError` if there is none."""
        principal = None
        if key:
            principal = self._keys.known(key)
            if principal is None and self._keys.may_be_new(key):
                principal = await asyncio.to_thread(self._keys.find, key)
        if principal is None or principal.scope != WRITE:
            raise InvalidKeyError
        return principal.project_id

    def masker(self, project_id: str) -> Masker | None:
        """Return what masks the project's events; None: nothing does. Raise `UnavailableError` as `masker_for`."""
        return masker_for(self._masks, project_id, self._keys.suppressed)

    def told(self, error: ApiError, project_id: str | None) -> ApiError:
        """Return an error as its sender is told it, who may log it: without what the project masks.

        project_id: None: the project is not known, and nothing of the body was looked at.
        """
        if project_id is None or error.status not in _QUOTE:
            return error
        try:
            return in_words(error, self.masker(project_id))
        except UnavailableError as failed:
            return failed

    async def body(self, scope: Scope, receive: Receive, reservation: Reservation, *, is_gzip: bool) -> bytes:
        """Return a request's body, unpacked; raise `ApiError` if it is too large, or comes too slowly."""
        body = await self.intake.read(scope, receive, reservation)
        if is_gzip:
            is_large = len(body) > _UNPACKED_HERE
            body = await self._apart(self._unpackers, bodies.unpack, body) if is_large else bodies.unpack(body)
            reservation.grow(len(body))
        return body

    async def check(self, work: Callable[[*Given], Made], *given: *Given) -> Made:
        """Return what `work` makes of `given`, which is large, in a thread beside the event loop."""
        return await self._apart(self._checkers, work, *given)

    async def _apart(self, threads: Executor, work: Callable[[*Given], Made], *given: *Given) -> Made:
        self._n_apart += 1
        sys.setswitchinterval(_GIVE_WAY_S)
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work, *given)
        finally:
            self._n_apart -= 1
            if not self._n_apart:
                sys.setswitchinterval(_USUAL_S)

    def used_up(self, project_id: str) -> ApiError | None:
        """Return the answer to an event for which the plan has no room as far as is known here; None: it has some."""
        now_s = time.time()
        quota = self._ledger.quota(project_id, now_s)
        return None if quota.headers(now_s)[1] else limit_error(quota.refusal(now_s))

    def refuse(self, error: ApiError, headers: Headers) -> int:
        """Count a refused request, and add what `error` has to say to `headers`; return the status."""
        self.metrics.refused.labels(error.code).inc()
        headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        if error.status == 408:
            headers.append((b"connection", b"close"))
        return error.status

    async def answer(
        self, send: Send, status: int, answer: bytes, content_type: bytes, headers: Headers, project_id: str | None
    ) -> None:
        """Send an answer; one to a known project says how much of the plan is left."""
        if project_id is not None:
            now_s = time.time()
            limit, remaining, reset_s = self._ledger.quota(project_id, now_s).headers(now_s)
            headers += [
                (b"ratelimit-limit", b"%d" % limit),
                (b"ratelimit-remaining", b"%d" % remaining),
                (b"ratelimit-reset", b"%d" % reset_s),
            ]
        headers += [(b"content-type", content_type), (b"content-length", b"%d" % len(answer))]
        start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer})


def described(scope: Scope) -> Described:
    """Return what a request's headers say of its body."""
    content_type = encoding = ""
    length: int | None = None
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"content-encoding":
            encoding = value.decode("latin-1")
        elif name == b"content-length":
            length = int(value) if value.isdigit() else None
    return Described(content_type, encoding, length)


def limit_error(refusal: Refusal) -> ApiError:
    """Return the answer to an event that the plan has no room for; `retry_at` is null where no time brings room."""
    wait_s = LOOK_AGAIN_S if refusal.resets_at_s is None else refusal.resets_at_s - time.time()
    extra = {"retry_at": _moment(refusal.resets_at_s), "limit": refusal.limit, "used": refusal.used}
    if refusal.ended_at_s is not None:
        extra["ended_at"] = _moment(refusal.ended_at_s)
        message = f"The project's trial ended at {extra['ended_at']}; {_OTHER_PLAN}"
    elif refusal.resets_at_s is None:
        message = f"The {refusal.limit:,} events of the project's trial are used up; {_OTHER_PLAN}"
    else:
        message = (
            f"The project's plan of {refusal.limit:,} events is used up until {extra['retry_at']}; "
            "try again then, or choose a larger plan."
        )
    headers = {"Retry-After": str(max(1, math.ceil(wait_s)))}
    return ApiError(429, RATE_LIMIT_EXCEEDED, message, headers=headers, extra=extra)


def _moment(unix_s: float | None) -> str | None:
    return None if unix_s is None else f"{dt.datetime.fromtimestamp(math.ceil(unix_s), dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
