"""What an OpenID Connect provider says of itself (OpenID Connect Discovery 1.0): its addresses and its keys.

It is asked when that is needed first, and the answers are kept for an hour. Its keys are asked for again, too, when a
token names one that is not known, for providers change them. While it does not answer, nobody waits long: after a
failure it is not asked again for a few seconds.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from turret_pipeline.settings import Oidc

KEPT_S = 3600.0
AGAIN_S = 5.0
"""Seconds for which the provider is not asked again: after it failed, or for keys after it gave some."""
TIMEOUT = httpx2.Timeout(10.0, connect=3.0)


class ProviderError(Exception):
    """The sign-in ends here; `reason` says why in a few words, without anything of a token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AwayError(ProviderError):
    """The provider does not answer, or not as one would."""


class Discovery:
    """What the provider of `oidc` says of itself.

    Attributes:
        known: its description, as far as it has been asked; else empty.
        authorities: who vouches for its certificate.
    """

    def __init__(self, oidc: Oidc) -> None:
        self._oidc = oidc
        self._lock = threading.Lock()
        self.known: dict[str, Any] = {}
        self._about_at = self._keys_at = self._failed_at = float("-inf")
        self._keys: list[Key] = []
        # Read once: it takes a tenth of a second. SSL_CERT_FILE names others, for a provider of one's own.
        self.authorities = httpx2.create_ssl_context()

    @property
    def issuer(self) -> str:
        """How the provider calls itself, as far as it has been asked; else how the settings do."""
        return str(self.known.get("issuer", self._oidc.issuer))

    def about(self) -> dict[str, Any]:
        """Return what the provider says of itself (OpenID Connect Discovery 1.0); raise `AwayError`."""
        with self._lock:
            if time.monotonic() - self._about_at < KEPT_S:
                return self.known
            found = self._get(f"{self._oidc.issuer.rstrip('/')}/.well-known/openid-configuration")
            if str(found.get("issuer")).rstrip("/") != self._oidc.issuer.rstrip("/"):
                raise AwayError("it calls itself by another address than TURRET_OIDC_ISSUER")
            optional = {"userinfo_endpoint"} & found.keys()
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", *optional):
                if not self.is_safe(str(found.get(name))):
                    raise AwayError(f"its {name} is no address, or one that anybody can listen to")
            self.known, self._about_at = found, time.monotonic()
            return found

    def is_safe(self, address: str) -> bool:
        """Return whether it is an address at which nobody else can listen, as far as it is so of the issuer's."""
        return address.startswith(("https://", f"{self._oidc.issuer.partition(':')[0]}://"))

    def keys(self, *, anew: bool = False) -> list[Key]:
        """Return the provider's keys for signatures; anew: those of before do not fit a token."""
        uri = self.about()["jwks_uri"]
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
            answer = httpx2.get(address, verify=self.authorities, timeout=TIMEOUT, follow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            self._failed_at = time.monotonic()
            raise AwayError("it does not answer") from error
        if not isinstance(found, dict):
            raise AwayError("it does not answer as a provider does")
        return found
