"""Signing in to the dashboard and out of it: with a key, or with an account at an OpenID Connect provider.

    the sign-in page ──a key──────────────────────────────▶ signed in to the key's project
          └──a click──▶ /sign-in/oidc ──▶ the provider ──▶ /sign-in/callback ──▶ signed in to the person's projects

On its way to the provider and back a sign-in is kept in a cookie of its own, signed, for `PENDING_S`: what comes back
has to come to the browser that went. Someone who is not signed in gets the sign-in page at any address, so a shared
link still leads where it should. The audit log has each sign-in and sign-out, and what was refused.
"""

from __future__ import annotations

import collections
import hashlib
import logging
import time
import urllib.parse
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from itsdangerous import BadSignature, TimestampSigner
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import Accounts, audit
from turret_api.accounts.people import come_in
from turret_api.dashboard import html
from turret_api.dashboard.sessions import Sessions, is_same_origin
from turret_pipeline.settings import Settings

if TYPE_CHECKING:
    from turret_api.people.provider import Account, Provider

log = logging.getLogger(__name__)

PENDING_S = 600
_PENDING = "turret_sign_in_"
_LARGEST_FORM = 20_000
_LARGEST_PENDING = 2_500
"""Bytes of a sign-in under way, with the address that it leads to; a cookie has 4096."""
_MOST_OF_A_WORD = 60
_MOST_REFUSALS = 30
_MINUTE_S = 60.0


class _Pending(msgspec.Struct, array_like=True):
    """A sign-in that is at the provider."""

    state: str
    nonce: str
    verifier: str
    destination: str


class SignIn:
    """The pages of sign-in and sign-out.

    Args:
        settings: name the provider, where there is one.
        accounts: know people; have the audit log.
        sessions: give out cookies.
        secret: what signs the cookies of sign-ins that are under way.
    """

    def __init__(self, settings: Settings, accounts: Accounts, sessions: Sessions, secret: bytes) -> None:
        self._settings = settings
        self._accounts = accounts
        self._sessions = sessions
        self._signer = TimestampSigner(secret, salt=_PENDING, key_derivation="hmac", digest_method=hashlib.sha256)
        self._refused_at: collections.deque[float] = collections.deque(maxlen=_MOST_REFUSALS)

    def router(self) -> APIRouter:
        """Return the addresses of sign-in and sign-out."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/sign-in", self.sign_in_page, methods=["GET"])
        router.add_api_route("/sign-in", self.sign_in, methods=["POST"])
        router.add_api_route("/sign-out", self.sign_out, methods=["POST"])
        if self._settings.oidc is not None:
            router.add_api_route("/sign-in/oidc", self.to_provider, methods=["GET"])
            router.add_api_route("/sign-in/callback", self.from_provider, methods=["GET"])
        return router

    def page(self, request: Request, *, destination: str, problem: str = "", status: int = 200) -> Response:
        """Return the sign-in page, from which one goes on to `destination`."""
        oidc = self._settings.oidc
        address = None
        if oidc is not None:
            query = urllib.parse.urlencode({"destination": destination})
            address = f"{self._settings.public_url}/sign-in/oidc?{query}"
        about = {
            "destination": destination,
            "problem": problem,
            "signed_in": bool(self._sessions.principals(request)),
            "oidc_name": None if oidc is None else oidc.name,
            "oidc_address": address,
        }
        return html.page("sign_in.html", status, about)

    def sign_in_page(self, request: Request) -> Response:
        """The sign-in page; a key behind `#key=` in the address, which no server ever sees, is used at once."""
        return self.page(request, destination="/")

    async def sign_in(self, request: Request) -> Response:
        """Start a session with a read or admin key (form: `key`) and go to `destination`, a path of this server."""
        form = await _form(request)
        # Looking a key up may ask the database, and this is the event loop.
        return await run_in_threadpool(
            self._sign_in, request, form.get("key", "").strip(), form.get("destination", "/")
        )

    def sign_out(self, request: Request) -> Response:
        """End the session of this browser, wherever its cookie may have got to."""
        response: Response = RedirectResponse("/sign-in", status_code=303)
        if is_same_origin(request):
            principals = self._sessions.principals(request)
            try:
                self._sessions.sign_out(request, response)
            except SQLAlchemyError:
                problem = "You are still signed in: the server cannot reach its database now. Please try again."
                return self.page(request, destination="/", problem=problem, status=503)
            for each in principals:
                audit.note(self._accounts, each.project_id, each.actor, "sign_out", _from(request))
        return response

    def to_provider(self, request: Request, destination: str = "/") -> Response:
        """Go to the provider, which asks who it is."""
        from turret_api.people.provider import ProviderError

        destination = _own_path(destination)
        try:
            address, started = self._provider.start()
        except ProviderError as error:
            return self._not_now(request, destination, error.reason)
        response = RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})
        pending = msgspec.json.encode(_Pending(started.state, started.nonce, started.verifier, destination))
        if len(pending) > _LARGEST_PENDING:
            pending = msgspec.json.encode(_Pending(started.state, started.nonce, started.verifier, "/"))
        response.set_cookie(
            _cookie_of(started.state),
            self._signer.sign(urlsafe_b64encode(pending)).decode(),
            max_age=PENDING_S,
            path="/sign-in",
            httponly=True,
            samesite="lax",
            secure=self._is_secure,
        )
        return response

    def from_provider(self, request: Request) -> Response:
        """Come back from the provider: start a session for whom it knows, if an owner has invited them."""
        from turret_api.people.provider import AwayError, ProviderError, Started

        given = request.query_params
        pending = self._pending(request, given.get("state", ""))
        if pending is None:
            problem = "This sign-in was not begun in this browser, or too long ago. Please begin again."
            self._refused(request, "no such sign-in is under way")
            return self.page(request, destination="/", problem=problem, status=400)
        try:
            if "error" in given or not given.get("code"):
                word = given.get("error", "")[:_MOST_OF_A_WORD]
                raise ProviderError(f"it let nobody in ({word if word.replace('_', '').isalnum() else 'no reason'})")
            if given.get("iss", "").rstrip("/") not in ("", self._provider.issuer.rstrip("/")):
                raise ProviderError("another provider has answered")
            started = Started(pending.state, pending.nonce, pending.verifier)
            account = self._provider.finish(given["code"], started)
        except AwayError as error:
            response = self._not_now(request, pending.destination, error.reason)
        except ProviderError as error:
            self._refused(request, error.reason)
            problem = f"Your account could not be used: {error.reason}. Please begin again."
            response = self.page(request, destination=pending.destination, problem=problem, status=401)
        else:
            response = self._come_in(request, account, pending.destination)
        response.delete_cookie(_cookie_of(pending.state), path="/sign-in", httponly=True, samesite="lax")
        return response

    @cached_property
    def _provider(self) -> Provider:
        # Here, not at the top: it takes memory and time, and most servers know no provider.
        from turret_api.people.provider import Provider

        assert self._settings.oidc is not None
        return Provider(self._settings.oidc, f"{self._settings.public_url}/sign-in/callback")

    @property
    def _is_secure(self) -> bool:
        return str(self._settings.public_url).startswith("https://")

    def _is_by_tls(self, request: Request) -> bool:
        """Return whether the browser speaks TLS, with us or with a proxy before us at `TURRET_PUBLIC_URL`."""
        public = urllib.parse.urlsplit(str(self._settings.public_url))
        is_public = public.scheme == "https" and request.headers.get("host") == public.netloc
        return is_public or request.url.scheme == "https"

    def _sign_in(self, request: Request, key: str, destination: str) -> Response:
        if not is_same_origin(request):
            return self.page(request, destination="/", problem="Please sign in from this page.", status=403)
        response = RedirectResponse(_own_path(destination), status_code=303)
        principal = self._sessions.sign_in(request, key, response, secure=self._is_by_tls(request))
        if principal is not None:
            about = {"by": "key", "role": principal.role}
            self._signed_in(request, principal.project_id, principal.actor, about)
            return response
        is_write = key.startswith("tw_")
        self._refused(request, "a write key" if is_write else "an unknown key")
        problem = (
            "That is a write key: it sends events. Sign in with the project's read key (tr_…) or admin key (ta_…)."
            if is_write
            else "No project has this key. Check that it is whole, and that it was not revoked."
        )
        return self.page(request, destination=_own_path(destination), problem=problem, status=401)

    def _come_in(self, request: Request, account: Account, destination: str) -> Response:
        try:
            found = come_in(self._accounts, account.subject, account.email)
        except SQLAlchemyError:
            problem = "The server cannot reach its database now. Please try again."
            return self.page(request, destination=destination, problem=problem, status=503)
        if not found:
            email = account.email or account.refused_email
            who = email or "This account, which names no e-mail address,"
            problem = f"{who} may not come in here: an owner of a project has to add the address first."
            if account.refused_email is not None:
                problem = f"{who} may not come in: the provider does not say that this address is verified."
            self._refused(request, "not invited" if account.refused_email is None else "not verified", email)
            return self.page(request, destination=destination, problem=problem, status=403)
        response = RedirectResponse(destination, status_code=303)
        projects = {person.project_id for person in found}
        self._sessions.sign_in_person(request, account.subject, projects, response, secure=self._is_secure)
        for person in found:
            self._signed_in(request, person.project_id, person.actor, {"by": "oidc", "role": person.role})
        return response

    def _pending(self, request: Request, state: str) -> _Pending | None:
        """Return the sign-in of this browser that was begun with `state`; None: there is none, or it is too old."""
        try:
            value = self._signer.unsign(request.cookies.get(_cookie_of(state), ""), max_age=PENDING_S)
            found = msgspec.json.decode(urlsafe_b64decode(value), type=_Pending)
        except (BadSignature, ValueError):
            return None
        return found if found.state == state else None

    def _not_now(self, request: Request, destination: str, reason: str) -> Response:
        assert self._settings.oidc is not None
        log.warning("the provider of sign-ins cannot be used", extra={"reason": reason})
        problem = f"Sign-in with {self._settings.oidc.name} does not work now: {reason}. A key works all the same."
        return self.page(request, destination=destination, problem=problem, status=503)

    def _signed_in(self, request: Request, project_id: str, actor: str, about: dict[str, Any]) -> None:
        audit.note(self._accounts, project_id, actor, "sign_in", {**about, **_from(request)})

    def _refused(self, request: Request, reason: str, email: str | None = None) -> None:
        """After this call the audit log tells of it, unless there is too much of this."""
        now = time.monotonic()
        if len(self._refused_at) == _MOST_REFUSALS and now - self._refused_at[0] < _MINUTE_S:
            log.warning("a sign-in was refused", extra={"reason": reason})
            return
        self._refused_at.append(now)
        actor = audit.NOBODY if email is None else f"person:{email[:320]}"
        audit.note(self._accounts, None, actor, "sign_in_refused", {"reason": reason, **_from(request)})


def _cookie_of(state: str) -> str:
    """Return the name of the cookie of a sign-in, so that two tabs may sign in at the same time."""
    return _PENDING + hashlib.sha256(state.encode()).hexdigest()[:12]


def _from(request: Request) -> dict[str, Any]:
    return {"from": request.client.host} if request.client is not None else {}


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form as browsers send it by default; nothing of what is larger than `_LARGEST_FORM`."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            return {}
    return dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace")))


def _own_path(destination: str) -> str:
    r"""Return `destination` if it is a path of this server, else "/": `//host` and `/\host` lead elsewhere."""
    parts = urllib.parse.urlsplit(destination)
    is_own = destination.startswith("/") and not destination.startswith(("//", "/\\"))
    return destination if is_own and not parts.scheme and not parts.netloc and destination.isprintable() else "/"
