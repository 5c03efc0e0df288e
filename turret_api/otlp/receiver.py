"""`POST /v1/traces` and `POST /v1/logs`: from a request's bytes to its answer, as OTLP has it.

The desk, the store and the order of the checks are those of `POST /track`. Spans that say nothing that Turret counts
are taken and left out.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
import re
import time
from collections.abc import Iterable
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from turret_api.auth import key_of
from turret_api.collector import body as bodies
from turret_api.collector.desk import LARGE, Desk, Headers, described, limit_error
from turret_api.collector.event import Checked
from turret_api.collector.intake import ClientGoneError
from turret_api.collector.ledger import Refusal
from turret_api.collector.submission import Stored
from turret_api.errors import ApiError, FailedError, InvalidKeyError, UnavailableError
from turret_api.otlp import wire
from turret_api.otlp.calls import Said, all_said
from turret_api.otlp.events import errors_of
from turret_api.otlp.journal import FILE, Journal
from turret_api.otlp.memory import Memory, Turn
from turret_api.otlp.turns import Plan, plan

log = logging.getLogger(__name__)

PATHS = {
    "/v1/traces": wire.TRACES,
    "/v1/logs": wire.LOGS,
    "/api/public/otel/v1/traces": wire.TRACES,  # where Langfuse's exporters send to
}
_SILENT = "{} calls of a model hold no text: let the instrumentation capture the content of messages."
_AGAIN_S = 5.0
_SOONEST_S = 0.05
_BAD_IDS = "A span needs a trace_id of 16 bytes and a span_id of 8, not all of them zero."
_is_ids = re.compile(r"(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}").fullmatch


class Receiver:
    """Takes spans and log records. Event loop only, from `start` to `stop`.

    Args:
        desk: where requests come in.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._collector = desk.collector
        self._memory = Memory()
        self._journal = Journal(desk.collector.slot.folder / FILE)
        self._writing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None

    def takers(self) -> dict[str, ASGIApp]:
        """Return the application behind each path."""
        return {path: partial(self._take, signal) for path, signal in PATHS.items()}

    def start(self) -> None:
        """Take up the turns that an earlier process left waiting."""
        turns = self._journal.load()
        for turn in turns:
            self._memory.wait(turn)
        if not self._journal.is_empty:
            try:
                self._journal.replace(turns)  # its last line may be cut off
            except OSError as error:
                log.error("the journal of turns cannot be written", extra={"reason": str(error)[:300]})
        self._set_timer()

    async def stop(self) -> None:
        """Make events of the turns that wait, as far as they can be stored; the others are left to the next start."""
        if self._timer is not None:
            self._timer.cancel()
        if self._flushing is not None:
            await asyncio.wait([self._flushing])
        await self._store_waiting(list(self._memory.waiting.values()))

    async def _take(self, signal: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        desk = self._desk
        project_id: str | None = None
        headers: Headers = []
        content_type, encoding, length = described(scope)
        kind = wire.PROTOBUF if wire.PROTOBUF in content_type else wire.JSON
        try:
            project_id = await desk.project_of(_key_of(scope["headers"]))
            kind = wire.media_type(content_type)
            is_gzip = bodies.is_gzip(encoding)
            with await desk.intake.reserve(length) as reservation:
                body = await desk.body(scope, receive, reservation, is_gzip=is_gzip)
                status, answer = 200, await self._store(project_id, body, kind, signal)
        except ApiError as error:
            status, answer = desk.refuse(error, headers), wire.refused(kind, error)
        except ClientGoneError:
            return
        except Exception:
            log.exception("unhandled error", extra={"method": scope["method"], "path": scope["path"]})
            status, answer = 500, wire.refused(kind, FailedError())
        await desk.answer(send, status, answer, kind.encode(), headers, project_id)

    async def _store(self, project_id: str, body: bytes, kind: str, signal: str) -> bytes:
        """Store what `body` holds; return the answer, or raise `ApiError` where nothing of it could be taken."""
        is_large = len(body) > LARGE
        read = await self._desk.check(_read, body, kind, signal) if is_large else _read(body, kind, signal)
        spans, says, n_bad, why = read
        del read
        made = plan(self._memory, project_id, spans, says)
        turns, max_text = made.events + made.waiting, self._desk.max_text
        events = await self._desk.check(errors_of, turns, max_text) if is_large else errors_of(turns, max_text)
        n_ready = len(made.events)
        stored, refused = await self._stored(project_id, made.events, events[:n_ready], len(body))
        judged = list(zip(made.waiting, events[n_ready:], strict=True))
        made = made._replace(waiting=[turn for turn, event in judged if type(event) is Checked])
        refused += [(turn, event) for turn, event in judged if isinstance(event, ApiError)]
        n_refused = sum(len(turn.said) for turn, _ in refused)
        if refused and not stored and not made.waiting and all(error.status == 429 for _, error in refused):
            raise refused[0][1]
        metrics = self._desk.metrics
        for _, error in refused:
            metrics.refused.labels(error.code).inc()
        metrics.spans_left_out.inc(max(0, len(spans) - len(says) - n_bad) + made.n_silent)
        await self._keep(project_id, made._replace(events=stored))
        if refused and not why:
            why = refused[0][1].message
        n_rejected = n_bad + n_refused
        if n_rejected:
            return wire.accepted(kind, signal, n_rejected, why)
        return wire.accepted(kind, signal, 0, _SILENT.format(made.n_silent) if made.n_silent and not stored else "")

    async def _stored(
        self, project_id: str, turns: list[Turn], events: list[Checked | ApiError], size_bytes: int
    ) -> tuple[list[Turn], list[tuple[Turn, ApiError]]]:
        """Store `events`, those of `turns`; return which turns are stored, and which are refused and why."""
        if not events:
            obstacle = self._collector.obstacle
            if obstacle is not None:
                raise UnavailableError(obstacle, retry_after_s=5)
            return [], []
        stored, refused = [], []
        n_duplicates = 0
        for turn, result in zip(turns, await self._collector.store(project_id, events, size_bytes), strict=True):
            if type(result) is Stored:
                stored.append(turn)
                n_duplicates += result.is_duplicate
            else:
                error = limit_error(result) if type(result) is Refusal else result
                assert isinstance(error, ApiError)
                refused.append((turn, error))
        self._desk.metrics.accepted.inc(len(stored) - n_duplicates)
        self._desk.metrics.duplicates.inc(n_duplicates)
        return stored, refused

    async def _keep(self, project_id: str, made: Plan) -> None:
        """Note what is stored, and bring the turns that wait to the disk."""
        memory = self._memory
        for turn in made.events:
            memory.forget(turn)
        for turn in made.waiting:
            memory.wait(turn)
        memory.remember(project_id, made.traces, made.whose)
        if made.waiting or not (memory.waiting or self._journal.is_empty):
            await self._write(made.waiting)
        if memory.waiting:
            self._set_timer()

    async def _write(self, turns: list[Turn]) -> None:
        """Add `turns` to the journal; where nothing waits any more, or it is large, write it anew."""
        async with self._writing:
            waiting = list(self._memory.waiting.values())
            is_anew = not waiting or self._journal.is_large
            try:
                if is_anew:
                    await asyncio.to_thread(self._journal.replace, waiting)
                else:
                    await asyncio.to_thread(self._journal.add, turns)
            except OSError as error:
                log.error("the journal of turns cannot be written", extra={"reason": str(error)[:300]})
                message = "The server cannot keep what waits for its end; try again later."
                raise UnavailableError(message, retry_after_s=5) from None

    def _set_timer(self) -> None:
        """Look again when the first of the turns has waited for long enough."""
        if self._timer is None and self._memory.waiting:
            first = min(each.waits_until for each in self._memory.waiting.values())
            delay_s = max(_SOONEST_S, first - time.time())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        now_s = time.time()
        due = [each for each in self._memory.waiting.values() if each.waits_until <= now_s]
        if due and (self._flushing is None or self._flushing.done()):
            self._flushing = asyncio.create_task(self._store_due(due))
        else:
            self._set_timer()

    async def _store_due(self, turns: list[Turn]) -> None:
        try:
            await self._store_waiting(turns)
        except Exception:
            log.exception("turns that have waited could not be stored")
            for each in turns:
                self._memory.forget(each)

    async def _store_waiting(self, turns: list[Turn]) -> None:
        """Make events of `turns`; those for which there is no room now wait on."""
        for project_id in {each.project_id for each in turns}:
            mine = [each for each in turns if each.project_id == project_id]
            try:
                _, refused = await self._stored(project_id, mine, errors_of(mine, self._desk.max_text), 0)
            except UnavailableError:
                for each in mine:
                    each.waits_until = time.time() + _AGAIN_S
                continue
            for _, error in refused:
                self._desk.metrics.refused.labels(error.code).inc()
            for each in mine:
                self._memory.forget(each)
        if not self._memory.waiting and not self._journal.is_empty:
            with contextlib.suppress(UnavailableError):
                await self._write([])
        self._set_timer()


def _read(body: bytes, kind: str, signal: str) -> tuple[list[wire.Span], list[Said], int, str]:
    """Return the spans in a body, what they say, how many are refused, and why the first of these is."""
    spans = wire.spans_of(body, kind, signal)
    says = list(all_said(spans))
    good = [each for each in says if not each.is_whole or _is_ids(f"{each.trace_id}-{each.span_id}")]
    n_bad = len(says) - len(good)
    return spans, good, n_bad, _BAD_IDS if n_bad else ""


def _key_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the key in a request's headers: in `X-API-Key`, as a bearer token, or as the password of a user."""
    pairs = list(headers)
    key = key_of(pairs)
    if key is not None:
        return key
    found = [value.decode("latin-1").strip() for name, value in pairs if name == b"authorization"]
    if len(found) != 1:
        return None
    scheme, _, given = found[0].partition(" ")
    given = given.strip()
    if scheme.lower() == "bearer":
        return given or None
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).decode("latin-1").partition(":")[2] or None
        except (binascii.Error, ValueError):
            raise InvalidKeyError from None
    return None
