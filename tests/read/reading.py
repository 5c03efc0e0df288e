"""The read API alone, in this process. Its routes are made once: they take longer than most tests of it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from turret_api import error_answers
from turret_api.accounts import Accounts
from turret_api.accounts.few import Few
from turret_api.auth import Gate, Principal
from turret_api.dashboard.routes import nothing_here
from turret_api.freshness import Freshness
from turret_api.read.engine.calculator import Calculator
from turret_api.read.engine.engine import Engine
from turret_api.read.engine.library import Library
from turret_api.read.http.front import Front
from turret_api.read.http.routes import read_router
from turret_api.roles import ADMIN, READ, VIEWER, WRITE
from turret_pipeline.lake.paths import Lake

LATE_S = 600.0
NOWHERE = "postgresql+psycopg2://nobody@127.0.0.1:1/nothing"


class GivenKeys:
    """Keys as the accounts know them, without a database: `project:scope`, or `project:viewer`."""

    def find(self, key: str) -> Principal | None:
        project_id, _, scope = key.partition(":")
        if scope == VIEWER:
            return Principal(project_id, READ, key, given_role=VIEWER)
        return Principal(project_id, scope, key) if scope in (READ, ADMIN, WRITE) else None

    def known(self, key: str) -> Principal | None:
        return self.find(key)


@dataclass(frozen=True)
class Behind:
    """What stands behind the routes of one app."""

    engine: Engine
    keys: GivenKeys
    freshness: Freshness
    few: Few

    @property
    def library(self) -> Library:
        return self.engine.library


_behind: ContextVar[Behind] = ContextVar("behind")


class Its:
    """Stands in the routes for one part of the app that a request came to."""

    def __init__(self, part: str) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(_behind.get(), self._part), name)


class ItsEngine(Its):
    """The engine, whose library routes take for themselves as they are made."""

    library = Its("library")


class Entry:
    """Lets each request to an app find what stands behind it."""

    def __init__(self, app: ASGIApp, behind: Behind) -> None:
        self._app, self._behind = app, behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _behind.set(self._behind)
        await self._app(scope, receive, send)


@cache
def routes() -> list[BaseRoute]:
    gate: Any = Gate(Its("keys"))  # type: ignore[arg-type]
    engine: Any = ItsEngine("engine")
    freshness: Any = Its("freshness")
    app = FastAPI(openapi_url=None)
    app.include_router(read_router(engine, gate, Accounts(NOWHERE), freshness, lambda _: _behind.get().few))
    return app.router.routes


def read_app(
    lake: Lake,
    *,
    keys: GivenKeys | None = None,
    calculator: Calculator | None = None,
    front: bool = False,
    few: int = 5,
) -> FastAPI:
    """The read API alone, over `lake` and accounts that cannot be reached."""
    behind = Behind(Engine(lake, calculator), keys or GivenKeys(), Freshness(lake, None, LATE_S), Few(viewers=few))
    app = FastAPI()
    error_answers.install(app, nothing_here)
    app.router.routes.extend(routes())
    app.add_middleware(Entry, behind=behind)
    if front:
        app.add_middleware(Front, library=behind.library, keys=behind.keys)
    return app
