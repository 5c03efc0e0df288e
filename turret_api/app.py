"""The whole API as one application, put together from its rooms."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI, Request
from starlette.routing import Route
from starlette.types import Scope

from turret_api import error_answers
from turret_api.accounts import Accounts
from turret_api.accounts.directory import Directory
from turret_api.alerts.routes import alert_router
from turret_api.assistants import door as assistants
from turret_api.auth import Gate, bearer_or_key_of, is_let_in
from turret_api.collector.collector import Collector
from turret_api.dashboard.pipeline_pages import PREFIX, PipelinePages
from turret_api.dashboard.round_trip import RoundTrip
from turret_api.dashboard.routes import Dashboard, nothing_here
from turret_api.dashboard.sessions import Sessions, load_secret
from turret_api.dashboard.sign_in import SignIn
from turret_api.document import DocumentedAPI
from turret_api.erasing.estimate import Estimate
from turret_api.erasing.routes import erasure_router
from turret_api.errors import InvalidKeyError
from turret_api.freshness import Freshness
from turret_api.people.audit_routes import audit_router
from turret_api.people.people_routes import people_router
from turret_api.pipeline_metrics import PipelineMetrics
from turret_api.read.engine.calculator import Calculator
from turret_api.read.engine.engine import Engine
from turret_api.read.http.few import few_in
from turret_api.read.http.front import Front
from turret_api.read.http.masking import masking_router
from turret_api.read.http.routes import read_router
from turret_api.serve.bodies import BoundedBodies
from turret_api.serve.routes import install as install_collector
from turret_api.serve.turns import Turns
from turret_pipeline.settings import Settings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

CALCULATOR_S = 1.0
"""Seconds from the start of the application to that of the calculator, which is not to slow the former down."""


def create_app(
    settings: Settings,
    accounts: Accounts,
    *,
    collector: Collector | None = None,
    keys: Directory | None = None,
    lifespan: Lifespan | None = None,
    events_only: bool = False,
) -> FastAPI:
    """Return the API over `settings` and `accounts`; with a `collector` it takes events too.

    Without `keys` the application looks keys up by itself, at most a second old, and needs nothing to be started. With
    a `collector` questions are worked out in a process of their own, which runs as long as the application does.

    events_only: there is neither the read API nor the dashboard; goes with a `collector`.
    """
    keys = keys or Directory(accounts)
    lake = settings.open_lake()
    if events_only and collector is not None:
        return _collecting(collector, keys, Freshness(lake, settings.home / "spool", settings.late_s), lifespan)
    secret = load_secret(settings.home, accounts)
    sessions = Sessions(secret, keys)
    kept_to = settings.question_s, settings.question_bytes, settings.home
    calculator = None if collector is None else Calculator(lake, *kept_to)
    engine = Engine(lake, calculator)
    freshness = Freshness(lake, settings.home / "spool", settings.late_s, engine.library.files_of)
    app = _empty_app(keys, sessions, _with_calculator(lifespan or _nothing_to_start, calculator))
    if collector is not None:
        app.state.front = partial(Front, library=engine.library, keys=keys)
        pipeline = PipelineMetrics(lake, freshness, accounts.engine)
        install_collector(app, collector, freshness, pipeline.exposition)
    gate = Gate(keys, sessions)
    app.include_router(read_router(engine, gate, accounts, freshness, partial(few_in, keys)))
    app.include_router(masking_router(gate, accounts, settings.mask_names))
    app.include_router(alert_router(settings, accounts, gate))
    app.include_router(people_router(accounts, gate))
    app.include_router(audit_router(accounts, gate))
    app.include_router(erasure_router(accounts, gate, Estimate(engine, accounts, freshness)))
    sign_in = SignIn(settings, accounts, sessions)
    app.include_router(RoundTrip(settings, accounts, sessions, sign_in, secret).router())
    pipeline_pages = PipelinePages(settings, sessions, keys, sign_in)
    app.include_router(Dashboard(settings, accounts, sessions, sign_in, pipeline_pages.may_open).router())
    for path in (PREFIX, f"{PREFIX}/{{path:path}}"):
        app.router.routes.append(Route(path, pipeline_pages, include_in_schema=False))
    app.router.routes.append(Route(assistants.PATH, assistants.Door(app, keys), include_in_schema=False))
    return app


def _collecting(collector: Collector, keys: Directory, freshness: Freshness, lifespan: Lifespan | None) -> FastAPI:
    """Return what takes events, says how it does, and nothing else."""
    app = _empty_app(keys, None, lifespan or _nothing_to_start)
    install_collector(app, collector, freshness)
    return app


def _empty_app(keys: Directory, sessions: Sessions | None, lifespan: Lifespan) -> FastAPI:
    """Return an application without routes: its clients take turns, its bodies are bounded, its errors are told."""
    app = DocumentedAPI(
        title="Turret API",
        version=version("turret"),
        description="Product analytics for LLM apps: track events, read topics, journeys and field types.",
        redirect_slashes=False,
        docs_url=None,  # FastAPI's pages load their scripts from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    error_answers.install(app, nothing_here)
    app.add_middleware(Turns, client_of=_client_of(keys, sessions))
    app.add_middleware(BoundedBodies)
    return app


def _client_of(keys: Directory, sessions: Sessions | None) -> Callable[[Scope], Hashable | None]:
    """Return what tells who takes turns: the key's project, a signed-in browser, or an address.

    A request that another one makes within this process takes none, or those that have a turn would wait for those
    that they wait for.
    """

    def client_of(scope: Scope) -> Hashable | None:
        if is_let_in(scope):
            return None
        with contextlib.suppress(InvalidKeyError):
            key = bearer_or_key_of(scope["headers"])
            principal = keys.known(key) if key else None
            if principal is not None:
                return principal.project_id
        session_id = sessions.session_id(Request(scope)) if sessions is not None else None
        return session_id or (scope.get("client") or ("",))[0]

    return client_of


@asynccontextmanager
async def _nothing_to_start(_: FastAPI) -> AsyncIterator[None]:
    yield


def _with_calculator(lifespan: Lifespan, calculator: Calculator | None) -> Lifespan:
    """Return `lifespan` within which the calculator starts before the first question comes, and ends with it."""

    @asynccontextmanager
    async def both(app: FastAPI) -> AsyncIterator[None]:
        async with lifespan(app):
            if calculator is None:
                yield
                return
            starting = threading.Timer(CALCULATOR_S, calculator.start)
            starting.start()
            try:
                yield
            finally:
                starting.cancel()
                starting.join()
                calculator.close()

    return both
