"""Taking turns: how many requests of one client are worked on together, so that no client slows the others down.

A client is a project, or an address where the project is not known. `POST /track` and the looks of load balancers take
no turns: events are few milliseconds of work each, and what they wait for is what the turns keep short. A request that
has waited for its turn in vain is answered 503.

    comes ──a place is free──▶ worked on ──answered──▶ its place is free from the event loop's next round on
      └──waits, in its client's line──its turn: one of each line──┘
            ├──`PATIENCE_S` is over, or the line is too long──▶ 503
            └──its client hangs up──▶ forgotten

A place is free in the next round only, or a client's hundred small requests would all be answered in one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Hashable

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from turret_api.errors import UnavailableError

OWN = 4
"""Requests of one client that are worked on together."""
TOGETHER = 24
"""Requests of all clients that are; the framework has 40 threads for them, and for what takes no turns."""
MOST_WAITING = 1_000
"""Requests of one client that wait."""
PATIENCE_S = 20.0
FULL_S = 1.0
"""Seconds after which a request that finds its line full is told so: told at once, it would be back at once."""
FREE = frozenset({"/track", "/healthz", "/readyz", "/readyz/pipeline"})
"""Paths that take no turns."""

ClientOf = Callable[[Scope], Hashable | None]


class Turns:
    """ASGI middleware that lets requests to `app` in, `OWN` of each client at a time, and `TOGETHER` of all.

    Args:
        app: what answers.
        client_of: tells whose a request is; None: one that takes no turn.
    """

    def __init__(self, app: ASGIApp, client_of: ClientOf) -> None:
        self._app = app
        self._client_of = client_of
        self._working = Counter[Hashable]()
        self._n_together = 0
        # The next turn is that of the first line that may have one; then its client is behind all others.
        self._lines: dict[Hashable, deque[asyncio.Future[None]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request when it is its turn."""
        if scope["type"] != "http" or scope["path"] in FREE:
            await self._app(scope, receive, send)
            return
        client = self._client_of(scope)
        if client is None:
            await self._app(scope, receive, send)
            return
        try:
            has_waited = await self._enter(client)
        except UnavailableError as error:
            answer = Response(msgspec.json.encode(error.body()), error.status, error.headers, "application/json")
            await answer(scope, receive, send)
            return
        try:
            known = await _unless_gone(receive) if has_waited else receive
            if known is not None:
                await self._app(scope, known, send)
        finally:
            asyncio.get_running_loop().call_soon(self._leave, client)

    async def _enter(self, client: Hashable) -> bool:
        """Take a place, and tell whether it had to be waited for; raise `UnavailableError` if in vain."""
        if self._n_together < TOGETHER and self._working[client] < OWN and client not in self._lines:
            self._let_in(client)
            return False
        line = self._lines.setdefault(client, deque())
        if len(line) >= MOST_WAITING:
            await asyncio.sleep(FULL_S)
            raise _too_many()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await asyncio.wait_for(turn, PATIENCE_S)
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._leave(client)
            elif turn in line:
                line.remove(turn)
                self._drop_if_empty(client)
            if isinstance(error, TimeoutError):
                raise _too_many() from None
            raise
        return True

    def _let_in(self, client: Hashable) -> None:
        self._working[client] += 1
        self._n_together += 1

    def _leave(self, client: Hashable) -> None:
        self._n_together -= 1
        self._working[client] -= 1
        if not self._working[client]:
            del self._working[client]
        while self._n_together < TOGETHER:
            following = next((each for each in self._lines if self._working[each] < OWN), None)
            if following is None:
                break
            line = self._lines.pop(following)
            turn = line.popleft()
            if line:
                self._lines[following] = line
            if not turn.done():
                self._let_in(following)
                turn.set_result(None)

    def _drop_if_empty(self, client: Hashable) -> None:
        if not self._lines.get(client):
            self._lines.pop(client, None)


async def _unless_gone(receive: Receive) -> Receive | None:
    """Return what gives the request's messages; None if the client has hung up, so that there is no one to answer."""
    first = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    if first.done() and first.result()["type"] == "http.disconnect":
        return None
    is_first = True

    async def again() -> Message:
        nonlocal is_first
        if is_first:
            is_first = False
            return await first
        return await receive()

    return again


def _too_many() -> UnavailableError:
    return UnavailableError("Too many of this client's requests wait for an answer; ask again.", retry_after_s=5)
