"""uvicorn as Turret runs it: one application on one socket, from its start until a signal ends it."""

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

import uvicorn
from fastapi import FastAPI

from turret_api.collector.collector import Collector
from turret_api.serve.exposition import LEAVE_EVERY_S, leave
from turret_api.serve.protocol import Protocol
from turret_api.serve.routes import in_front

log = logging.getLogger(__name__)

SHUTDOWN_S = 10
_SWEEP_S = 1.0


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
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.receiver.start()
        tasks = [asyncio.create_task(each) for each in (_sweep(server), _leave_figures(collector))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await app.state.receiver.stop()
            await asyncio.to_thread(collector.stop)

    app = make_app(lifespan=lifespan)
    config = uvicorn.Config(
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
    config.load()
    config.loaded_app = in_front(config.loaded_app, app)
    server = uvicorn.Server(config)

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
