"""Who is signed in to the dashboard: a signed cookie that stands for keys, without being one.

The cookie holds a random id of the session, the SHA-256 of one key of each project that this browser is signed in to,
the latest first, and the time of the last sign-in. It is signed (HMAC-SHA-256, by itsdangerous) with a secret of this
installation, which the accounts' database holds, so that all hosts know it; each home keeps a copy of it
(`dashboard.secret`, mode 0600) for starts while the database is away. A revoked key ends its sessions at once, for each
request looks the key up. A stolen cookie gives the session until its end, never the key.

    none ──sign_in──▶ signed in ──sign_in, to another project──▶ signed in, the same session
                         └──sign_out (kept in the accounts' database), or `LIFETIME_S` after the last sign_in──▶ ended

A request says which of its projects it is about: a page in its address (`project`), a question to `/v1` in the header
`X-Project`. Without either, it is about the project that was signed in to last. So two tabs may show two projects.

Against forged requests from other sites, the cookie is `SameSite=Lax`, and a request that changes anything counts as
signed in only if the browser says that it comes from the same origin.
"""

from __future__ import annotations

import binascii
import hashlib
import os
import secrets
import urllib.parse
from pathlib import Path
from typing import Protocol

from fastapi import Request, Response
from itsdangerous import BadSignature, TimestampSigner
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import Accounts
from turret_api.accounts.ended_sessions import LIFETIME
from turret_api.auth import Principal

COOKIE = "turret_session"
FILE = "dashboard.secret"
PROJECT_HEADER = "X-Project"
LIFETIME_S = int(LIFETIME.total_seconds())
MOST_PROJECTS = 16
_SECRET_BYTES = 32
_SESSION_DIGITS = 32
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class HashedKeys(Protocol):
    """What knows keys by their hash: `turret_api.accounts.directory.Directory`."""

    def find(self, key: str) -> Principal | None:
        """Return who `key` stands for, or None."""

    def find_hashed(self, key_hash: str) -> Principal | None:
        """Return who the key with this SHA-256 stands for, or None if it is unknown, revoked or expired."""

    def has_ended(self, session_id: str) -> bool:
        """Return whether the session was signed out."""

    def end_session(self, session_id: str) -> None:
        """After this call the session has ended in every process; raise SQLAlchemy's errors if that cannot be."""


class Sessions:
    """Gives out and reads session cookies.

    Args:
        secret: at least 32 random bytes; see `load_secret`.
        keys: what judges the keys.
    """

    def __init__(self, secret: bytes, keys: HashedKeys) -> None:
        self._signer = TimestampSigner(secret, salt=COOKIE, key_derivation="hmac", digest_method=hashlib.sha256)
        self._keys = keys

    def sign_in(self, request: Request, key: str, response: Response, *, secure: bool) -> Principal | None:
        """Put a session on `response` if `key` may read (read or admin scope); return whose key it is, or None.

        The browser stays signed in to the other projects that it was signed in to, up to `MOST_PROJECTS` in all.
        """
        principal = self._keys.find(key)
        if principal is None or principal.role is None:
            return None
        session_id, signed_in = self._session(request)
        others = [digest for digest, other in signed_in if other.project_id != principal.project_id]
        digests = [hashlib.sha256(key.encode()).hexdigest(), *others][:MOST_PROJECTS]
        value = self._signer.sign(".".join([session_id or secrets.token_hex(_SESSION_DIGITS // 2), *digests])).decode()
        response.set_cookie(COOKIE, value, max_age=LIFETIME_S, httponly=True, samesite="lax", secure=secure)
        return principal

    def sign_out(self, request: Request, response: Response) -> None:
        """After this call the session of `request` has ended: its cookie is refused, in whatever browser it is.

        The browser that gets `response` forgets it. Raise SQLAlchemy's errors if the end could not be stored.
        """
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        session_id, _ = self._signed(request)
        if session_id is not None:
            self._keys.end_session(session_id)

    def principal(self, request: Request, project_id: str | None = None) -> Principal | None:
        """Return who is signed in to the project `project_id`, else to the one that the request names.

        Return None if nobody is, and for a change that does not come from this server's own pages.
        """
        if request.method not in _SAFE_METHODS and not is_same_origin(request):
            return None
        wanted = project_id or request.headers.get(PROJECT_HEADER)
        return next((each for each in self.principals(request) if wanted in (None, each.project_id)), None)

    def principals(self, request: Request) -> list[Principal]:
        """Return who is signed in, to each project, the latest first."""
        return [principal for _, principal in self._session(request)[1]]

    def session_id(self, request: Request) -> str | None:
        """Return the id of the session that the request's cookie was signed for, ended or not; None: there is none."""
        return self._signed(request)[0] if COOKIE in request.headers.get("cookie", "") else None

    def _session(self, request: Request) -> tuple[str | None, list[tuple[str, Principal]]]:
        """Return the request's session, unless it has ended, and who is signed in, each by the hash of his key."""
        session_id, digests = self._signed(request)
        if session_id is None or self._keys.has_ended(session_id):
            return None, []
        found = [(digest, self._keys.find_hashed(digest)) for digest in digests]
        return session_id, [(digest, principal) for digest, principal in found if principal is not None]

    def _signed(self, request: Request) -> tuple[str | None, list[str]]:
        """Return what the request's cookie says: the session, and hashes of keys.

        None and no hashes if this installation did not sign it, it is too old, or it is of a version of Turret whose
        sessions could not be ended.
        """
        try:
            value = self._signer.unsign(request.cookies.get(COOKIE, ""), max_age=LIFETIME_S).decode()
        except BadSignature:
            return None, []
        session_id, *digests = value.split(".")
        return (session_id, digests) if len(session_id) == _SESSION_DIGITS else (None, [])


def is_same_origin(request: Request) -> bool:
    """Tell whether the browser says that `request` comes from our own pages (`Sec-Fetch-Site`, else `Origin`)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    return bool(origin) and urllib.parse.urlsplit(origin).netloc == request.headers.get("host")


def load_secret(home: Path, accounts: Accounts) -> bytes:
    """Return the secret that all hosts share, at least 32 bytes.

    It is that of the first home which came to the database: sign-ins of before an upgrade stay valid. While the
    database is away it is the one that this home has.
    """
    own = own_secret(home)
    try:
        shared = binascii.unhexlify(accounts.shared_secret("dashboard", own.hex()))
    except SQLAlchemyError:
        return own
    if shared != own:
        _write(home, shared).replace(home / FILE)
    return shared


def own_secret(home: Path) -> bytes:
    """Return the secret of this home; make it, readable by its owner alone, if there is none."""
    path = home / FILE
    for _ in range(2):
        try:
            found = binascii.unhexlify(path.read_text().strip())
            if len(found) >= _SECRET_BYTES:
                return found
        except (FileNotFoundError, binascii.Error):
            pass
        temporary = _write(home, secrets.token_bytes(_SECRET_BYTES))
        try:
            # Not replace: of two processes that start together, both use the secret of the first.
            path.hardlink_to(temporary)
        except FileExistsError:
            if path.stat().st_size < 2 * _SECRET_BYTES:
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return binascii.unhexlify(path.read_text().strip())


def _write(home: Path, secret: bytes) -> Path:
    """Return a new file in the home that holds the secret, readable by its owner alone."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(secret.hex())
    return path
