"""uvicorn as Turret runs it: errors in the contract's shape below the application too, and slow clients cut off."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from turret_api.collector.collector import Collector
from turret_api.errors import INVALID_REQUEST, error_body
from turret_api.serve.exposition import LEAVE_EVERY_S, leave

log = logging.getLogger(__name__)

HEADERS_S = 10.0
REQUEST_S = 60.0
SHUTDOWN_S = 10
_MOST_DISCARDED = 32 * 1024 * 1024
_SWEEP_S = 1.0


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which cuts clients off that take too long over a request.

    uvicorn ends idle connections, but waits without end for the rest of a request's head, and for the rest of a body
    that is no longer wanted. A sweep over all connections once a second ends them, so no request needs a timer.

        idle ──a request begins──▶ waits for its head ──▶ waits for its body ──whole──▶ idle
                                     └──after HEADERS_S──┴──after REQUEST_S──▶ cut off
    """

    _waits_since: float | None = None
    _has_head = False
    _n_discarded = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: the connection waits for its first request."""
        super().connection_made(transport)
        self._waits_since = self.loop.time()

    def on_message_begin(self) -> None:
        """Start the clock for a request's head."""
        super().on_message_begin()
        self._waits_since = self.loop.time()
        self._has_head = False
        self._n_discarded = 0

    def on_headers_complete(self) -> None:
        """Note that only the body is missing."""
        self._has_head = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; close the connection once too much came after the answer."""
        if self.cycle.response_complete:
            self._n_discarded += len(body)
            if self._n_discarded > _MOST_DISCARDED:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the clock: the request is whole."""
        self._waits_since = None
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # The answer went out before the body had come; uvicorn forgets to end such a connection when it idles.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def cut_if_slow(self, now: float) -> None:
        """Close the connection if its client has taken too long over a request; `now` is the event loop's time."""
        if self._waits_since is None or self.transport is None or self.transport.is_closing():
            return
        if now - self._waits_since > (REQUEST_S if self._has_head else HEADERS_S):
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP, in the contract's shape."""
        body = msgspec.json.encode(error_body(INVALID_REQUEST, "This is not a valid HTTP request."))
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[400] + head + body)
        self.transport.close()


def _bound_memory() -> None:
    """Make glibc return large blocks at once and share few arenas: bodies come and go, and threads are many.

    Without glibc this does nothing. The parameters' numbers are from mallopt(3).
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


async def _leave_figures(collector: Collector) -> None:
    """Leave this process's metrics for the others that share the port, every few seconds."""
    while True:
        try:
            await asyncio.to_thread(leave, collector.metrics.registry, collector.slot.folder)
        except OSError as error:
            log.warning("the metrics cannot be left for the other workers", extra={"reason": str(error)[:300]})
        await asyncio.sleep(LEAVE_EVERY_S)


def serve(
    make_app: Callable[..., FastAPI],
    collector: Collector,
    listener: socket.socket,
    on_ready: Callable[[], None] = lambda: None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
) -> None:
    """Serve an application on `listener` until SIGTERM or SIGINT; what was taken is then in the lake.

    Args:
        make_app: returns the application over `collector`; gets the `lifespan` to use.
        collector: is started before the first request, and stopped after the last.
        listener: a socket that listens.
        on_ready: is called when events can be taken.
        tls_cert: file of the certificate, which `check_tls` has looked at; None: HTTP.
        tls_key: file of its key.
    """
    _bound_memory()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(each) for each in (_sweep(server), _leave_figures(collector))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.to_thread(collector.stop)

    app = make_app(lifespan=lifespan)
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
            ssl_certfile=tls_cert,
            ssl_keyfile=tls_key,
        )
    )

    def end(*_: object) -> None:
        server.should_exit = True

    # For a signal that comes before uvicorn takes over, and for the one that it raises again when all is done.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    collector.start()
    # What exists now stays: frozen, it is not walked again by each full collection under load.
    gc.collect()
    gc.freeze()
    # Few objects that requests make are in cycles, so young ones are looked at less often.
    gc.set_threshold(20_000, 10, 10)
    on_ready()
    server.run(sockets=[listener])
