"""Signing in with an account: to an OpenID Connect provider and back, and what goes to it and comes from it later.

    the sign-in page ──a click──▶ /sign-in/oidc ──▶ the provider ──▶ /sign-in/callback ──▶ signed in to one's projects
    signed out ──a click──▶ /sign-out/oidc ──▶ the provider, which signs out there ──▶ the sign-in page
    the provider, where somebody has signed out ──▶ POST /sign-out/back-channel ──▶ no session by that sign-in is left

On its way to the provider and back a sign-in is kept in a cookie of its own, signed, for `PENDING_S`: what comes back
has to come to the browser that went.
"""

from __future__ import annotations

import hashlib
import logging
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse
from itsdangerous import BadSignature, TimestampSigner
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import Accounts, audit
from turret_api.accounts.admission import Admission, admit
from turret_api.dashboard.sessions import LIFETIME_S, Sessions
from turret_api.dashboard.sign_in import ACCOUNT_COOKIE, ACCOUNT_PATH, SignIn, form_of, own_path
from turret_api.people.groups import roles_of
from turret_pipeline.settings import Oidc, Settings

if TYPE_CHECKING:
    from turret_api.people.provider import Account, Provider

log = logging.getLogger(__name__)

PENDING_S = 600
_PENDING = "turret_sign_in_"
_MOST_PENDING = 5
"""Sign-ins that a browser may have under way: pages of other sites can begin them, and each is a cookie."""
_LARGEST_PENDING = 2_500
"""Bytes of a sign-in under way, with the address that it leads to; a cookie has 4096."""
_LARGEST_ACCOUNT = 3_500
_ID_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_NO_ID_TOKEN = "-"
_MOST_OF_A_WORD = 60


class _Pending(msgspec.Struct, array_like=True):
    """A sign-in that is at the provider."""

    state: str
    nonce: str
    verifier: str
    destination: str


class RoundTrip:
    """The addresses of sign-in with an account, where there is a provider.

    Args:
        settings: name the provider.
        accounts: know people; have the audit log.
        sessions: give out cookies.
        sign_in: shows the page from which one begins.
        secret: what signs the cookies of sign-ins that are under way.
    """

    def __init__(
        self, settings: Settings, accounts: Accounts, sessions: Sessions, sign_in: SignIn, secret: bytes
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._sessions = sessions
        self._sign_in = sign_in
        self._signer = TimestampSigner(secret, salt=_PENDING, key_derivation="hmac", digest_method=hashlib.sha256)

    def router(self) -> APIRouter:
        """Return the addresses; there are none without a provider."""
        router = APIRouter(include_in_schema=False)
        if self._settings.oidc is not None:
            router.add_api_route("/sign-in/oidc", self.to_provider, methods=["GET"])
            router.add_api_route("/sign-in/callback", self.from_provider, methods=["GET"])
            router.add_api_route("/sign-out/oidc", self.sign_out_there, methods=["GET"])
            router.add_api_route("/sign-out/back-channel", self.signed_out_there, methods=["POST"])
        return router

    def to_provider(self, request: Request, destination: str = "/") -> Response:
        """Go to the provider, which asks who it is."""
        from turret_api.people.discovery import ProviderError

        destination = own_path(destination)
        try:
            address, started = self._provider.start()
        except ProviderError as error:
            return self._not_now(request, destination, error.reason)
        response = RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})
        pending = msgspec.json.encode(_Pending(started.state, started.nonce, started.verifier, destination))
        if len(pending) > _LARGEST_PENDING:
            pending = msgspec.json.encode(_Pending(started.state, started.nonce, started.verifier, "/"))
        for name in self._oldest(request):
            response.delete_cookie(name, path="/sign-in", httponly=True, samesite="lax")
        response.set_cookie(
            _cookie_of(started.state),
            self._signer.sign(urlsafe_b64encode(pending)).decode(),
            max_age=PENDING_S,
            path="/sign-in",
            httponly=True,
            samesite="lax",
            secure=self._sign_in.is_secure,
        )
        return response

    def from_provider(self, request: Request) -> Response:
        """Come back from the provider: start a session for whom it knows, if they are somebody here."""
        from turret_api.people.discovery import AwayError, ProviderError
        from turret_api.people.provider import GroupsError, Started

        given = request.query_params
        pending = self._pending(request, given.get("state", ""))
        if pending is None:
            problem = "This sign-in was not begun in this browser, or too long ago. Please begin again."
            self._sign_in.refused(request, "no such sign-in is under way")
            return self._sign_in.page(request, destination="/", problem=problem, status=400)
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
        except GroupsError as error:
            self._sign_in.refused(request, error.reason)
            problem = (
                f"You cannot come in: {self._oidc.name} says that you are in too many groups to name them. Its "
                "administrator has to let it send fewer; in Entra ID that is “Groups assigned to the application”."
            )
            response = self._sign_in.page(request, destination=pending.destination, problem=problem, status=403)
        except ProviderError as error:
            self._sign_in.refused(request, error.reason)
            problem = f"Your account could not be used: {error.reason}. Please begin again."
            response = self._sign_in.page(request, destination=pending.destination, problem=problem, status=401)
        else:
            response = self._come_in(request, account, pending.destination)
        response.delete_cookie(_cookie_of(pending.state), path="/sign-in", httponly=True, samesite="lax")
        return response

    def sign_out_there(self, request: Request) -> Response:
        """Go on to the provider, who has signed out here, to sign out there too."""
        account = request.cookies.get(ACCOUNT_COOKIE)
        if account is None:  # it is a page of another site that leads here, or all is done
            return RedirectResponse("/sign-in", status_code=303)
        id_token = account if _ID_TOKEN.fullmatch(account) else None
        address = self._provider.address_of_sign_out(self._back, id_token)
        if address is None:
            problem = f"{self._oidc.name} does not answer now. You are still signed in there."
            return self._sign_in.page(request, destination="/", problem=problem, status=503)
        response = RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})
        response.delete_cookie(ACCOUNT_COOKIE, path=ACCOUNT_PATH, httponly=True, samesite="strict")
        return response

    async def signed_out_there(self, request: Request) -> Response:
        """End the sessions by a sign-in, of which the provider says that it has ended there (form: `logout_token`)."""
        form = await form_of(request)
        return await run_in_threadpool(self._signed_out_there, form.get("logout_token", ""))

    @cached_property
    def _provider(self) -> Provider:
        # Here, not at the top: it takes memory and time, and most servers know no provider.
        from turret_api.people.provider import Provider

        return Provider(self._oidc, f"{self._settings.public_url}/sign-in/callback")

    @property
    def _oidc(self) -> Oidc:
        assert self._settings.oidc is not None
        return self._settings.oidc

    @property
    def _back(self) -> str:
        """To where the provider sends who has signed out there."""
        return f"{self._settings.public_url}/sign-in"

    def _signed_out_there(self, logout_token: str) -> Response:
        from turret_api.people.discovery import AwayError, ProviderError

        headers = {"Cache-Control": "no-store"}
        try:
            self._sessions.end_provider_session(self._provider.ended_session(logout_token))
        except (AwayError, SQLAlchemyError) as error:
            log.warning("a sign-out at the provider could not be followed", extra={"reason": str(error)[:300]})
            return JSONResponse({"error": "temporarily_unavailable"}, 503, headers)
        except ProviderError as error:
            log.warning("a sign-out was refused that is not the provider's", extra={"reason": error.reason})
            return JSONResponse({"error": "invalid_request", "error_description": error.reason}, 400, headers)
        return Response(headers=headers)

    def _come_in(self, request: Request, account: Account, destination: str) -> Response:
        try:
            projects = {each.project_id: each.name for each in self._accounts.projects()} if self._oidc.roles else {}
            given, missing = roles_of(self._oidc.roles, account.groups or (), projects)
            admission = admit(self._accounts, account.subject, account.email, given)
        except SQLAlchemyError:
            problem = "The server cannot reach its database now. Please try again."
            return self._sign_in.page(request, destination=destination, problem=problem, status=503)
        if missing:
            log.warning("TURRET_OIDC_ROLES names projects that are not there", extra={"projects": sorted(missing)})
        for change in admission.changes:
            person = change.person
            about = {"person_id": person.person_id, "email": person.email, "role": person.role}
            if person.group is not None:
                about["group"] = person.group
            actor = person.actor if account.email is None else f"person:{account.email}"
            audit.note(self._accounts, person.project_id, actor, change.action, about)
        if not admission.people:
            return self._not_here(request, account, admission, destination)
        response = RedirectResponse(destination, status_code=303, headers={"Cache-Control": "no-store"})
        self._sessions.sign_in_person(
            request,
            account.subject,
            {person.project_id for person in admission.people},
            response,
            secure=self._sign_in.is_secure,
            provider_session=account.session,
        )
        if self._provider.address_of_sign_out(self._back, None) is not None:
            short = account.id_token if len(account.id_token) <= _LARGEST_ACCOUNT else _NO_ID_TOKEN
            self._sign_in.keep_account(response, short, LIFETIME_S)
        for person in admission.people:
            self._sign_in.signed_in(request, person.project_id, person.actor, {"by": "oidc", "role": person.role})
        return response

    def _not_here(self, request: Request, account: Account, admission: Admission, destination: str) -> Response:
        """Return the page that says why the account is nobody here."""
        email = account.email or account.refused_email
        who = email or "This account, which names no e-mail address,"
        if account.refused_email is not None:
            reason, words = "not verified", "may not come in: the provider does not say that this address is verified."
        elif admission.taken:
            reason = "another account has the address"
            words = (
                f"may not come in: in {', '.join(admission.taken)} another account has this address. An owner has to "
                "remove that person first."
            )
        elif not self._oidc.roles:
            reason, words = "not invited", "may not come in here: an owner of a project has to add the address first."
        else:
            no_claim = account.groups is None
            reason = f"not invited, and no claim {self._oidc.roles_claim}" if no_claim else "in no group with a role"
            words = "may not come in here: it is in no group that has a role, and no owner has added the address."
        self._sign_in.refused(request, reason, email)
        return self._sign_in.page(request, destination=destination, problem=f"{who} {words}", status=403)

    def _oldest(self, request: Request) -> list[str]:
        """Return the cookies of sign-ins that are too many beside a new one."""
        pending = [name for name in request.cookies if name.startswith(_PENDING)]
        return sorted(pending, key=lambda name: self._begun_at(request.cookies[name]))[: -(_MOST_PENDING - 1)]

    def _begun_at(self, value: str) -> float:
        try:
            return self._signer.unsign(value, return_timestamp=True)[1].timestamp()
        except BadSignature:
            return 0.0

    def _pending(self, request: Request, state: str) -> _Pending | None:
        """Return the sign-in of this browser that was begun with `state`; None: there is none, or it is too old."""
        try:
            value = self._signer.unsign(request.cookies.get(_cookie_of(state), ""), max_age=PENDING_S)
            found = msgspec.json.decode(urlsafe_b64decode(value), type=_Pending)
        except (BadSignature, ValueError):
            return None
        return found if found.state == state else None

    def _not_now(self, request: Request, destination: str, reason: str) -> Response:
        log.warning("the provider of sign-ins cannot be used", extra={"reason": reason})
        problem = f"Sign-in with {self._oidc.name} does not work now: {reason}. A key works all the same."
        return self._sign_in.page(request, destination=destination, problem=problem, status=503)


def _cookie_of(state: str) -> str:
    """Return the name of the cookie of a sign-in, so that two tabs may sign in at the same time."""
    return _PENDING + hashlib.sha256(state.encode()).hexdigest()[:12]
