"""An OpenID Connect provider as a client sees it: the code flow with PKCE (OpenID Connect Core 1.0, RFC 7636).

    a browser ──start()──▶ at the provider, which asks who it is ──a code, to our address──▶ finish() ──▶ an account

An identity token is believed only if its signature is of one of the provider's keys by an algorithm of `ALGORITHMS`
(never `none`, nor one whose key is a shared secret), and if it is for this client, of this provider, of this sign-in
(`nonce`) and of now. Nothing is imported here before somebody signs in this way.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
from authlib.common.urls import add_params_to_uri
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError

from turret_api.accounts.people import subject_of
from turret_api.people.discovery import TIMEOUT, AwayError, Discovery, ProviderError
from turret_api.people.groups import are_left_out, groups_in
from turret_pipeline.settings import Oidc

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LEEWAY_S = 60
"""Seconds by which the provider's clock may differ from ours."""


class GroupsError(ProviderError):
    """The provider left out the account's groups, so that it is not known what they give."""

    def __init__(self, claim: str) -> None:
        super().__init__(f"the claim {claim} was left out, for the account is in too many groups")


@dataclass(frozen=True)
class Started:
    """A sign-in on its way; the browser keeps it, signed, until it comes back."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Account:
    """Whom the provider knows: `subject` as `turret_api.accounts.people.subject_of` says it.

    email: None: it names none, or does not say that it is verified; then `refused_email` is what it named.
    groups: those that the account is in, where roles are given by groups; None: the provider told of none, or was not
        asked.
    session: of the browser at the provider, as 32 hexadecimal digits; None: it has no name.
    id_token: what the provider signed.
    """

    subject: str
    email: str | None
    refused_email: str | None = None
    groups: frozenset[str] | None = None
    session: str | None = None
    id_token: str = field(default="", repr=False, compare=False)


class Provider:
    """The provider of `oidc`, to which `redirect_uri` was told as the address to come back to."""

    def __init__(self, oidc: Oidc, redirect_uri: str) -> None:
        self._oidc = oidc
        self._redirect_uri = redirect_uri
        self._discovery = Discovery(oidc)

    def start(self) -> tuple[str, Started]:
        """Return the address at the provider to which the browser goes, and what it has to come back with."""
        about = self._discovery.about()
        started = Started(*(secrets.token_urlsafe(32) for _ in range(3)))
        with self._client() as client:
            url, _ = client.create_authorization_url(
                about["authorization_endpoint"],
                state=started.state,
                nonce=started.nonce,
                code_verifier=started.verifier,
            )
        return str(url), started

    def finish(self, code: str, started: Started) -> Account:
        """Return whose account it is that gave `code` to the sign-in `started`; raise `ProviderError`."""
        about = self._discovery.about()
        with self._client() as client:
            try:
                token = client.fetch_token(about["token_endpoint"], code=code, code_verifier=started.verifier)
            except OAuthError as error:
                raise ProviderError(f"it refused the code ({_word(error.error)})") from error
            except (httpx2.HTTPError, ValueError) as error:
                raise AwayError("it does not answer") from error
            if not isinstance(token.get("id_token"), str) or not isinstance(token.get("access_token"), str):
                raise ProviderError("it sent no identity token")
            claims = self._claims(token, started.nonce)
            more = self._more(client, claims)
        address = claims if "email" in claims else more
        email, is_verified = address.get("email"), address.get("email_verified")
        account = Account(
            subject_of(self.issuer, str(claims["sub"])),
            None,
            groups=self._groups(claims, more),
            session=self._session(claims),
            id_token=token["id_token"],
        )
        if not isinstance(email, str) or not email.isprintable():
            return account
        # Some send the word, some say nothing; "no" is never taken for an oversight.
        counts = is_verified in (True, "true") or (is_verified is None and self._oidc.trusts_email)
        return replace(account, email=email) if counts else replace(account, refused_email=email)

    def address_of_sign_out(self, back: str, id_token: str | None) -> str | None:
        """Return the address at which the provider signs the browser out; None: it has none, or does not answer.

        As in OpenID Connect RP-Initiated Logout 1.0.

        back: where the provider sends the browser then, as was told to it.
        id_token: of the sign-in, by which some providers know whom; None: it is not there any more.
        """
        try:
            address = self._discovery.about().get("end_session_endpoint")
        except AwayError:
            return None
        if not isinstance(address, str) or not self._discovery.is_safe(address):
            return None
        query = [("client_id", self._oidc.client_id), ("post_logout_redirect_uri", back)]
        return str(add_params_to_uri(address, query + ([("id_token_hint", id_token)] if id_token else [])))

    def ended_session(self, logout_token: str) -> str:
        """Return the session that ends by this token of the provider (OpenID Connect Back-Channel Logout 1.0).

        As `Account.session` has it. Raise `ProviderError` for a token that is not such a one. One that comes again does
        no harm, for a session ends once.
        """
        self._discovery.about()
        read = self._read(logout_token)
        rules = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self._oidc.client_id},
            iat={"essential": True},
        )
        try:
            rules.validate(read.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise ProviderError(f"the token is not for Turret ({_word(error)})") from error
        events = read.claims.get("events")
        if not isinstance(events, dict) or LOGOUT_EVENT not in events or "nonce" in read.claims:
            raise ProviderError("the token is none of a sign-out")
        session = self._session(read.claims)
        if session is None:
            raise ProviderError("the token names no session (sid)")
        return session

    @property
    def issuer(self) -> str:
        """How the provider calls itself, as far as it has been asked; else how the settings do."""
        return self._discovery.issuer

    def _client(self) -> OAuth2Client:
        return OAuth2Client(
            self._oidc.client_id,
            self._oidc.client_secret,
            token_endpoint_auth_method=self._authentication(),
            scope=self._oidc.scopes,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            verify=self._discovery.authorities,
            timeout=TIMEOUT,
            follow_redirects=False,
        )

    def _authentication(self) -> str:
        """Return how the client shows its secret: as the provider wishes, and by the header where it says nothing."""
        if self._oidc.client_secret is None:
            return "none"
        methods = self._discovery.known.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"

    def _claims(self, token: dict[str, Any], nonce: str) -> dict[str, Any]:
        """Return what the identity token in `token` says, once it is seen to be true."""
        read = self._read(token["id_token"])
        options = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self._oidc.client_id},
        }
        about = {"nonce": nonce, "client_id": self._oidc.client_id, "access_token": token["access_token"]}
        claims = CodeIDToken(read.claims, read.header, options, about)
        try:
            claims.validate(leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError) as error:
            raise ProviderError(f"its identity token is not for this sign-in ({_word(error)})") from error
        return dict(claims)

    def _read(self, id_token: str) -> jwt.Token:
        """Return the token, if one of the provider's keys has signed it; raise `ProviderError`."""
        try:
            header = jws.extract_compact(id_token.encode()).headers()
        except (JoseError, ValueError) as error:
            raise ProviderError("its identity token cannot be read") from error
        allowed = set(ALGORITHMS) & set(
            self._discovery.known.get("id_token_signing_alg_values_supported") or ALGORITHMS
        )
        if header.get("alg") not in allowed:
            raise ProviderError("its identity token is not signed as it should be")
        registry = jws.JWSRegistry(algorithms=sorted(allowed), strict_check_header=False)
        for anew in (False, True):
            for key in self._discovery.keys(anew=anew):
                if header.get("kid") in (None, key.kid):
                    try:
                        return jwt.decode(id_token, key, registry=registry)
                    except (JoseError, ValueError):  # of another kind, or not its signature
                        continue
        raise ProviderError("its identity token is not signed with one of its keys")

    def _more(self, client: OAuth2Client, claims: dict[str, Any]) -> dict[str, Any]:
        """Return what else the provider tells of who signed in, where its token leaves out what is needed."""
        has_groups = not self._oidc.roles or groups_in(claims, self._oidc.roles_claim) is not None
        if ("email" in claims and has_groups) or "userinfo_endpoint" not in self._discovery.known:
            return {}
        try:
            answer = client.get(self._discovery.known["userinfo_endpoint"])
            found = answer.json() if answer.status_code == 200 else {}
        except (httpx2.HTTPError, OAuthError, ValueError) as error:
            raise AwayError("it does not answer") from error
        return found if isinstance(found, dict) and found.get("sub") == claims["sub"] else {}

    def _groups(self, *told: dict[str, Any]) -> frozenset[str] | None:
        """Return the groups in the first of `told` that has some; raise `GroupsError` where they were left out."""
        if not self._oidc.roles:
            return None
        name = self._oidc.roles_claim
        for claims in told:
            found = groups_in(claims, name)
            if found is not None:
                return found
        if any(are_left_out(claims, name) for claims in told):
            raise GroupsError(name)
        return None

    def _session(self, claims: dict[str, Any]) -> str | None:
        """Return what stands for the browser's session at the provider: 32 hexadecimal digits; None: it names none."""
        found = claims.get("sid")
        return hashlib.sha256(f"{self.issuer}\n{found}".encode()).hexdigest()[:32] if isinstance(found, str) else None


def _word(error: object) -> str:
    """Return an error's own word for itself, where it is one: what a provider says may be anything."""
    word = str(getattr(error, "error", None) or error)
    claim = getattr(error, "claim", None)
    word = f"{word} {claim}" if claim else word
    return word[:60] if word.replace("_", "").replace(" ", "").isalnum() else type(error).__name__
