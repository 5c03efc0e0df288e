"""`POST /track`: from a request's bytes to its answer, each check in the contract's order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from turret_api.auth import key_of
from turret_api.collector import body as bodies
from turret_api.collector.desk import LARGE, Desk, Headers, described, limit_error
from turret_api.collector.event import Checked, check, check_plain
from turret_api.collector.intake import ClientGoneError
from turret_api.collector.large import LIGHT
from turret_api.collector.ledger import Refusal
from turret_api.collector.masked import MASKED_HERE, Masker
from turret_api.collector.submission import Result, Stored
from turret_api.errors import ApiError, FailedError, error_body

log = logging.getLogger(__name__)

_CHECKS_A_TURN = 50
_MESSAGE = "Event tracked successfully"


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


_encode = msgspec.json.Encoder().encode


class Track:
    """The ASGI application behind `POST /track`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = desk.collector.store
        self._metrics = desk.metrics
        self._max_text = desk.max_text

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        desk = self._desk
        project_id: str | None = None
        headers: Headers = []
        try:
            project_id = await desk.project_of(key_of(scope["headers"]))
            content_type, encoding, length = described(scope)
            media_type = bodies.media_type(content_type)
            is_gzip = bodies.is_gzip(encoding)
            with await desk.intake.reserve(length) as reservation:
                body = await desk.body(scope, receive, reservation, is_gzip=is_gzip)
                size = len(body)
                checked = await self._check(body, media_type, desk.masker(project_id))
                del body  # it may be large, and storing may take a while
                if isinstance(checked, list):
                    status, answer = await self._take_many(project_id, checked, size, headers)
                else:
                    status, answer = await self._take_one(project_id, checked, size)
        except ApiError as error:
            error = desk.told(error, project_id)
            status, answer = desk.refuse(error, headers), _encode(error.body())
        except ClientGoneError:
            return
        except Exception:
            log.exception("unhandled error", extra={"method": scope["method"], "path": scope["path"]})
            status, answer = 500, _encode(FailedError().body())
        await desk.answer(send, status, answer, b"application/json", headers, project_id)

    async def _check(self, body: bytes, media_type: str, masker: Masker | None) -> Checked | list[Checked | ApiError]:
        """Return the event in the body, or what has become of each of many; raise `ApiError` where there is none.

        What is masked is not in them any more.
        """
        if len(body) <= LARGE and (masker is None or not masker.is_slow):
            documents = bodies.documents_of(body, media_type)
            if documents is not None:
                return await self._check_many(body, documents, masker)
            if masker is not None and masker.takes_long(len(body)):
                return await self._desk.check(self._check_one, body, masker)
            return self._check_one(body, masker)
        documents = await self._desk.check(bodies.documents_of, body, media_type)
        if documents is None:
            return await self._desk.check(self._check_one, body, masker)
        return await self._check_many(body, documents, masker)

    def _check_one(self, body: bytes, masker: Masker | None) -> Checked:
        event = self._judged(body)
        return event if masker is None else masker.event(event)

    def _judged(self, body: bytes) -> Checked:
        may_have_nul, is_large = bodies.may_have_nul(body), len(body) > LIGHT
        if not may_have_nul and len(body) <= LARGE:
            plain = check_plain(body, self._max_text)
            if plain is not None:
                return plain
        return check(bodies.decode_event(body), self._max_text, may_have_nul=may_have_nul, is_large=is_large)

    async def _take_one(self, project_id: str, event: Checked, size_bytes: int) -> tuple[int, bytes]:
        (result,) = await self._store(project_id, [event], size_bytes)
        if type(result) is Stored:
            if result.is_duplicate:
                self._metrics.duplicates.inc()
                return 200, _encode(TrackedBefore(True, _MESSAGE, result.event_id, result.session_id, result.user_id))
            self._metrics.accepted.inc()
            return 200, _encode(Tracked(True, _MESSAGE, result.event_id, result.session_id, result.user_id))
        if type(result) is Refusal:
            raise limit_error(result)
        assert isinstance(result, ApiError)
        raise result

    async def _check_many(
        self, body: bytes, documents: Sequence[bodies.Document], masker: Masker | None
    ) -> list[Checked | ApiError]:
        is_large = len(body) > LARGE
        is_apart = is_large or (masker is not None and masker.is_slow)
        nul = await self._desk.check(bodies.may_have_nul, body) if is_large else bodies.may_have_nul(body)
        decode = bodies.decode_event if is_large else bodies.decode

        def check_some(some: Sequence[bodies.Document]) -> list[Checked | ApiError]:
            checked: list[Checked | ApiError] = []
            for each in some:
                try:
                    event = None if nul or len(each) > LARGE else check_plain(each, self._max_text)
                    if event is None:
                        document = decode(each, "event")
                        event = check(document, self._max_text, may_have_nul=nul, is_large=len(each) > LIGHT)
                    checked.append(event)
                except ApiError as error:
                    checked.append(error)
            return checked if masker is None else masker.events(checked)

        events: list[Checked | ApiError] = []
        for some in turns(documents, None if is_apart or masker is None else MASKED_HERE):
            if events:
                await asyncio.sleep(0)  # let other requests have their turn
            is_apart_too = masker is not None and len(some) == 1 and masker.takes_long(len(some[0]))
            events += await self._desk.check(check_some, some) if is_apart or is_apart_too else check_some(some)
        return events

    async def _take_many(
        self,
        project_id: str,
        events: list[Checked | ApiError],
        size_bytes: int,
        headers: Headers,
    ) -> tuple[int, bytes]:
        results = await self._store(project_id, events, size_bytes)
        answers = [
            Tracked(True, _MESSAGE, result.event_id, result.session_id, result.user_id)
            if type(result) is Stored and not result.is_duplicate
            else self._answer_of(result, headers, project_id)
            for result in results
        ]
        accepted = len([result for result in results if type(result) is Stored])
        duplicates = len([answer for answer in answers if type(answer) is TrackedBefore])
        self._metrics.accepted.inc(accepted - duplicates)
        self._metrics.duplicates.inc(duplicates)
        rejected = len(results) - accepted
        answer = {"success": rejected == 0, "accepted": accepted, "rejected": rejected, "results": answers}
        return (207 if rejected else 200), _encode(answer)

    def _answer_of(self, result: Result, headers: Headers, project_id: str) -> TrackedBefore | dict[str, Any]:
        """Return what an event of many is told that is not stored now: it was before, or is refused."""
        if type(result) is Stored:
            return TrackedBefore(True, _MESSAGE, result.event_id, result.session_id, result.user_id)
        error = limit_error(result) if type(result) is Refusal else result
        assert isinstance(error, ApiError)
        error = self._desk.told(error, project_id)
        self._metrics.refused.labels(error.code).inc()
        if error.status in (429, 503) and not headers:
            headers.append((b"retry-after", error.headers["Retry-After"].encode()))
        return error_body(error.code, error.message, field=error.field, extra=error.extra)


def turns(documents: Sequence[bodies.Document], most_bytes: int | None) -> Iterator[Sequence[bodies.Document]]:
    """Yield the documents in order, as many at once as are checked in a turn of the event loop.

    most_bytes: of a turn, but for a document that is larger and has one of its own; None: any number.
    """
    for start in range(0, len(documents), _CHECKS_A_TURN):
        some = documents[start : start + _CHECKS_A_TURN]
        if most_bytes is None or sum(map(len, some)) <= most_bytes:
            yield some
            continue
        first = size = 0
        for i, each in enumerate(some):
            if i > first and size + len(each) > most_bytes:
                yield some[first:i]
                first, size = i, 0
            size += len(each)
        yield some[first:]
