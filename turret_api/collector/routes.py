"""`POST /track`, `/healthz`, `/readyz` and `/metrics`.

`/track` stands in front of the framework: it reads the body itself, under the limits, and answers without the
framework's routing, which costs more than the event does. `turret_api.collector.document` describes it in OpenAPI.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Receive, Scope, Send

from turret_api.collector.collector import Collector
from turret_api.collector.document import TRACK
from turret_api.collector.exposition import exposition
from turret_api.collector.track import Track
from turret_api.errors import UnavailableError


def install(app: FastAPI, collector: Collector) -> None:
    """After this call `app` takes events into `collector`."""
    app.state.collector = collector
    app.add_middleware(_TrackFirst, track=Track(collector))
    app.add_api_route("/track", _unreachable, methods=["POST"], openapi_extra=TRACK, responses={}, tags=["write"])
    app.add_api_route("/healthz", healthz, methods=["GET"], tags=["operation"], summary="Alive")
    app.add_api_route(
        "/readyz",
        readyz,
        methods=["GET"],
        tags=["operation"],
        summary="Can store events now",
        responses={503: {"description": "Cannot store events now"}},
    )
    app.add_api_route(
        "/metrics",
        metrics,
        methods=["GET"],
        tags=["operation"],
        summary="Metrics in Prometheus's text format",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )


class _TrackFirst:
    """Gives `POST /track` to `track` and everything else to the framework."""

    def __init__(self, app: ASGIApp, track: Track) -> None:
        self._app = app
        self._track = track

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/track" and scope["method"] == "POST":
            await self._track(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _unreachable() -> None:
    """Track one event, or many."""


async def healthz() -> dict[str, str]:
    """Answer as long as the process does."""
    return {"status": "alive"}


async def readyz(request: Request) -> Any:
    """Answer 200 if an event could be stored now, else 503 with the reason."""
    collector: Collector = request.app.state.collector
    obstacle = collector.obstacle
    if obstacle is not None:
        raise UnavailableError(obstacle, retry_after_s=5)
    return JSONResponse({"status": "ready"})


def metrics(request: Request) -> Response:
    """Answer with the metrics of all collector processes on this host that share the port."""
    return Response(exposition(request.app.state.collector), media_type=CONTENT_TYPE_LATEST)
