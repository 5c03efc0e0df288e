"""Reading bodies within bounds: of one body, of all bodies together, and of time.

All bodies in memory together hold at most `MOST_BYTES` (a single body always fits). A request that finds no room waits
up to five seconds and is then answered 503. Meanwhile the server's flow control holds back all but 64 KiB a connection.
"""

from __future__ import annotations

import asyncio
import collections

from starlette.types import Receive, Scope

from turret_api.collector.body import MAX_BODY, too_large
from turret_api.collector.metrics import Metrics
from turret_api.errors import UnavailableError, invalid

WHOLE = "turret.whole"
"""Key of a request's scope under which the server says that the body has come, all of it."""
MOST_REQUESTS = 2_000
MOST_BYTES = MAX_BODY + MAX_BODY // 2
_MOST_WAITING = 256
"""Requests that wait for room: what a client has sent by then is in memory, up to 320 KiB a connection."""
_GUESS = 64 * 1024
_WAIT_FOR_ROOM_S = 5.0
_CHUNK_S = 10.0
_BODY_S = 45.0


class ClientGoneError(Exception):
    """The client hung up before its request was whole, so there is no one to answer."""


class Reservation:
    """Bytes set aside for one request, until the `with` block ends."""

    __slots__ = ("_intake", "n_bytes")

    def __init__(self, intake: Intake, n_bytes: int) -> None:
        self._intake = intake
        self.n_bytes = n_bytes

    def grow(self, n_bytes: int) -> None:
        """Set aside `n_bytes` in all; raise `UnavailableError` if there is no room."""
        more = n_bytes - self.n_bytes
        if more > 0:
            self._intake.take(more)
            self.n_bytes = n_bytes

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.release(self.n_bytes)


class Intake:
    """The bounds of one process. Event loop only."""

    def __init__(self, metrics: Metrics) -> None:
        self._n_requests = 0
        self._n_bytes = 0
        self._waiting: collections.deque[tuple[int, asyncio.Future[None]]] = collections.deque()
        metrics.in_flight.set_function(lambda: float(self._n_requests))
        metrics.in_flight_bytes.set_function(lambda: float(self._n_bytes))

    async def reserve(self, length: int | None) -> Reservation:
        """Set room aside for a body of `length` bytes (None: not announced), waiting a little if there is none."""
        if length is not None and length > MAX_BODY:
            raise too_large()
        if self._n_requests >= MOST_REQUESTS or len(self._waiting) >= _MOST_WAITING:
            raise _overloaded()
        n_bytes = _GUESS if length is None else length
        self._n_requests += 1
        if self._waiting or self._n_bytes + n_bytes > MOST_BYTES:
            room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((n_bytes, room))
            try:
                await asyncio.wait_for(room, _WAIT_FOR_ROOM_S)
            except BaseException as error:
                self._n_requests -= 1
                if room.done() and not room.cancelled():
                    self._n_bytes -= n_bytes
                self._let_in()
                if isinstance(error, TimeoutError):
                    raise _overloaded() from None
                raise
        else:
            self._n_bytes += n_bytes
        return Reservation(self, n_bytes)

    def take(self, n_bytes: int) -> None:
        """Set `n_bytes` more aside now, or raise `UnavailableError`."""
        if self._n_bytes + n_bytes > MOST_BYTES:
            raise _overloaded()
        self._n_bytes += n_bytes

    def release(self, n_bytes: int) -> None:
        """Give the room of a request back."""
        self._n_requests -= 1
        self._n_bytes -= n_bytes
        if self._waiting:
            self._let_in()

    def _let_in(self) -> None:
        while self._waiting:
            n_bytes, room = self._waiting[0]
            if room.done():
                self._waiting.popleft()
            elif self._n_bytes + n_bytes <= MOST_BYTES:
                self._waiting.popleft()
                self._n_bytes += n_bytes
                room.set_result(None)
            else:
                break

    async def read(self, scope: Scope, receive: Receive, reservation: Reservation) -> bytes:
        """Return the whole body; raise `ApiError` if it is too large (413) or comes too slowly (408)."""
        try:
            if WHOLE in scope:
                message = await receive()  # without a timer, which costs a twentieth of a small request
            else:
                async with asyncio.timeout(_CHUNK_S):
                    message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            body: bytes = message.get("body", b"")
            if not message.get("more_body"):
                return body
            return await self._read_on(receive, reservation, body)
        except TimeoutError:
            raise invalid("The body came too slowly; send it faster, or in smaller requests.", status=408) from None

    async def _read_on(self, receive: Receive, reservation: Reservation, body: bytes) -> bytes:
        chunks, size = [body], len(body)
        async with asyncio.timeout(_BODY_S):
            while True:
                async with asyncio.timeout(_CHUNK_S):
                    message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > MAX_BODY:
                    raise too_large()
                reservation.grow(size)
                chunks.append(chunk)
                if not message.get("more_body"):
                    return b"".join(chunks)


def _overloaded() -> UnavailableError:
    return UnavailableError(
        "The server has too much to do; nothing was stored. Try again in a moment.", retry_after_s=1
    )
