"""Taking events over HTTP, and the routes that operate a server: `/healthz`, `/readyz`, `/readyz/pipeline`, `/metrics`.

What takes events (`POST /track`, and OpenTelemetry's `POST /v1/traces` and `/v1/logs`) stands in front of the framework
(`in_front`): it reads the body itself, under the limits, and answers without the framework's layers and routing, which
cost more than the event does. `turret_api.collector.document` and `turret_api.otlp.document` describe it in OpenAPI. So
do answers of `/v1` that are kept, whose bytes are sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Receive, Scope, Send

from turret_api.collector.collector import Collector
from turret_api.collector.desk import Desk
from turret_api.collector.document import TRACK
from turret_api.collector.track import Track
from turret_api.errors import DamagedError, UnavailableError
from turret_api.freshness import Freshness
from turret_api.otlp import receiver
from turret_api.otlp.document import operation
from turret_api.serve.exposition import exposition

MOST_NAMED = 5
"""Damaged files that an answer names; `turret doctor` names all."""
LOOK_S = 1.0
"""Seconds that `/readyz` waits for a look at what waits to be built."""


def install(
    app: FastAPI, collector: Collector, freshness: Freshness, pipeline: Callable[[], bytes] = lambda: b""
) -> None:
    """After this call `app` takes events into `collector`, and says how it and the pipeline do.

    pipeline: returns the metrics of the pipeline, as `/metrics` has them.
    """
    desk = Desk(collector)
    app.state.receiver = receiver.Receiver(desk)
    app.state.takers = {"/track": Track(desk), **app.state.receiver.takers()}
    app.add_middleware(_TakersFirst, takers=app.state.takers)
    route = partial(app.add_api_route, endpoint=_unreachable, methods=["POST"], responses={}, tags=["write"])
    route("/track", name="track", openapi_extra=TRACK)
    for path, signal in receiver.PATHS.items():
        route(path, name=f"receive{path.replace('/', '_')}", openapi_extra=operation(signal))
    app.include_router(_operation(collector, freshness, pipeline))


def in_front(of: ASGIApp, app: FastAPI) -> ASGIApp:
    """Return an application that takes events, and repeats answers, without the layers of `app`.

    All else it gives to `of`, which is `app` with what the server puts around it.
    """
    front: Callable[[ASGIApp], ASGIApp] | None = getattr(app.state, "front", None)
    return _TakersFirst(of if front is None else front(of), app.state.takers)


class _TakersFirst:
    """Gives what is posted to a path of `takers` to the application there, and everything else to the framework."""

    def __init__(self, app: ASGIApp, takers: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._takers = takers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        taker = self._takers.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        await (self._app if taker is None else taker)(scope, receive, send)


async def _unreachable() -> None:
    """Take events; `_TakersFirst` does."""


async def _pipeline(freshness: Freshness) -> str:
    """Return `in time`, `late`, `damaged`, or `unknown` where that cannot be told quickly."""
    # Not in the framework's threads, in which questions may wait.
    look = asyncio.get_running_loop().run_in_executor(None, lambda: (freshness.damage(), freshness.late()))
    try:
        damaged, late = await asyncio.wait_for(asyncio.shield(look), LOOK_S)
        return "damaged" if damaged else "late" if late else "in time"
    except TimeoutError:
        return "unknown"


def _operation(collector: Collector, freshness: Freshness, pipeline: Callable[[], bytes]) -> APIRouter:
    router = APIRouter(tags=["operation"])

    @router.get("/healthz", summary="Alive")
    async def healthz() -> dict[str, str]:
        """Answer as long as the process does."""
        return {"status": "alive"}

    @router.get("/readyz", summary="Can store events now", responses={503: {"description": "Cannot store events now"}})
    async def readyz() -> Any:
        """Answer 200 if an event could be stored now, else 503 with the reason; say how accounts, clock, pipeline are.

        While the accounts' database is away, events are taken with the keys and plans that are known.
        """
        obstacle = collector.obstacle
        if obstacle is not None:
            raise UnavailableError(obstacle, retry_after_s=5)
        accounts = "reached" if collector.keys.is_current else "away"
        if accounts == "away" and collector.keys.is_empty:
            raise UnavailableError("The accounts' database is away and no key is known yet.", retry_after_s=5)
        pipeline = await _pipeline(freshness)
        return JSONResponse({"status": "ready", "accounts": accounts, "clock": collector.clock, "pipeline": pipeline})

    @router.get(
        "/readyz/pipeline",
        summary="Events are in the tables in time",
        responses={503: {"description": "Something is damaged, or events have waited for longer than they should"}},
    )
    def readyz_pipeline() -> Any:
        """Answer 200 if nothing is damaged and no event waits for longer than `TURRET_LATE_SECONDS`, else 503."""
        if damaged := freshness.damage():
            raise DamagedError(" ".join(damaged[:MOST_NAMED]))
        late = freshness.late()
        if late:
            projects = len({wait.project_id for wait in late} - {None})
            words = f"{late[0].words} {projects} projects are late; `turret status` names them."
            raise UnavailableError(words, retry_after_s=60)
        return JSONResponse({"status": "ready"})

    @router.get(
        "/metrics",
        summary="Metrics in Prometheus's text format",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def metrics() -> Response:
        """Answer with the metrics of all collector processes on this host that share the port, and of the pipeline."""
        text = exposition(collector.metrics.registry, collector.slot.folder)
        return Response(text + pipeline(), media_type=CONTENT_TYPE_LATEST)

    return router
