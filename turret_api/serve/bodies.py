"""How large a body each route takes, whatever its client says it is, and how much all of them hold together.

`POST /track` has bounds of its own (`turret_api.collector.intake`). Every other route is under these: a route that is
added later is bounded from its first day. Nothing is read before the route asks for it, so a request without a valid
key is answered before its body is looked at.
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 64 * 1024
"""Bytes of one body."""
MOST_TOGETHER = 8 * 1024 * 1024
"""Bytes of all bodies that are being read or worked on."""


class BoundedBodies:
    """ASGI middleware that answers 413 for a body over `MOST_BYTES`, and 503 while there is no room for more."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._n_together = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a body that ends in an error where it grows too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size = 0

        async def receive_bounded() -> Message:
            nonlocal size
            if size == 0 and _announced(scope) > MOST_BYTES:
                raise _too_large()
            message = await receive()
            n_bytes = len(message.get("body", b""))
            size += n_bytes
            self._n_together += n_bytes
            if size > MOST_BYTES:
                raise _too_large()
            if self._n_together > MOST_TOGETHER:
                raise HTTPException(503, "The server has too much to do; try again", {"Retry-After": "1"})
            return message

        try:
            await self._app(scope, receive_bounded, send)
        finally:
            self._n_together -= size


def _announced(scope: Scope) -> int:
    """Return the body's length as the request announces it; 0 if it does not."""
    lengths = (value for name, value in scope["headers"] if name == b"content-length")
    return max((int(value) for value in lengths if value.isdigit()), default=0)


def _too_large() -> HTTPException:
    return HTTPException(413, f"The body is larger than {MOST_BYTES // 1024} KiB; send less")
