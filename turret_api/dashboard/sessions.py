"""Who is signed in to the dashboard: a signed cookie that stands for keys, without being one.

The cookie holds a random id of the session, what the browser signed in with, the latest first, and the time of the
last sign-in. A browser signs in with keys, one of each project, of which it has the SHA-256, or with the account of a
person (`turret_api.accounts.people.subject_of`), which stands for all projects that the person is in; of that it has
the time of this sign-in too, which signing in with a key does not renew, and the session at the provider. The cookie is
signed (HMAC-SHA-256, by itsdangerous) with a secret of this installation, which the accounts' database holds, so that
all hosts know it; each home keeps a copy of it (`dashboard.secret`, mode 0600) for starts while the database is away. A
revoked key ends its sessions at once, and so does the removal of a person, for each request looks both up. A stolen
cookie gives the session until its end, never the key.

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
import re
import secrets
import time
import urllib.parse
from collections.abc import Collection
from dataclasses import dataclass
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
_PERSON = "p"
"""What the cookie has before a person's account; a key's hash has nothing before it."""
_ACCOUNT = re.compile(r"p([0-9a-f]{64})([0-9a-f]{8})((?:[0-9a-f]{32})?)")
_SECRET_BYTES = 32
_SESSION_DIGITS = 32
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class HashedKeys(Protocol):
    """What knows keys by their hash: `turret_api.accounts.directory.Directory`."""

    def find(self, key: str) -> Principal | None:
        """Return who `key` stands for, or None."""

    def find_hashed(self, key_hash: str) -> Principal | None:
        """Return who the key with this SHA-256 stands for, or None if it is unknown, revoked or expired."""

    def find_people(self, subject: str) -> list[Principal]:
        """Return who the account stands for, in each project."""

    def ended(self, session_ids: Collection[str]) -> set[str]:
        """Return those of the sessions that were signed out."""

    def end_session(self, session_id: str) -> None:
        """After this call the session has ended in every process; raise SQLAlchemy's errors if that cannot be."""


@dataclass(frozen=True)
class SignedIn:
    """An account as the cookie has it.

    subject: of the account, as `turret_api.accounts.people.subject_of` says it.
    at: when it signed in, as Unix seconds.
    provider_session: of the browser at the provider, 32 hexadecimal digits; "": it has no name.
    """

    subject: str
    at: int
    provider_session: str = ""

    @classmethod
    def read(cls, means: str) -> SignedIn | None:
        """Return the account of what a cookie has; None: it is that of a key, or of an older version of Turret."""
        found = _ACCOUNT.fullmatch(means)
        return None if found is None else cls(found[1], int(found[2], 16), found[3])

    def __str__(self) -> str:
        return f"{_PERSON}{self.subject}{self.at:08x}{self.provider_session}"


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
        means = hashlib.sha256(key.encode()).hexdigest()
        self._add(request, means, {principal.project_id}, response, secure=secure)
        return principal

    def sign_in_person(
        self,
        request: Request,
        subject: str,
        project_ids: set[str],
        response: Response,
        *,
        secure: bool,
        provider_session: str | None = None,
    ) -> None:
        """Put a session on `response` for the person with this account, who is in these projects.

        As with a key, the browser stays signed in to other projects; with another account it no longer is.

        provider_session: of the browser at the provider; the account is signed out when it ends (`end_session`).
        """
        means = str(SignedIn(subject, int(time.time()), provider_session or ""))
        self._add(request, means, project_ids, response, secure=secure)

    def sign_out(self, request: Request, response: Response) -> None:
        """After this call the session of `request` has ended: its cookie is refused, in whatever browser it is.

        The browser that gets `response` forgets it. Raise SQLAlchemy's errors if the end could not be stored.
        """
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        session_id, _ = self._signed(request)
        if session_id is not None:
            self._keys.end_session(session_id)

    def end_provider_session(self, provider_session: str) -> None:
        """After this call no account is signed in by this session of the provider; raise as `sign_out` does."""
        self._keys.end_session(provider_session)

    def principal(self, request: Request, project_id: str | None = None) -> Principal | None:
        """Return who is signed in to the project `project_id`, else to the one that the request names.

        Return None if nobody is, and for a change that does not come from this server's own pages.
        """
        if request.method not in _SAFE_METHODS and not is_same_origin(request):
            return None
        wanted = project_id or request.headers.get(PROJECT_HEADER)
        return next((each for each in self.principals(request) if wanted in (None, each.project_id)), None)

    def principals(self, request: Request) -> list[Principal]:
        """Return who is signed in, to each project once, the latest first."""
        found: dict[str, Principal] = {}
        for _, principals in self._session(request)[1]:
            for each in principals:
                found.setdefault(each.project_id, each)
        return list(found.values())

    def session_id(self, request: Request) -> str | None:
        """Return the id of the session that the request's cookie was signed for, ended or not; None: there is none."""
        return self._signed(request)[0] if COOKIE in request.headers.get("cookie", "") else None

    def _add(self, request: Request, means: str, project_ids: set[str], response: Response, *, secure: bool) -> None:
        """After this call the browser that gets `response` is signed in by `means` too, in place of older ones."""
        session_id, signed_in = self._session(request)
        others = [
            older
            for older, stands_for in signed_in
            if not {each.project_id for each in stands_for} <= project_ids
            and not (older.startswith(_PERSON) and means.startswith(_PERSON))
        ]
        words = [session_id or secrets.token_hex(_SESSION_DIGITS // 2), means, *others][: 1 + MOST_PROJECTS]
        value = self._signer.sign(".".join(words)).decode()
        response.set_cookie(COOKIE, value, max_age=LIFETIME_S, httponly=True, samesite="lax", secure=secure)

    def _session(self, request: Request) -> tuple[str | None, list[tuple[str, list[Principal]]]]:
        """Return the request's session, unless it has ended, and by what means who is signed in, in each project."""
        session_id, means = self._signed(request)
        if session_id is None:
            return None, []
        accounts = [account for each in means if (account := SignedIn.read(each)) is not None]
        ended = self._keys.ended([session_id, *(each.provider_session for each in accounts)])
        if session_id in ended:
            return None, []
        found = [(each, self._stands_for(each, ended)) for each in means]
        return session_id, [(each, principals) for each, principals in found if principals]

    def _stands_for(self, means: str, ended: set[str]) -> list[Principal]:
        if means.startswith(_PERSON):
            account = SignedIn.read(means)
            if account is None or account.provider_session in ended or time.time() - account.at > LIFETIME_S:
                return []
            return self._keys.find_people(account.subject)
        principal = self._keys.find_hashed(means)
        return [] if principal is None else [principal]

    def _signed(self, request: Request) -> tuple[str | None, list[str]]:
        """Return what the request's cookie says: the session, and by what means the browser signed in.

        None and nothing if this installation did not sign it, it is too old, or it is of a version of Turret whose
        sessions could not be ended.
        """
        try:
            value = self._signer.unsign(request.cookies.get(COOKIE, ""), max_age=LIFETIME_S).decode()
        except BadSignature:
            return None, []
        session_id, *means = value.split(".")
        return (session_id, means) if len(session_id) == _SESSION_DIGITS else (None, [])


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
