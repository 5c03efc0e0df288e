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
import time
from collections.abc import Coroutine, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from turret_api.accounts.erased_ids import ErasedIds
from turret_api.accounts.suppression import Suppressed
from turret_api.auth import authorization_of, bearer_or_key_of
from turret_api.collector import body as bodies
from turret_api.collector.desk import LARGE, Desk, Headers, described, limit_error
from turret_api.collector.event import Checked
from turret_api.collector.forgetting import Forget
from turret_api.collector.intake import ClientGoneError
from turret_api.collector.ledger import Refusal
from turret_api.collector.masked import Masker
from turret_api.collector.slots import TURNS_FILE
from turret_api.collector.submission import Stored
from turret_api.collector.suppression import ids_of, refusal
from turret_api.errors import ApiError, FailedError, InvalidKeyError, UnavailableError
from turret_api.otlp import wire
from turret_api.otlp.calls import Said, all_said
from turret_api.otlp.events import events_of
from turret_api.otlp.journal import Journal
from turret_api.otlp.masked import masked_turn
from turret_api.otlp.memory import Memory, Turn, Whose
from turret_api.otlp.turns import Plan, alone, plan

log = logging.getLogger(__name__)

PATHS = {
    "/v1/traces": wire.TRACES,
    "/v1/logs": wire.LOGS,
    "/api/public/otel/v1/traces": wire.TRACES,  # where Langfuse's exporters send to
}
_SILENT = "{} calls of a model hold no text: let the instrumentation capture the content of messages."
_AGAIN_S = 5.0
_OF_BEFORE = -1
"""Version of the directory of a process that is gone."""
_SOONEST_S = 0.05
_BAD_IDS = "A span needs a trace_id of 16 bytes and a span_id of 8, not all of them zero."


class Receiver:
    """Takes spans and log records. Event loop only, from `start` to `stop`.

    Args:
        desk: where requests come in.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._collector = desk.collector
        self._memory = Memory()
        self._journal = Journal(desk.collector.slot.folder / TURNS_FILE)
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
            turn.version = _OF_BEFORE
            self._memory.wait(turn)
        if not self._journal.is_empty:
            try:
                self._journal.replace(self._masked(turns))  # its last line may be cut off
            except (OSError, UnavailableError) as error:
                log.error("the journal of turns cannot be written", extra={"reason": str(error)[:300]})
        loop = asyncio.get_running_loop()
        self._collector.house.on_left = partial(self._take_over, loop)
        self._collector.house.on_forget = partial(self._forget, loop)
        self._collector.roller.waits = self._waits
        self._collector.house.on_erased = partial(self._forget_erased, loop)
        self._set_timer()

    def _waits(self, version: int) -> bool:
        """Tell whether a turn waits that began before the directory had this version. Any thread."""
        return any(each.version < version for each in list(self._memory.waiting.values()))

    def _take_over(self, loop: asyncio.AbstractEventLoop, folder: Path) -> None:
        """Take up the turns that a process left in `folder`, of which no process takes care. Another thread."""
        left = Journal(folder / TURNS_FILE)
        turns = left.load()
        if turns:
            with contextlib.suppress(UnavailableError):
                asyncio.run_coroutine_threadsafe(self._adopt(turns), loop).result()
                left.replace([])

    def _forget(self, loop: asyncio.AbstractEventLoop, wanted: Forget) -> None:
        """After this call nothing that is wanted waits, nor is it in the journal. Another thread."""
        self._call(loop, self._drop(wanted))

    def _forget_erased(self, loop: asyncio.AbstractEventLoop, erased: ErasedIds) -> None:
        """After this call nothing waits that was erased, nor is it in the journal. Another thread."""
        self._call(loop, self._drop_erased(erased))

    def _call(self, loop: asyncio.AbstractEventLoop, dropping: Coroutine[Any, Any, None]) -> None:
        try:
            asyncio.run_coroutine_threadsafe(dropping, loop).result()
        except UnavailableError as error:
            raise OSError(error.message) from None  # what is masked cannot be told: it is tried again

    async def _drop(self, wanted: Forget) -> None:
        self._memory.drop(wanted.is_of)
        await self._write_anew()

    async def _drop_erased(self, erased: ErasedIds) -> None:
        for turn in list(self._memory.waiting.values()):
            ids = turn.user_id or "", turn.session_id or "", turn.event_id or ""
            if erased.has(turn.project_id, turn.received_us, ids, erased.knew(turn.project_id, turn.version)):
                self._memory.forget(turn)
        await self._write_anew()

    async def _write_anew(self) -> None:
        """After this call the journal has the turns that wait alone: not those that have become events since."""
        async with self._writing:
            if not self._journal.is_empty:
                waiting = list(self._memory.waiting.values())
                await asyncio.to_thread(lambda: self._journal.replace(list(self._masked(waiting))))

    async def _adopt(self, turns: list[Turn]) -> None:
        """After this call `turns` wait here, on the disk too."""
        memory = self._memory
        for each in turns:
            each.version = _OF_BEFORE
        added = [each for each in turns if (each.project_id, each.event_id or "") not in memory.waiting]
        for each in added:
            memory.wait(each)
        await self._write(added)
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
            error = desk.told(error, project_id)
            status, answer = desk.refuse(error, headers), wire.refused(kind, error)
        except ClientGoneError:
            return
        except Exception:
            log.exception("unhandled error", extra={"method": scope["method"], "path": scope["path"]})
            status, answer = 500, wire.refused(kind, FailedError())
        await desk.answer(send, status, answer, kind.encode(), headers, project_id)

    async def _store(self, project_id: str, body: bytes, kind: str, signal: str) -> bytes:
        """Store what `body` holds; return the answer, or raise `ApiError` where nothing of it could be taken."""
        memory, max_text, masker = self._memory, self._desk.max_text, self._desk.masker(project_id)
        now = time.time_ns() // 1000, self._collector.keys.version
        if len(body) > LARGE or (masker is not None and masker.takes_long(len(body))):
            taken = await self._desk.check(_taken, body, kind, signal, memory, project_id, max_text, masker)
        else:
            taken = _taken(body, kind, signal, memory, project_id, max_text, masker)
        made = plan(memory, project_id, taken.spans, taken.said, now)
        events = taken.events + await self._events_of(made.events, masker, len(body))
        n_ready, n_alone = len(events), len(taken.events)
        whys = await self._stored(project_id, events, len(body))
        used_up = self._desk.used_up(project_id) if made.waiting else None  # one that waits is promised a place
        suppressed = self._collector.keys.suppressed(project_id)
        waiting = await self._events_of(made.waiting, masker, len(body))
        whys += [_why_not(each, used_up, suppressed) for each in waiting]
        refused = [why for why in whys if why is not None]
        n_rejected = taken.n_bad
        if refused:
            if len(refused) == len(whys) and all(why.status in (429, 503) for why in refused):
                raise refused[0]
            ids = {(each.trace_id, each.span_id) for each in taken.spans}  # calls of earlier requests were taken there
            n_rejected += sum(_n_of(turn, ids) if why else 0 for turn, why in _aligned(made, whys[n_alone:]))
            n_rejected += sum(why is not None for why in whys[:n_alone])
            made = made._replace(
                events=[turn for turn, why in zip(made.events, whys[n_alone:n_ready], strict=True) if why is None],
                waiting=[turn for turn, why in zip(made.waiting, whys[n_ready:], strict=True) if why is None],
            )
            for why in refused:
                self._desk.metrics.refused.labels(why.code).inc()
        self._desk.metrics.spans_left_out.inc(taken.n_left_out + made.n_silent)
        await self._keep(project_id, made, taken.whose)
        if n_rejected:
            message = _BAD_IDS if taken.n_bad else self._desk.told(refused[0], project_id).message
            return wire.accepted(kind, signal, n_rejected, message)
        return wire.accepted(kind, signal, 0, _SILENT.format(made.n_silent) if made.n_silent and not events else "")

    async def _events_of(self, turns: list[Turn], masker: Masker | None, size_bytes: int) -> list[Checked | ApiError]:
        if masker is not None and turns and masker.takes_long(size_bytes):
            return await self._desk.check(events_of, turns, self._desk.max_text, masker)
        return events_of(turns, self._desk.max_text, masker)

    async def _stored(
        self, project_id: str, events: list[Checked | ApiError], size_bytes: int
    ) -> list[ApiError | None]:
        """Store `events`; return for each None if it is stored, else why it is refused."""
        if not events:
            obstacle = self._collector.obstacle
            if obstacle is not None:
                raise UnavailableError(obstacle, retry_after_s=5)
            return []
        whys: list[ApiError | None] = []
        n_duplicates = 0
        for result in await self._collector.store(project_id, events, size_bytes):
            if type(result) is Stored:
                n_duplicates += result.is_duplicate
                whys.append(None)
            else:
                why = limit_error(result) if type(result) is Refusal else result
                assert isinstance(why, ApiError)
                whys.append(why)
        self._desk.metrics.accepted.inc(whys.count(None) - n_duplicates)
        self._desk.metrics.duplicates.inc(n_duplicates)
        return whys

    async def _keep(self, project_id: str, made: Plan, whose: dict[str, Whose]) -> None:
        """Note what is stored, and bring the turns that wait to the disk."""
        memory = self._memory
        for turn in made.events:
            memory.forget(turn)
        for turn in made.waiting:
            memory.wait(turn)
        memory.remember(project_id, made.traces, whose | made.whose)
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
                    await asyncio.to_thread(self._journal.replace, self._masked(waiting))
                else:
                    await asyncio.to_thread(self._journal.add, self._masked(turns))
            except OSError as error:
                log.error("the journal of turns cannot be written", extra={"reason": str(error)[:300]})
                message = "The server cannot keep what waits for its end; try again later."
                raise UnavailableError(message, retry_after_s=5) from None

    def _masked(self, turns: list[Turn]) -> Iterator[Turn]:
        """Yield `turns` as they may be on the disk; raise `UnavailableError` if that cannot be told."""
        for each in turns:
            yield masked_turn(each, self._desk.masker(each.project_id))

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
                events = await self._events_of(mine, self._desk.masker(project_id), LARGE)  # it may be
                whys = await self._stored(project_id, events, 0)
            except UnavailableError:
                for each in mine:
                    each.waits_until = time.time() + _AGAIN_S
                continue
            for why in whys:
                if why is not None:
                    self._desk.metrics.refused.labels(why.code).inc()
            for each in mine:
                if self._memory.waiting.get((project_id, each.event_id or "")) is each:  # it may have gone on meanwhile
                    self._memory.forget(each)
        if not self._memory.waiting and not self._journal.is_empty:
            with contextlib.suppress(UnavailableError):
                await self._write([])
        self._set_timer()


class _Taken(NamedTuple):
    """What a request holds.

    Args:
        events: of calls that are all of their trace, or why there is none.
        whose: session and user of these traces.
        spans: those that it takes to tell what becomes of `said`.
        said: what all others say.
        n_left_out: spans that say nothing.
        n_bad: spans whose ids are none.
    """

    events: list[Checked | ApiError]
    whose: dict[str, Whose]
    spans: list[wire.Span]
    said: list[Said]
    n_left_out: int
    n_bad: int


def _taken(
    body: bytes, kind: str, signal: str, memory: Memory, project_id: str, max_text: int, masker: Masker | None
) -> _Taken:
    """Return what a body holds; of `memory` nothing is changed. Raise `ApiError` if it cannot be decoded or masked."""
    spans = wire.spans_of(body, kind, signal)
    says = list(all_said(spans))
    good = [each for each in says if (len(each.trace_id) == 32 and len(each.span_id) == 16) or not each.is_whole]
    turns, whose, others = alone(memory, project_id, spans, good)
    is_needed = others or memory.waiting
    n_left_out, n_bad = len(spans) - len(says), len(says) - len(good)
    return _Taken(events_of(turns, max_text, masker), whose, spans if is_needed else [], others, n_left_out, n_bad)


def _why_not(event: Checked | ApiError, used_up: ApiError | None, suppressed: Suppressed | None) -> ApiError | None:
    """Return why a turn that makes `event` may not wait for its end; None: it may."""
    if isinstance(event, ApiError):
        return event
    return refusal(suppressed, ids_of(event)) or used_up


def _aligned(made: Plan, whys: list[ApiError | None]) -> Iterator[tuple[Turn, ApiError | None]]:
    return zip([*made.events, *made.waiting], whys, strict=True)


def _n_of(turn: Turn, ids: set[tuple[str, str]]) -> int:
    """Return how many of a turn's spans are among `ids`."""
    return sum((each.trace_id, each.span_id) in ids for each in turn.said.values())


def _key_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the key in a request's headers: in `X-API-Key`, as a bearer token, or as the password of a user."""
    headers = list(headers)
    key = bearer_or_key_of(headers)
    if key is not None:
        return key
    scheme, given = authorization_of(headers)
    if scheme != "basic":
        return None
    try:
        return base64.b64decode(given, validate=True).decode("latin-1").partition(":")[2] or None
    except (binascii.Error, ValueError):
        raise InvalidKeyError from None
