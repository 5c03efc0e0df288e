"""`/mcp`: who may come in, and what of HTTP is answered before the protocol is spoken.

A key is needed, in the header `X-API-Key` or, as MCP clients send it, in `Authorization: Bearer`: a read key, or an
admin key. A signed-in browser is not let in. So another site's page gains nothing by leading its own name to this
address (DNS rebinding): it has no key. For that reason any `Host` is taken, as it has to be behind a proxy; but a page
may come from this host only (`Origin`).

Only `POST` is there. A `GET` would hold a connection, and a place among the turns, for messages that never come.
"""

from __future__ import annotations

import urllib.parse
from functools import cache
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from turret_api import error_answers
from turret_api.auth import Keys, Principal, bearer_or_key_of
from turret_api.errors import ApiError, InvalidKeyError, invalid
from turret_api.roles import VIEWER

if TYPE_CHECKING:
    from types import ModuleType

PATH = "/mcp"


class Door:
    """ASGI application that lets clients in by `keys` and answers them from `app`, which has the routes of `/v1`."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        request = Request(scope, receive)
        try:
            principal = await self._let_in(request)
        except ApiError as error:
            await error_answers.answer(error)(scope, receive, send)
            return
        body = await request.body()
        asking, server = await run_in_threadpool(_loaded)
        async with asking.in_process(self._app, principal) as client:
            await server.answer_http(asking.Asker(client), scope, _again(body, receive), send)

    async def _let_in(self, request: Request) -> Principal:
        if request.method != "POST":
            words = "This address takes POST alone, from clients of the Model Context Protocol."
            raise ApiError(405, "INVALID_REQUEST", words, headers={"Allow": "POST"})
        key = bearer_or_key_of(request.scope["headers"])
        principal = await run_in_threadpool(self._keys.find, key) if key else None
        if principal is None or not principal.may(VIEWER):
            raise RefusedKeyError
        origin = request.headers.get("origin")
        if origin is not None and urllib.parse.urlsplit(origin).netloc != request.headers.get("host"):
            raise invalid("Pages of other sites may not come here.", status=403)
        return principal


class RefusedKeyError(InvalidKeyError):
    """As any key that is refused; the header names the way that clients of the protocol know."""

    def __init__(self) -> None:
        super().__init__()
        self.headers = {"WWW-Authenticate": 'Bearer realm="Turret"'}


@cache
def _loaded() -> tuple[ModuleType, ModuleType]:
    """Return the modules that speak the protocol; a server that is never asked does without them."""
    from turret_api.assistants import asking, server

    return asking, server


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a request's body, which was read, once more."""
    is_first = True

    async def given() -> Message:
        nonlocal is_first
        if is_first:
            is_first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return given
