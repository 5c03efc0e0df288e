"""The whole API as one application, put together from its rooms."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from turret_api import errors
from turret_api.accounts import Accounts
from turret_api.accounts.directory import Directory
from turret_pipeline.settings import Settings

if TYPE_CHECKING:
    from turret_api.collector.collector import Collector

_ROOMS = ("turret_api.read.routes", "turret_api.dashboard.routes")


def create_app(
    settings: Settings,
    accounts: Accounts,
    *,
    collector: Collector | None = None,
    keys: Directory | None = None,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """Return the API over `settings` and `accounts`; with a `collector` it takes events too.

    `app.state` holds `settings`, `lake`, `accounts` and `keys`. Without `keys` the application looks keys up by
    itself, at most a second old, and needs nothing to be started. With a `collector` questions are worked out in a
    process of their own: `app.state.calculator`, to be closed at the end.
    """
    app = FastAPI(
        title="Turret",
        version=version("turret"),
        description="Product analytics for LLM apps: track events, read topics, journeys and field types.",
        redirect_slashes=False,
        docs_url=None,  # FastAPI's pages load their scripts from another host
        redoc_url=None,
        lifespan=lifespan or _nothing_to_start,
    )
    app.state.settings = settings
    app.state.lake = settings.open_lake()
    app.state.accounts = accounts
    app.state.keys = keys or Directory(accounts)
    errors.install(app)
    if collector is not None:
        from turret_api.read.calculator import Calculator
        from turret_api.read.front import Front
        from turret_api.serve.routes import install

        app.state.calculator = Calculator(app.state.lake, settings.question_s, settings.question_bytes)
        app.add_middleware(Front)
        install(app, collector)
    for room in _ROOMS:
        if importlib.util.find_spec(room) is not None:
            module = importlib.import_module(room)
            if hasattr(module, "install"):
                module.install(app)
            else:
                app.include_router(module.router)
    _document(app)
    return app


@asynccontextmanager
async def _nothing_to_start(_: FastAPI) -> AsyncIterator[None]:
    yield


def _document(app: FastAPI) -> None:
    """Make the OpenAPI document tell what is true: bad input is answered 400 in the contract's shape, never 422."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            for place, path in made.get("paths", {}).items():
                for method, operation in path.items():
                    responses = operation.get("responses", {})
                    if responses.pop("422", None) is not None:
                        responses.setdefault("400", {"description": "Bad request", "content": _ERROR_CONTENT})
                    if operation.get("security"):
                        responses.setdefault("401", {"description": "No valid key", "content": _ERROR_CONTENT})
                    if place.startswith("/v1/"):
                        for status, words in _READ_ERRORS.items():
                            responses.setdefault(status, {"description": words, "content": _ERROR_CONTENT})
                        if method == "get":
                            responses.setdefault("304", {"description": "As it was; see the header If-None-Match"})
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            schemas["Error"] = ERROR_SCHEMA
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


_ERROR_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
_READ_ERRORS = {
    "404": "Not there, or not in this project",
    "503": "Takes too long, or too much is asked at once; see the header Retry-After",
}
ERROR_SCHEMA = {
    "type": "object",
    "required": ["success", "error", "code"],
    "properties": {
        "success": {"const": False},
        "error": {"type": "string", "description": "what is wrong and what to do, one sentence"},
        "code": {
            "enum": [
                errors.INVALID_API_KEY,
                errors.MISSING_REQUIRED_FIELD,
                errors.INVALID_REQUEST,
                errors.TEXT_TOO_LONG,
                errors.RATE_LIMIT_EXCEEDED,
                errors.SERVICE_UNAVAILABLE,
                errors.INTERNAL_ERROR,
            ]
        },
        "field": {"type": "string", "description": "the key at fault"},
        "retry_at": {"type": "string", "format": "date-time"},
        "limit": {"type": "integer"},
        "used": {"type": "integer"},
    },
}
