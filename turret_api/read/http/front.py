"""The front of the read API: an answer that holds is sent again before the framework has looked at the request.

An answer is kept with the generation of the lake that it was made in; while no table has a newer commit, the same
question with the same key gets the same bytes. The key is judged anew each time. In one round of the event loop only so
much is sent: hundreds of clients that ask for what is kept do not hold up the events that come in between.

    not kept ──answered──> kept ──another generation, or too many kept──> not kept
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from turret_api.auth import Keys
from turret_api.read.engine.library import Library
from turret_api.roles import ANALYST

SLOT = "turret.answered"
"""Key of the request's scope under which `Replies` leaves what may be sent again."""
MOST_BYTES = 64 << 20
MOST_ANSWERS = 10_000
A_ROUND_BYTES = 1 << 20
"""Bytes of kept answers that are sent in one round of the event loop."""
_BYTES_OF_WORK = A_ROUND_BYTES // 16
"""Bytes that could be sent in the time that an answer without any takes."""

Place = tuple[bytes, bytes, bytes, bytes]
"""Key, path, query, and the packing that the client takes."""


@dataclass(frozen=True)
class Kept:
    """An answer that may be sent again: in which state of the lake and to whom, its tag, headers and body."""

    generation: int
    project_id: str
    tag: bytes
    headers: list[tuple[bytes, bytes]]
    content: bytes


class Front:
    """ASGI middleware before an application that answers from `library` by `keys`, which renew themselves."""

    def __init__(self, app: ASGIApp, library: Library, keys: Keys) -> None:
        self._app = app
        self._library = library
        self._keys = keys
        self._kept: dict[Place, Kept] = {}
        self._size_bytes = 0
        self._generation = -1
        self._round_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        key = tag = packing = b""
        n_keys = 0
        for name, value in scope["headers"]:
            if name == b"x-api-key":
                key, n_keys = value, n_keys + 1
            elif name == b"if-none-match":
                tag = value
            elif name == b"accept-encoding":
                packing = b"gzip" if b"gzip" in value else b""
        place = (key, scope["raw_path"], scope["query_string"], packing)
        kept = self._kept.get(place) if key and n_keys == 1 else None
        if kept is not None and self._still_holds(kept, key):
            await self._in_turn(len(kept.content))
            await _send(kept, tag, send)
            return
        scope[SLOT] = []
        await self._app(scope, receive, send)
        if key and scope[SLOT]:
            self._keep(place, scope[SLOT][0])

    async def _in_turn(self, n_bytes: int) -> None:
        while self._round_bytes >= A_ROUND_BYTES:
            await asyncio.sleep(0)
        if not self._round_bytes:
            asyncio.get_running_loop().call_soon(self._begin_round)
        self._round_bytes += n_bytes + _BYTES_OF_WORK

    def _begin_round(self) -> None:
        self._round_bytes = 0

    def _still_holds(self, kept: Kept, key: bytes) -> bool:
        if not self._library.is_newest(kept.generation):
            return False
        principal = self._keys.known(key.decode("latin-1"))
        return principal is not None and principal.may(ANALYST) and principal.project_id == kept.project_id

    def _keep(self, place: Place, kept: Kept) -> None:
        if kept.generation != self._generation or self._size_bytes > MOST_BYTES or len(self._kept) >= MOST_ANSWERS:
            self._kept, self._size_bytes, self._generation = {}, 0, kept.generation
        self._kept[place] = kept
        self._size_bytes += len(kept.content) + 500


async def _send(kept: Kept, tag: bytes, send: Send) -> None:
    if tag.replace(b'-gzip"', b'"') != kept.tag.replace(b'-gzip"', b'"'):
        await send({"type": "http.response.start", "status": 200, "headers": kept.headers})
        await send({"type": "http.response.body", "body": kept.content})
        return
    left = [pair for pair in kept.headers if not pair[0].startswith(b"content-") and pair[0] != b"etag"]
    await send({"type": "http.response.start", "status": 304, "headers": [*left, (b"etag", tag)]})
    await send({"type": "http.response.body", "body": b""})
