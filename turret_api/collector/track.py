"""`POST /track`: from a request's bytes to its answer, each check in the contract's order."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import math
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, TypeVar, TypeVarTuple

import msgspec
from starlette.types import Message, Receive, Scope, Send

from turret_api.auth import FIELD, WRITE, key_of
from turret_api.collector import body as bodies
from turret_api.collector.collector import Collector
from turret_api.collector.event import Checked, check, check_plain
from turret_api.collector.intake import ClientGoneError, Intake
from turret_api.collector.large import LIGHT
from turret_api.collector.ledger import LOOK_AGAIN_S, Refusal
from turret_api.collector.submission import Result, Stored
from turret_api.errors import RATE_LIMIT_EXCEEDED, ApiError, FailedError, InvalidKeyError, error_body

log = logging.getLogger(__name__)

_CHECKS_A_TURN = 50
_UNPACKED_HERE = 1024
"""Bytes of a packed body that is unpacked on the event loop: they make a MiB at most, sooner than a thread begins."""
_CHECKED_HERE = 256 * 1024
"""Bytes of a body up to which it is checked on the event loop."""
_UNPACKERS = 2
_CHECKERS = 1
"""Threads. The event loop waits now and then for one that checks; with two it would wait for one after the other."""
_GIVE_WAY_S = 0.001
"""Seconds after which a thread that works on a large body lets the event loop go on. Always, it would cost 8 % more."""
_USUAL_S = sys.getswitchinterval()
_MESSAGE = "Event tracked successfully"
_OTHER_PLAN = "to send more, give the project another plan: turret project plan PROJECT pro."


class Tracked(msgspec.Struct, gc=False):
    """The answer to an event that is stored."""

    success: bool
    message: str
    event_id: str
    session_id: str
    user_id: str


class TrackedBefore(Tracked, gc=False):
    """The answer to an event that was stored before."""

    duplicate: bool = True


Given = TypeVarTuple("Given")
Made = TypeVar("Made")

_encode = msgspec.json.Encoder().encode


class Track:
    """The ASGI application behind `POST /track`."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._keys = collector.keys
        self._ledger = collector.ledger
        self._metrics = collector.metrics
        self._intake = Intake(collector.metrics)
        self._max_text = collector.settings.max_text
        self._n_apart = 0
        self._unpackers = ThreadPoolExecutor(_UNPACKERS, "packed bodies")
        self._checkers = ThreadPoolExecutor(_CHECKERS, "large bodies")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        project_id: str | None = None
        headers: list[tuple[bytes, bytes]] = []
        try:
            key, content_type, encoding, length = _read_headers(scope)
            project_id = await self._project_of(key)
            media_type = bodies.media_type(content_type)
            is_gzip = bodies.is_gzip(encoding)
            with await self._intake.reserve(length) as reservation:
                body = await self._intake.read(scope, receive, reservation)
                if is_gzip:
                    is_large = len(body) > _UNPACKED_HERE
                    body = await self._apart(self._unpackers, bodies.unpack, body) if is_large else bodies.unpack(body)
                    reservation.grow(len(body))
                size = len(body)
                checked = await self._check(body, media_type)
                del body  # it may be large, and storing may take a while
                if isinstance(checked, list):
                    status, answer = await self._take_many(project_id, checked, size, headers)
                else:
                    status, answer = await self._take_one(project_id, checked, size)
        except ApiError as error:
            self._metrics.refused.labels(error.code).inc()
            status, answer = error.status, _encode(error.body())
            headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
            if error.status == 408:
                headers.append((b"connection", b"close"))
        except ClientGoneError:
            return
        except Exception:
            log.exception("unhandled error", extra={"method": scope["method"], "path": scope["path"]})
            status, answer = 500, _encode(FailedError().body())
        if project_id is not None:
            headers += self._rate_headers(project_id)
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer})

    async def _apart(self, threads: Executor, work: Callable[[*Given], Made], *given: *Given) -> Made:
        """Return what `work` makes of `given`, which is large, in one of the `threads` beside the event loop."""
        self._n_apart += 1
        sys.setswitchinterval(_GIVE_WAY_S)
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work, *given)
        finally:
            self._n_apart -= 1
            if not self._n_apart:
                sys.setswitchinterval(_USUAL_S)

    async def _check(self, body: bytes, media_type: str) -> Checked | list[Checked | ApiError]:
        """Return the event in the body, or what has become of each of many; raise `ApiError` where there is none."""
        if len(body) <= _CHECKED_HERE:
            documents = bodies.documents_of(body, media_type)
            return self._check_one(body) if documents is None else await self._check_many(body, documents)
        documents = await self._apart(self._checkers, bodies.documents_of, body, media_type)
        if documents is None:
            return await self._apart(self._checkers, self._check_one, body)
        return await self._check_many(body, documents)

    def _check_one(self, body: bytes) -> Checked:
        may_have_nul, is_large = bodies.may_have_nul(body), len(body) > LIGHT
        if not may_have_nul and len(body) <= _CHECKED_HERE:
            plain = check_plain(body, self._max_text)
            if plain is not None:
                return plain
        return check(bodies.decode_event(body), self._max_text, may_have_nul=may_have_nul, is_large=is_large)

    async def _project_of(self, key: str | None) -> str:
        principal = None
        if key:
            principal = self._keys.known(key)
            if principal is None and self._keys.may_be_new(key):
                principal = await asyncio.to_thread(self._keys.find, key)
        if principal is None or principal.scope != WRITE:
            raise InvalidKeyError
        return principal.project_id

    async def _take_one(self, project_id: str, event: Checked, size_bytes: int) -> tuple[int, bytes]:
        (result,) = await self._collector.store(project_id, [event], size_bytes)
        if type(result) is Stored:
            if result.is_duplicate:
                self._metrics.duplicates.inc()
                return 200, _encode(TrackedBefore(True, _MESSAGE, result.event_id, result.session_id, result.user_id))
            self._metrics.accepted.inc()
            return 200, _encode(Tracked(True, _MESSAGE, result.event_id, result.session_id, result.user_id))
        assert type(result) is Refusal
        raise _limit_error(result)

    async def _check_many(self, body: bytes, documents: Sequence[bodies.Document]) -> list[Checked | ApiError]:
        is_large = len(body) > _CHECKED_HERE
        nul = await self._apart(self._checkers, bodies.may_have_nul, body) if is_large else bodies.may_have_nul(body)
        decode = bodies.decode_event if is_large else bodies.decode

        def check_some(some: Sequence[bodies.Document]) -> list[Checked | ApiError]:
            checked: list[Checked | ApiError] = []
            for each in some:
                try:
                    event = None if nul or len(each) > _CHECKED_HERE else check_plain(each, self._max_text)
                    if event is None:
                        document = decode(each, "event")
                        event = check(document, self._max_text, may_have_nul=nul, is_large=len(each) > LIGHT)
                    checked.append(event)
                except ApiError as error:
                    checked.append(error)
            return checked

        events: list[Checked | ApiError] = []
        for start in range(0, len(documents), _CHECKS_A_TURN):
            if start:
                await asyncio.sleep(0)  # let other requests have their turn
            some = documents[start : start + _CHECKS_A_TURN]
            events += await self._apart(self._checkers, check_some, some) if is_large else check_some(some)
        return events

    async def _take_many(
        self,
        project_id: str,
        events: list[Checked | ApiError],
        size_bytes: int,
        headers: list[tuple[bytes, bytes]],
    ) -> tuple[int, bytes]:
        results = await self._collector.store(project_id, events, size_bytes)
        answers = [
            Tracked(True, _MESSAGE, result.event_id, result.session_id, result.user_id)
            if type(result) is Stored and not result.is_duplicate
            else self._answer_of(result, headers)
            for result in results
        ]
        accepted = len([result for result in results if type(result) is Stored])
        duplicates = len([answer for answer in answers if type(answer) is TrackedBefore])
        self._metrics.accepted.inc(accepted - duplicates)
        self._metrics.duplicates.inc(duplicates)
        rejected = len(results) - accepted
        answer = {"success": rejected == 0, "accepted": accepted, "rejected": rejected, "results": answers}
        return (207 if rejected else 200), _encode(answer)

    def _answer_of(self, result: Result, headers: list[tuple[bytes, bytes]]) -> TrackedBefore | dict[str, Any]:
        """Return what an event of many is told that is not stored now: it was before, or is refused."""
        if type(result) is Stored:
            return TrackedBefore(True, _MESSAGE, result.event_id, result.session_id, result.user_id)
        error = _limit_error(result) if type(result) is Refusal else result
        assert isinstance(error, ApiError)
        self._metrics.refused.labels(error.code).inc()
        if error.status == 429 and not headers:
            headers.append((b"retry-after", error.headers["Retry-After"].encode()))
        return error_body(error.code, error.message, field=error.field, extra=error.extra)

    def _rate_headers(self, project_id: str) -> list[tuple[bytes, bytes]]:
        now_s = time.time()
        limit, remaining, reset_s = self._ledger.quota(project_id, now_s).headers(now_s)
        return [
            (b"ratelimit-limit", b"%d" % limit),
            (b"ratelimit-remaining", b"%d" % remaining),
            (b"ratelimit-reset", b"%d" % reset_s),
        ]


def _read_headers(scope: Scope) -> tuple[str | None, str, str, int | None]:
    """Return the key, Content-Type, Content-Encoding and Content-Length of a request; raise as `key_of` does."""
    content_type = encoding = ""
    length: int | None = None
    keys = []
    for pair in scope["headers"]:
        name, value = pair
        if name == FIELD:
            keys.append(pair)
        elif name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"content-encoding":
            encoding = value.decode("latin-1")
        elif name == b"content-length":
            length = int(value) if value.isdigit() else None
    return key_of(keys), content_type, encoding, length


def _limit_error(refusal: Refusal) -> ApiError:
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
