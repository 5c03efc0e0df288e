"""HTTP as Turret reads it off a connection: every byte has a limit before anything is known of who sends it.

uvicorn takes heads of any length, all requests that a client sends at once, and waits without end for the rest of a
request. Here bytes go to the parser in small pieces, so that what it holds is counted:

    idle ──a request begins──▶ waits for its head ──▶ waits for its body ──whole──▶ idle
                                 │  └──after HEADERS_S──┴──after REQUEST_S──▶ cut off
                                 └──too long, or no HTTP──▶ refused: answered, the rest thrown away ──▶ closed
    idle ──after uvicorn's `timeout_keep_alive`──▶ closed

Times are looked at once a second for all connections (`cut_if_slow`), so no request pays for a timer. Requests that a
client sends before it has its answer wait as bytes. Of connections there are so many that the process keeps file
descriptors for its own work; past that those that have been idle for longest are closed.

How much of a body is read is not decided here: routes do that, and until they ask for more no more is read.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterable
from typing import ClassVar

import httptools
import msgspec
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from turret_api.collector.intake import WHOLE
from turret_api.errors import INVALID_REQUEST, SERVICE_UNAVAILABLE, error_body

MOST_HEAD_BYTES = 64 * 1024
MOST_FIELDS = 1_000
"""Header fields of one request."""
HEADERS_S = 10.0
REQUEST_S = 60.0
LINGER_S = 5.0
"""Seconds for which a refused client may go on sending, so that it finds the answer and not a broken connection."""
MOST_CONNECTIONS = 8_192
OWN_DESCRIPTORS = 64
"""File descriptors that connections leave to the process: for the spool, the lake, Postgres and questions."""

_PIECE = 4096
_SMALL_HEAD = 8 * 1024
_MOST_HELD = 16 * 1024 * 1024
"""Bytes of all heads together that are larger than `_SMALL_HEAD`."""
_MOST_UNREAD = 1024 * 1024
_MOST_DISCARDED = 64 * 1024 * 1024
_PARSED_AFTER_ANSWER = 128 * 1024
_DISCARD_EVERY_S = 0.01


class _RefusedError(Exception):
    """Ends the parser's work on a request that was refused while it was being parsed."""


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol within bounds; see the module."""

    held: ClassVar[int] = 0
    """Bytes of large heads in memory, of all connections."""

    _waits_since: float | None = None
    _answered_at = 0.0
    _refused_since: float | None = None
    _is_last = False
    _has_head = False
    _made_progress = False
    _n_head = 0
    _n_between = 0
    _n_discarded = 0
    _held = 0
    _unread: bytes | memoryview = b""
    _answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: the connection waits for its first request."""
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        if len(self.connections) > most_connections():
            _close_idle(self.connections, max(1, len(self.connections) // 16))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what the connection held."""
        self._hold(0)
        self._unread = b""
        if self._answering is not None and not self._answering.response_complete:
            # uvicorn tells the latest request only, and the one that is being answered would fail with a traceback.
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client: parsed now, or after the answers to what came before them."""
        if self._is_last:
            self._discard(len(data))
            return
        if len(data) <= _PIECE and not self._unread and not self.pipeline and self._n_head + len(data) <= _SMALL_HEAD:
            self._parse_piece(data)
            return
        self._unread = b"".join((self._unread, data)) if self._unread else data
        if len(self._unread) > _MOST_UNREAD:
            self.transport.abort()
            return
        self._parse()

    def on_message_begin(self) -> None:
        """Start the clock for a request's head."""
        super().on_message_begin()
        self._waits_since = self.loop.time()
        self._has_head = False
        self._n_discarded = 0

    def on_headers_complete(self) -> None:
        """Note that only the body is missing."""
        if len(self.headers) > MOST_FIELDS:
            self._refuse_fields()
            raise _RefusedError
        self._has_head, self._made_progress = True, True
        super().on_headers_complete()
        self.headers = []  # fields behind the body land here, and nowhere
        if self.parser.should_upgrade():
            # It is answered as any request, but the parser takes all that follows for another protocol.
            self._end_with_answer()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; close the connection once too much came after the answer."""
        self._made_progress = True
        if self.cycle.response_complete:
            self._discard(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the clock: the request is whole."""
        self._waits_since, self._has_head, self._n_head = None, False, 0
        self.scope[WHOLE] = True  # type: ignore[literal-required]
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what the client has sent meanwhile. As uvicorn's, but for its timer."""
        self.server_state.total_requests += 1
        self._answered_at = self.loop.time()
        if self._held and (self._has_head or not self._n_head):
            self._hold(0)
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if self._unread:
            self.loop.call_soon(self._parse)

    def cut_if_slow(self, now: float) -> None:
        """Close the connection if its client has taken too long, over a request or until the next one.

        now: the event loop's time.
        """
        if self.transport is None or self.transport.is_closing():
            return
        if self._refused_since is not None:
            if now - self._refused_since > LINGER_S:
                self.transport.abort()
        elif self._unread:
            return  # it waits for us
        elif self._waits_since is not None:
            waited_s = now - self._waits_since
            if waited_s > (REQUEST_S if self._has_head else HEADERS_S):
                self.transport.abort()
        elif self.idle_since is not None and now - self.idle_since > self.timeout_keep_alive:
            self.transport.close()

    @property
    def idle_since(self) -> float | None:
        """When the connection began to wait for a request or its head; None: a request is under way."""
        if self.cycle is not None and not self.cycle.response_complete:
            return None
        return self._waits_since if self._waits_since is not None else self._answered_at

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP, in the contract's shape."""
        self._refuse(400, "This is not a valid HTTP request.")

    def _parse(self) -> None:
        """Give the parser what came, until a request has to wait for the answer to the one before it."""
        if not self._unread or self.transport.is_closing():
            return
        unread = memoryview(self._unread)
        while len(unread) and not self.pipeline and not self._is_last:
            size = _PIECE if self._has_head else min(_PIECE, MOST_HEAD_BYTES - self._n_head)
            if size == 0:
                words = f"The request's head is longer than {MOST_HEAD_BYTES // 1024} KiB; send fewer, shorter headers."
                self._refuse(431, words)
                break
            self._parse_piece(unread[:size])
            unread = unread[size:]
        # Copied: a view of the little that is left would keep all of it.
        self._unread = b"" if self._is_last else bytes(unread)

    def _parse_piece(self, piece: bytes | memoryview) -> None:
        self._made_progress = False
        if not self._has_head:
            self._n_head += len(piece)
            if self._n_head > _SMALL_HEAD:
                self._hold(self._n_head)
                if Protocol.held > _MOST_HELD:
                    self._refuse(503, "The server has too much to do; send shorter headers, or try again in a moment.")
                    return
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserError:
            if not self._is_last:
                self.send_400_response("")
            return
        if self._made_progress:
            self._n_between = 0
            return
        if self._waits_since is None:
            self._waits_since = self.loop.time()
        if self._has_head:
            # Sizes of chunks, their extensions, and fields behind the body.
            self._n_between += len(piece)
            if self._n_between > MOST_HEAD_BYTES:
                self._refuse(431, "There is too much around the request's body; send it without trailers.")
        elif self.headers is not None and len(self.headers) > MOST_FIELDS:
            self._refuse_fields()

    def _refuse_fields(self) -> None:
        self._refuse(431, f"The request has more than {MOST_FIELDS:,} header fields; send fewer.")

    def _refuse(self, status: int, words: str) -> None:
        """Answer, and throw away what still comes; the client has `LINGER_S` to notice."""
        self._hold(0)
        if self.cycle is not None and not self.cycle.response_complete:
            if not self._has_head or self.cycle.response_started or self.pipeline:
                # An answer to an earlier request is still due, and this one would be taken for it.
                self._end_with_answer()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._is_last, self._refused_since = True, self.loop.time()
        body = msgspec.json.encode(error_body(SERVICE_UNAVAILABLE if status == 503 else INVALID_REQUEST, words))
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n" % len(body)
        retry = b"retry-after: 1\r\n" if status == 503 else b""
        self.transport.write(STATUS_LINE[status] + head + retry + b"\r\n" + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _end_with_answer(self) -> None:
        """Read nothing more, and close the connection after the answers that are due."""
        self._is_last = True
        self.cycle.keep_alive = False

    def _discard(self, n_bytes: int) -> None:
        """Throw away bytes that came after the answer; when they are many, unparsed and no faster than they must be."""
        self._n_discarded += n_bytes
        if self._n_discarded > _MOST_DISCARDED:
            self.transport.close()
        elif self._n_discarded > _PARSED_AFTER_ANSWER:
            if not self._is_last:
                self._is_last = True
                if self.transport.can_write_eof():
                    self.transport.write_eof()
            self.flow.pause_reading()
            self.loop.call_later(_DISCARD_EVERY_S, self._read_on)

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _hold(self, n_bytes: int) -> None:
        Protocol.held += n_bytes - self._held
        self._held = n_bytes


def most_connections() -> int:
    """Return how many connections the process takes, by the file descriptors that it may open."""
    return max(16, min(MOST_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - OWN_DESCRIPTORS))


def _close_idle(connections: Iterable[object], n: int) -> None:
    """Close `n` connections, of those that are idle those that have been so for longest."""
    idle = [
        (each.idle_since, each)
        for each in connections
        if isinstance(each, Protocol) and not each.transport.is_closing()
    ]
    oldest = sorted(((at, each) for at, each in idle if at is not None), key=lambda pair: pair[0])
    for _, each in oldest[:n]:
        each.transport.abort()
