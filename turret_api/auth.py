"""Who asks: from an API key, or from a signed-in browser, to a project and what may be done there.

A key's scope is one of three, and none contains another's right to write events: `write` sends events and nothing
else, `read` reads, `admin` reads and changes settings. Whatever is wrong with a key, the answer is the same 401.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader

from turret_api.errors import InvalidKeyError

HEADER = "X-API-Key"
WRITE, READ, ADMIN = SCOPES = ("write", "read", "admin")

_header = APIKeyHeader(name=HEADER, auto_error=False, description="a read key, or an admin key")


@dataclass(frozen=True)
class Principal:
    """Whose request it is: the project, the key's scope (one of `SCOPES`) and the key's id (never the key)."""

    project_id: str
    scope: str
    key_id: str


class Keys(Protocol):
    """What knows the keys: `turret_api.accounts.directory.Directory`."""

    def find(self, key: str) -> Principal | None:
        """Return who `key` stands for, or None if it is malformed, unknown, revoked or expired. May block."""


def reader(request: Request, key: Annotated[str | None, Security(_header)]) -> Principal:
    """Return who asks, if they may read: by a read or an admin key, or signed in. Raises `InvalidKeyError` if not."""
    principal = _principal(request, key)
    if principal is None or principal.scope not in (READ, ADMIN):
        raise InvalidKeyError
    return principal


def admin(request: Request, key: Annotated[str | None, Security(_header)]) -> Principal:
    """Return who asks, if they may change settings (an admin key); raise `InvalidKeyError` if not."""
    principal = _principal(request, key)
    if principal is None or principal.scope != ADMIN:
        raise InvalidKeyError
    return principal


def _principal(request: Request, key: str | None) -> Principal | None:
    if key:
        keys: Keys = request.app.state.keys
        return keys.find(key)
    sessions = getattr(request.app.state, "sessions", None)
    return None if sessions is None else sessions.principal(request)


Reader = Annotated[Principal, Depends(reader)]
Admin = Annotated[Principal, Depends(admin)]
