"""Who sends a request: from an API key or a signed-in browser to a project, and what may be done there.

A key's scope is one of three, and none contains another's right to write events: `write` sends events and nothing
else, `read` reads, `admin` reads and changes settings. Whatever is wrong with a key, the answer is the same 401.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Request, Security
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

    def known(self, key: str) -> Principal | None:
        """Return as `find` does, as far as it is known without a look at the database. Never blocks."""


class SignedIn(Protocol):
    """What knows who is signed in: `turret_api.dashboard.sessions.Sessions`."""

    def principal(self, request: Request, project_id: str | None = None) -> Principal | None:
        """Return who is signed in, to the project or to the one that the request names; None: no session holds."""


class Gate:
    """Lets in clients that may do what they ask for, by a key or signed in. Its methods are FastAPI dependencies.

    Args:
        keys: what judges keys.
        sessions: what knows who is signed in; None: a key is the only way in.
    """

    def __init__(self, keys: Keys, sessions: SignedIn | None = None) -> None:
        self._keys = keys
        self._sessions = sessions

    def reader(self, request: Request, key: Annotated[str | None, Security(_header)]) -> Principal:
        """Return who asks, if they may read (a read or admin key, or signed in); raise `InvalidKeyError` if not."""
        return self._let_in(request, key, READ, ADMIN)

    def admin(self, request: Request, key: Annotated[str | None, Security(_header)]) -> Principal:
        """Return who asks, if they may change settings (an admin key); raise `InvalidKeyError` if not."""
        return self._let_in(request, key, ADMIN)

    def _let_in(self, request: Request, key: str | None, *scopes: str) -> Principal:
        if key:
            principal = self._keys.find(key)
        else:
            principal = None if self._sessions is None else self._sessions.principal(request)
        if principal is None or principal.scope not in scopes:
            raise InvalidKeyError
        return principal
