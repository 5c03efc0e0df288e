"""uvicorn as Turret runs it: contract-shaped errors below the application too, and slow clients cut."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from turret_api.accounts import Accounts
from turret_api.app import create_app
from turret_api.collector.collector import Collector
from turret_api.errors import INVALID_REQUEST, error_body
from turret_pipeline.settings import Settings

HEADERS_S = 10.0
REQUEST_S = 60.0
SHUTDOWN_S = 10
_MOST_DISCARDED = 32 * 1024 * 1024
_SWEEP_S = 1.0


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which cuts clients that dawdle.

    uvicorn ends idle connections, but waits for ever for the rest of a request's head, and for the rest of a body that
    is no longer wanted. No timer is set for each request; a sweep over all connections once a second does.
    """

    _waits_since: float | None = None
    _has_head = False
    _n_discarded = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waits_since = self.loop.time()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._waits_since = self.loop.time()
        self._has_head = False
        self._n_discarded = 0

    def on_headers_complete(self) -> None:
        self._has_head = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._n_discarded += len(body)
            if self._n_discarded > _MOST_DISCARDED:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._waits_since = None
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # The answer went out before the body had come; uvicorn forgets to end such a connection when it idles.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def cut_if_slow(self, now: float) -> None:
        """Close the connection if its client has taken too long over a request."""
        if self._waits_since is None or self.transport is None or self.transport.is_closing():
            return
        if now - self._waits_since > (REQUEST_S if self._has_head else HEADERS_S):
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP in the contract's shape."""
        body = msgspec.json.encode(error_body(INVALID_REQUEST, "This is not a valid HTTP request."))
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[400] + head + body)
        self.transport.close()


def _bound_memory() -> None:
    """Make glibc give large blocks back at once and share few arenas: bodies come and go, and threads are many.

    Elsewhere than on glibc this does nothing. Values from mallopt(3).
    """
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(arena_max, 2)
    mallopt(mmap_threshold, 64 * 1024)
    mallopt(trim_threshold, 1024 * 1024)


async def _sweep(server: uvicorn.Server) -> None:
    while True:
        await asyncio.sleep(_SWEEP_S)
        now = asyncio.get_running_loop().time()
        for connection in list(server.server_state.connections):
            if isinstance(connection, Protocol):
                connection.cut_if_slow(now)


def serve(
    settings: Settings,
    accounts: Accounts,
    collector: Collector,
    listener: socket.socket,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve the API on `listener` until SIGTERM or SIGINT; what was taken is then in the lake.

    `on_ready` is called when events can be taken.
    """

    _bound_memory()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(server))
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.to_thread(collector.stop)

    app = create_app(settings, accounts, collector=collector, keys=collector.keys, lifespan=lifespan)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=2048,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
    )

    def end(*_: object) -> None:
        server.should_exit = True

    # For a signal that comes before uvicorn takes over, and for the one that it raises again when all is done.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    collector.start()
    # What is there now stays: left out, full collections need not walk it again and again under load.
    gc.collect()
    gc.freeze()
    # And few of what requests make is in cycles, so young objects need looking at less often.
    gc.set_threshold(20_000, 10, 10)
    on_ready()
    server.run(sockets=[listener])
