"""Who is signed in to the dashboard: a signed cookie that stands for a key, without being one.

The cookie holds the SHA-256 of the project's key and a deadline, signed with a secret of this installation
(`$TURRET_HOME/dashboard.secret`, mode 0600). Nothing is kept on the server, so any number of API processes of one home
share the sessions; a revoked key ends its sessions at once, for the key is looked up in every request. Whoever steals a
cookie has the session until its deadline, never the key.

Against forged requests from other sites the cookie is `SameSite=Lax`, and a request that changes anything counts as
signed in only if the browser says that it comes from the same origin.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time
import urllib.parse
from pathlib import Path
from typing import Protocol

from fastapi import Request, Response

from turret_api.auth import Principal

COOKIE = "turret_session"
LIFETIME_S = 14 * 24 * 3600
_SECRET_BYTES = 32
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class HashedKeys(Protocol):
    """What knows keys by their hash: `turret_api.accounts.directory.Directory`."""

    def find(self, key: str) -> Principal | None:
        """Return who `key` stands for, or None."""

    def find_hashed(self, key_hash: str) -> Principal | None:
        """Return who the key with this SHA-256 stands for, or None if it is unknown, revoked or expired."""


class Sessions:
    """Gives out and reads session cookies.

    Args:
        secret: at least 32 random bytes; see `load_secret`.
        keys: what judges the keys.
    """

    def __init__(self, secret: bytes, keys: HashedKeys) -> None:
        self._secret = secret
        self._keys = keys

    def sign_in(self, key: str, response: Response, *, secure: bool) -> Principal | None:
        """Put a session on `response` if `key` may read (read or admin scope); return whose it is, or None."""
        principal = self._keys.find(key)
        if principal is None or principal.scope == "write":
            return None
        value = self._sign(hashlib.sha256(key.encode()).hexdigest(), int(time.time()) + LIFETIME_S)
        response.set_cookie(COOKIE, value, max_age=LIFETIME_S, httponly=True, samesite="lax", secure=secure)
        return principal

    def sign_out(self, response: Response) -> None:
        """Take the session off the browser that gets `response`."""
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")

    def principal(self, request: Request) -> Principal | None:
        """Return who is signed in, or None; None too for a change that does not come from our own pages."""
        value = request.cookies.get(COOKIE)
        if not value or (request.method not in _SAFE_METHODS and not is_same_origin(request)):
            return None
        key_hash = self._verify(value)
        return None if key_hash is None else self._keys.find_hashed(key_hash)

    def _sign(self, key_hash: str, deadline: int) -> str:
        body = f"{key_hash}.{deadline}"
        return f"{body}.{self._mac(body)}"

    def _verify(self, value: str) -> str | None:
        body, _, mac = value.rpartition(".")
        if not hmac.compare_digest(self._mac(body).encode(), mac.encode("utf-8", "replace")):
            return None
        key_hash, _, deadline = body.partition(".")
        return key_hash if int(deadline) > time.time() else None

    def _mac(self, body: str) -> str:
        digest = hmac.digest(self._secret, body.encode("utf-8", "replace"), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_same_origin(request: Request) -> bool:
    """Tell whether the browser says that `request` comes from a page of ours (`Sec-Fetch-Site`, else `Origin`)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    return bool(origin) and urllib.parse.urlsplit(origin).netloc == request.headers.get("host")


def load_secret(home: Path) -> bytes:
    """Return the secret of this home; make it, readable by its owner alone, if there is none."""
    path = home / "dashboard.secret"
    for _ in range(2):
        try:
            found = binascii.unhexlify(path.read_text().strip())
            if len(found) >= _SECRET_BYTES:
                return found
        except (FileNotFoundError, binascii.Error):
            pass
        home.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_hex(_SECRET_BYTES))
        try:
            # Not replace: of two processes that start together, both use the secret of the first.
            path.hardlink_to(temporary)
        except FileExistsError:
            if path.stat().st_size < 2 * _SECRET_BYTES:
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return binascii.unhexlify(path.read_text().strip())
