"""An OpenID Connect provider as a client sees it: the code flow with PKCE (OpenID Connect Core 1.0, RFC 7636).

    a browser ──start()──▶ at the provider, which asks who it is ──a code, to our address──▶ finish() ──▶ an account

What the provider says of itself (its addresses, its keys) is asked for when it is needed first, and kept for an hour.
Its keys are asked for again, too, when a token names one that is not known, for providers change them. While it does
not answer, nobody waits long: after a failure it is not asked again for a few seconds.

An identity token is believed only if its signature is of one of the provider's keys by an algorithm of `ALGORITHMS`
(never `none`, nor one whose key is a shared secret), and if it is for this client, of this provider, of this sign-in
(`nonce`) and of now. Nothing is imported here before somebody signs in this way.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from turret_api.accounts.people import subject_of
from turret_pipeline.settings import Oidc

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
SCOPE = "openid email profile"
KEPT_S = 3600.0
AGAIN_S = 5.0
"""Seconds for which the provider is not asked again: after it failed, or for keys after it gave some."""
LEEWAY_S = 60
"""Seconds by which the provider's clock may differ from ours."""
_TIMEOUT = httpx2.Timeout(10.0, connect=3.0)


class ProviderError(Exception):
    """The sign-in ends here; `reason` says why in a few words, without anything of a token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AwayError(ProviderError):
    """The provider does not answer, or not as one would."""


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
    """

    subject: str
    email: str | None
    refused_email: str | None = None


class Provider:
    """The provider of `oidc`, to which `redirect_uri` was told as the address to come back to."""

    def __init__(self, oidc: Oidc, redirect_uri: str) -> None:
        self._oidc = oidc
        self._redirect_uri = redirect_uri
        self._lock = threading.Lock()
        self._about: dict[str, Any] = {}
        self._about_at = self._keys_at = self._failed_at = float("-inf")
        self._keys: list[Key] = []
        # Read once: it takes a tenth of a second. SSL_CERT_FILE names others, for a provider of one's own.
        self._authorities = httpx2.create_ssl_context()

    def start(self) -> tuple[str, Started]:
        """Return the address at the provider to which the browser goes, and what it has to come back with."""
        about = self._describe()
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
        about = self._describe()
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
            if "email" not in claims and "userinfo_endpoint" in about:
                claims |= self._more(client, about["userinfo_endpoint"], claims["sub"])
        subject = subject_of(self.issuer, str(claims["sub"]))
        email, is_verified = claims.get("email"), claims.get("email_verified")
        if not isinstance(email, str) or not email.isprintable():
            return Account(subject, None)
        # Some send the word, some say nothing; "no" is never taken for an oversight.
        counts = is_verified in (True, "true") or (is_verified is None and self._oidc.trusts_email)
        return Account(subject, email) if counts else Account(subject, None, email)

    @property
    def issuer(self) -> str:
        """How the provider calls itself, as far as it has been asked; else how the settings do."""
        return str(self._about.get("issuer", self._oidc.issuer))

    def _client(self) -> OAuth2Client:
        return OAuth2Client(
            self._oidc.client_id,
            self._oidc.client_secret,
            token_endpoint_auth_method=self._authentication(),
            scope=SCOPE,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            verify=self._authorities,
            timeout=_TIMEOUT,
            follow_redirects=False,
        )

    def _authentication(self) -> str:
        """Return how the client shows its secret: as the provider wishes, and by the header where it says nothing."""
        if self._oidc.client_secret is None:
            return "none"
        methods = self._about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"

    def _describe(self) -> dict[str, Any]:
        """Return what the provider says of itself (OpenID Connect Discovery 1.0); raise `AwayError`."""
        with self._lock:
            if time.monotonic() - self._about_at < KEPT_S:
                return self._about
            found = self._get(f"{self._oidc.issuer.rstrip('/')}/.well-known/openid-configuration")
            if str(found.get("issuer")).rstrip("/") != self._oidc.issuer.rstrip("/"):
                raise AwayError("it calls itself by another address than TURRET_OIDC_ISSUER")
            scheme = self._oidc.issuer.partition(":")[0]
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not str(found.get(name)).startswith(("https://", f"{scheme}://")):
                    raise AwayError(f"its {name} is no address, or one that anybody can listen to")
            self._about, self._about_at = found, time.monotonic()
            return found

    def _known_keys(self, *, anew: bool = False) -> list[Key]:
        """Return the provider's keys for signatures; anew: those of before do not fit a token."""
        uri = self._describe()["jwks_uri"]
        with self._lock:
            age_s = time.monotonic() - self._keys_at
            if age_s > (AGAIN_S if anew else KEPT_S):
                try:
                    found = list(KeySet.import_key_set(self._get(uri)).keys)  # type: ignore[arg-type]
                except (JoseError, ValueError, KeyError, TypeError) as error:
                    raise AwayError("its keys cannot be read") from error
                self._keys = [key for key in found if key.get("use") in (None, "sig")]
                self._keys_at = time.monotonic()
            return self._keys

    def _get(self, address: str) -> dict[str, Any]:
        if time.monotonic() - self._failed_at < AGAIN_S:
            raise AwayError("it does not answer")
        try:
            answer = httpx2.get(address, verify=self._authorities, timeout=_TIMEOUT, follow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            self._failed_at = time.monotonic()
            raise AwayError("it does not answer") from error
        if not isinstance(found, dict):
            raise AwayError("it does not answer as a provider does")
        return found

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
        allowed = set(ALGORITHMS) & set(self._about.get("id_token_signing_alg_values_supported") or ALGORITHMS)
        if header.get("alg") not in allowed:
            raise ProviderError("its identity token is not signed as it should be")
        registry = jws.JWSRegistry(algorithms=sorted(allowed), strict_check_header=False)
        for anew in (False, True):
            for key in self._known_keys(anew=anew):
                if header.get("kid") in (None, key.kid):
                    try:
                        return jwt.decode(id_token, key, registry=registry)
                    except (JoseError, ValueError):  # of another kind, or not its signature
                        continue
        raise ProviderError("its identity token is not signed with one of its keys")

    def _more(self, client: OAuth2Client, address: str, subject: str) -> dict[str, Any]:
        """Return the e-mail address of who signed in, for providers whose tokens do not have it."""
        try:
            answer = client.get(address)
            found = answer.json() if answer.status_code == 200 else {}
        except (httpx2.HTTPError, OAuthError, ValueError) as error:
            raise AwayError("it does not answer") from error
        if not isinstance(found, dict) or found.get("sub") != subject:
            return {}
        return {name: found[name] for name in ("email", "email_verified") if name in found}


def _word(error: object) -> str:
    """Return an error's own word for itself, where it is one: what a provider says may be anything."""
    word = str(getattr(error, "error", None) or error)
    claim = getattr(error, "claim", None)
    word = f"{word} {claim}" if claim else word
    return word[:60] if word.replace("_", "").replace(" ", "").isalnum() else type(error).__name__
