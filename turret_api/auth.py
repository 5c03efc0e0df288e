"""Who sends a request: from an API key or a signed-in browser to a project, and what may be done there.

What a key may do is its scope or its role (`turret_api.roles`). Whatever is wrong with a key, the answer is the
same 401.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader

from turret_api.errors import InvalidKeyError, RoleError
from turret_api.roles import ANALYST, EDITOR, OWNER, VIEWER, includes, role_of

HEADER = "X-API-Key"
FIELD = HEADER.lower().encode()
_PRINCIPAL = "turret.principal"
_header = APIKeyHeader(name=HEADER, auto_error=False, description="a read key, or an admin key")


@dataclass(frozen=True)
class Principal:
    """Whose request it is.

    Args:
        project_id: the project.
        scope: the key's, one of `turret_api.roles.SCOPES`.
        key_id: the key's id, never the key; or the person's.
        name: the key's, or the person's address.
        given_role: the role chosen for the key, one of `turret_api.roles.ROLES`; None: none was.
        is_person: whether it is a person who signed in, not a key.
    """

    project_id: str
    scope: str
    key_id: str
    name: str | None = None
    given_role: str | None = None
    is_person: bool = False

    @property
    def role(self) -> str | None:
        """What the client is to the project, one of `turret_api.roles.ROLES`; None: it may read nothing."""
        return role_of(self.scope, self.given_role)

    def may(self, role: str) -> bool:
        """Return whether the client may do what `role` may do."""
        return includes(self.role, role)

    @property
    def actor(self) -> str:
        """Who this is in the audit log."""
        return f"person:{self.name}" if self.is_person else f"key:{self.key_id}"


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the key that a request's headers (names in lower case) hold; None: there is none, or an empty one.

    Raise `InvalidKeyError` if there are two: a proxy may judge the one, and we the other.
    """
    found = [value for name, value in headers if name == FIELD]
    if len(found) > 1:
        raise InvalidKeyError
    return found[0].decode("latin-1").strip() or None if found else None


def bearer_or_key_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the key as `key_of` does, or else the one in `Authorization: Bearer`; raise as it does."""
    headers = list(headers)
    key = key_of(headers)
    if key is not None:
        return key
    scheme, given = authorization_of(headers)
    return given or None if scheme == "bearer" else None


def authorization_of(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """Return the scheme (in lower case) and the credentials of `Authorization`, both "" where there is none.

    Raise `InvalidKeyError` if there are two, as `key_of` does.
    """
    found = [value for name, value in headers if name == b"authorization"]
    if len(found) > 1:
        raise InvalidKeyError
    scheme, _, given = found[0].decode("latin-1").strip().partition(" ") if found else ("", "", "")
    return scheme.lower(), given.strip()


def let_in(scope: MutableMapping[str, Any], principal: Principal) -> None:
    """From this call on `Gate` takes the request for one of `principal`, whatever its headers say."""
    scope[_PRINCIPAL] = principal


def is_let_in(scope: Mapping[str, Any]) -> bool:
    """Return whether it is known already who sends the request: it comes from within this process."""
    return _PRINCIPAL in scope


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

    def viewer(self, request: Request, _: Annotated[str | None, Security(_header)] = None) -> Principal:
        """Return who asks, if they may see counts, but no text of an event; raise `InvalidKeyError` if not.

        Of a person who is signed in, and of any role that is too low for one of these, `RoleError` is raised.
        """
        return self._let_in(request, VIEWER)

    def reader(self, request: Request, _: Annotated[str | None, Security(_header)] = None) -> Principal:
        """Return who asks, if they may read texts (an analyst); raise `InvalidKeyError` if not."""
        return self._let_in(request, ANALYST)

    def editor(self, request: Request, _: Annotated[str | None, Security(_header)] = None) -> Principal:
        """Return who asks, if they may change what people make of the data; raise `InvalidKeyError` if not."""
        return self._let_in(request, EDITOR)

    def admin(self, request: Request, _: Annotated[str | None, Security(_header)] = None) -> Principal:
        """Return who asks, if they may change settings (an owner); raise `InvalidKeyError` if not."""
        return self._let_in(request, OWNER)

    def _let_in(self, request: Request, role: str) -> Principal:
        principal: Principal | None = request.scope.get(_PRINCIPAL)
        key = None
        if principal is None:
            key = key_of(request.scope["headers"])
            if key:
                principal = self._keys.find(key)
            else:
                principal = None if self._sessions is None else self._sessions.principal(request)
        if principal is None or principal.role is None or (key and not principal.may(role)):
            raise InvalidKeyError
        if not principal.may(role):
            raise RoleError(principal.role, role)
        request.scope[_PRINCIPAL] = principal
        return principal


class KeyFirst(APIRoute):
    """A route that lets `Gate` judge its client before it reads the body or looks at a parameter."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()
        judges = [each.call for each in self.dependant.dependencies if _is_judge(each.call)]

        async def judge_then_answer(request: Request) -> Response:
            for judge in judges:
                assert judge is not None
                await run_in_threadpool(judge, request)
            return await answer(request)

        return judge_then_answer


def _is_judge(call: Callable[..., Any] | None) -> bool:
    return isinstance(getattr(call, "__self__", None), Gate)
