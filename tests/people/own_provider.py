"""An OpenID Connect provider that keeps to the rules, but for the one that a test lets it break."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT_ID = "turret"
SECRET = "the client's secret"
Change = Callable[[dict[str, Any]], None]


class OwnProvider(ThreadingHTTPServer):
    """Answers on 127.0.0.1; `authorize` is what a person would do in the browser.

    `claim` and `head` change what identity tokens say, `key` is what signs them, `user` is who signs in.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.about: dict[str, Any] = {}
        self.keys = [RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})]
        self.key: Any = self.keys[0]
        self.head: dict[str, Any] = {"alg": "RS256", "kid": "first"}
        self.user: dict[str, Any] = {"sub": "ada-1", "email": "ada@example.com", "email_verified": True}
        self.claim: Change = lambda claims: None
        self.userinfo: dict[str, Any] | None = None
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def authorize(self, address: str) -> dict[str, str]:
        """Return the query that the browser brings back from `address`, to which it was sent."""
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
        assert asked["client_id"] == CLIENT_ID and asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join(5)

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """Return what the token endpoint answers; raise `KeyError` or `AssertionError` where the client is wrong."""
        asked = self.codes.pop(form["code"])
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        assert challenge.decode() == asked["code_challenge"] and form["redirect_uri"] == asked["redirect_uri"]
        if "client_secret_post" in self.about.get("token_endpoint_auth_methods_supported", []):
            assert (form["client_id"], form["client_secret"]) == (CLIENT_ID, SECRET)
        else:
            given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            assert urllib.parse.unquote(given) == f"{CLIENT_ID}:{SECRET}"
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= self.user
        self.claim(claims)
        return {"access_token": "an access token", "token_type": "Bearer", "id_token": self.sign(claims)}

    def sign(self, claims: dict[str, Any]) -> str:
        if self.head["alg"] == "none":
            parts = [json.dumps(each).encode() for each in (self.head, claims)]
            return ".".join([base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts] + [""])
        return jwt.encode(self.head, claims, self.key, algorithms=[self.head["alg"]])

    def shared_secret(self) -> OctKey:
        """Return a key of which both sides know all: the client's secret."""
        return OctKey.import_key(SECRET * 3)


class _Handler(BaseHTTPRequestHandler):
    server: OwnProvider

    def do_GET(self) -> None:
        provider = self.server
        provider.asked.append(self.path)
        address = provider.address
        if self.path == "/.well-known/openid-configuration":
            about = {
                "issuer": address,
                "authorization_endpoint": f"{address}/authorize",
                "token_endpoint": f"{address}/token",
                "jwks_uri": f"{address}/keys",
                "userinfo_endpoint": f"{address}/me",
            }
            self._answer(200, about | provider.about)
        elif self.path == "/keys":
            self._answer(200, {"keys": [key.as_dict(private=False) for key in provider.keys]})
        elif self.path == "/me" and provider.userinfo is not None:
            assert self.headers["Authorization"] == "Bearer an access token"
            self._answer(200, provider.userinfo)
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            found = self.server.token(dict(urllib.parse.parse_qsl(body)), self.headers.get("Authorization", ""))
        except (KeyError, AssertionError):
            self._answer(400, {"error": "invalid_grant"})
        else:
            self._answer(200, found)

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass
