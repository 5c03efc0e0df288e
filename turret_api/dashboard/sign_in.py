"""Signing in to the dashboard with a key, and out of it; `round_trip` does it with an account of a provider.

Someone who is not signed in gets the sign-in page at any address, so a shared link still leads where it should. Who
had signed in with an account can go on, once signed out, to sign out at the provider, where it lets people. The audit
log has each sign-in and sign-out, and what was refused.
"""

from __future__ import annotations

import collections
import logging
import time
import urllib.parse
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import Accounts, audit
from turret_api.dashboard import html
from turret_api.dashboard.sessions import Sessions, is_same_origin
from turret_pipeline.settings import Settings

log = logging.getLogger(__name__)

ACCOUNT_COOKIE = "turret_account"
"""What the provider signed at the sign-in, for the sign-out there. Pages of other sites cannot send it here."""
ACCOUNT_PATH = "/sign-out"
_SIGNED_OUT_S = 600
_LARGEST_FORM = 20_000
_MOST_REFUSALS = 30
_MINUTE_S = 60.0


class SignIn:
    """The pages of sign-in and sign-out.

    Args:
        settings: name the provider, where there is one.
        accounts: know people; have the audit log.
        sessions: give out cookies.
    """

    def __init__(self, settings: Settings, accounts: Accounts, sessions: Sessions) -> None:
        self._settings = settings
        self._accounts = accounts
        self._sessions = sessions
        self._refused_at: collections.deque[float] = collections.deque(maxlen=_MOST_REFUSALS)

    def router(self) -> APIRouter:
        """Return the addresses of sign-in and sign-out."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/sign-in", self.sign_in_page, methods=["GET"])
        router.add_api_route("/sign-in", self.sign_in, methods=["POST"])
        router.add_api_route("/sign-out", self.signed_out_page, methods=["GET"])
        router.add_api_route("/sign-out", self.sign_out, methods=["POST"])
        return router

    def page(
        self, request: Request, *, destination: str, problem: str = "", status: int = 200, is_signed_out: bool = False
    ) -> Response:
        """Return the sign-in page, from which one goes on to `destination`.

        is_signed_out: it says so, and leads on to the sign-out at the provider.
        """
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
            "is_signed_out": is_signed_out,
        }
        return html.page("sign_in.html", status, about)

    def sign_in_page(self, request: Request) -> Response:
        """The sign-in page; a key behind `#key=` in the address, which no server ever sees, is used at once."""
        return self.page(request, destination="/")

    async def sign_in(self, request: Request) -> Response:
        """Start a session with a read or admin key (form: `key`) and go to `destination`, a path of this server."""
        form = await form_of(request)
        # Looking a key up may ask the database, and this is the event loop.
        return await run_in_threadpool(
            self._sign_in, request, form.get("key", "").strip(), form.get("destination", "/")
        )

    def sign_out(self, request: Request) -> Response:
        """End the session of this browser, wherever its cookie may have got to."""
        account = request.cookies.get(ACCOUNT_COOKIE)
        response: Response = RedirectResponse("/sign-in" if account is None else ACCOUNT_PATH, status_code=303)
        if is_same_origin(request):
            principals = self._sessions.principals(request)
            try:
                self._sessions.sign_out(request, response)
            except SQLAlchemyError:
                problem = "You are still signed in: the server cannot reach its database now. Please try again."
                return self.page(request, destination="/", problem=problem, status=503)
            if account is not None:
                self.keep_account(response, account, _SIGNED_OUT_S)
            for each in principals:
                audit.note(self._accounts, each.project_id, each.actor, "sign_out", _from(request))
        return response

    def signed_out_page(self, request: Request) -> Response:
        """The page after the sign-out of an account; without one, the sign-in page."""
        if self._sessions.principals(request):
            return RedirectResponse("/", status_code=303)
        if ACCOUNT_COOKIE not in request.cookies or self._settings.oidc is None:
            return RedirectResponse("/sign-in", status_code=303)
        return self.page(request, destination="/", is_signed_out=True)

    def keep_account(self, response: Response, account: str, kept_s: int) -> None:
        """After this call the browser keeps what signs it out at the provider."""
        response.set_cookie(
            ACCOUNT_COOKIE,
            account,
            max_age=kept_s,
            path=ACCOUNT_PATH,
            httponly=True,
            samesite="strict",
            secure=self.is_secure,
        )

    @property
    def is_secure(self) -> bool:
        """Whether browsers speak TLS at `TURRET_PUBLIC_URL`, to which accounts come back."""
        return str(self._settings.public_url).startswith("https://")

    def _is_by_tls(self, request: Request) -> bool:
        """Return whether the browser speaks TLS, with us or with a proxy before us.

        A proxy says so in `X-Forwarded-Proto`, or stands at `TURRET_PUBLIC_URL`. One that lies keeps its own cookie.
        """
        public = urllib.parse.urlsplit(str(self._settings.public_url))
        is_public = public.scheme == "https" and request.headers.get("host") == public.netloc
        proxied = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip() == "https"
        return is_public or proxied or request.url.scheme == "https"

    def _sign_in(self, request: Request, key: str, destination: str) -> Response:
        if not is_same_origin(request):
            return self.page(request, destination="/", problem="Please sign in from this page.", status=403)
        response = RedirectResponse(own_path(destination), status_code=303)
        principal = self._sessions.sign_in(request, key, response, secure=self._is_by_tls(request))
        if principal is not None:
            about = {"by": "key", "role": principal.role}
            self.signed_in(request, principal.project_id, principal.actor, about)
            return response
        is_write = key.startswith("tw_")
        self.refused(request, "a write key" if is_write else "an unknown key")
        problem = (
            "That is a write key: it sends events. Sign in with the project's read key (tr_…) or admin key (ta_…)."
            if is_write
            else "No project has this key. Check that it is whole, and that it was not revoked."
        )
        return self.page(request, destination=own_path(destination), problem=problem, status=401)

    def signed_in(self, request: Request, project_id: str, actor: str, about: dict[str, Any]) -> None:
        """After this call the audit log tells of a sign-in."""
        audit.note(self._accounts, project_id, actor, "sign_in", {**about, **_from(request)})

    def refused(self, request: Request, reason: str, email: str | None = None) -> None:
        """After this call the audit log tells of it, unless there is too much of this."""
        now = time.monotonic()
        if len(self._refused_at) == _MOST_REFUSALS and now - self._refused_at[0] < _MINUTE_S:
            log.warning("a sign-in was refused", extra={"reason": reason})
            return
        self._refused_at.append(now)
        actor = audit.NOBODY if email is None else f"person:{email[:320]}"
        audit.note(self._accounts, None, actor, "sign_in_refused", {"reason": reason, **_from(request)})


def _from(request: Request) -> dict[str, Any]:
    return {"from": request.client.host} if request.client is not None else {}


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form as browsers send it by default; nothing of what is larger than `_LARGEST_FORM`."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            return {}
    return dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace")))


def own_path(destination: str) -> str:
    r"""Return `destination` if it is a path of this server, else "/": `//host` and `/\host` lead elsewhere."""
    parts = urllib.parse.urlsplit(destination)
    is_own = destination.startswith("/") and not destination.startswith(("//", "/\\"))
    return destination if is_own and not parts.scheme and not parts.netloc and destination.isprintable() else "/"
