"""Signing out: here, at the provider from here, and here from the provider."""

from __future__ import annotations

import dataclasses
import secrets
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from joserfc.jwk import RSAKey

from tests.people.conftest import House
from tests.people.own_provider import CLIENT_ID, SECRET, OwnProvider
from turret_api.accounts import people
from turret_api.app import create_app
from turret_api.dashboard import sessions
from turret_api.dashboard.sessions import COOKIE, LIFETIME_S
from turret_api.dashboard.sign_in import ACCOUNT_COOKIE
from turret_pipeline.settings import Oidc

PUBLIC = "http://turret.test"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture(scope="module")
def provider() -> Iterator[OwnProvider]:
    running = OwnProvider()
    running.about = {"end_session_endpoint": f"{running.address}/bye?realm=x"}
    yield running
    running.end()


@pytest.fixture(scope="module")
def app(house: House, provider: OwnProvider) -> Any:
    oidc = Oidc(provider.address, CLIENT_ID, SECRET, "Example ID")
    return create_app(dataclasses.replace(house.settings, public_url=PUBLIC, oidc=oidc), house.accounts)


@dataclasses.dataclass
class Visitor:
    """An invited person's browsers."""

    house: House
    provider: OwnProvider
    app: Any

    def __post_init__(self) -> None:
        self.name = secrets.token_hex(4)
        self.email = f"{self.name}@example.com"
        people.add_person(self.house.accounts, self.house.project.project_id, self.email, "analyst")

    def sign_in(self, **claims: Any) -> TestClient:
        """Return a new browser that is signed in."""
        browser = TestClient(self.app, base_url=PUBLIC, follow_redirects=False)
        self.provider.user = {"sub": self.name, "email": self.email, "email_verified": True, **claims}
        there = browser.get("/sign-in/oidc").headers["location"]
        back = browser.get("/sign-in/callback", params=self.provider.authorize(there))
        assert back.status_code == 303, back.text
        return browser


@pytest.fixture
def visitor(house: House, provider: OwnProvider, app: Any) -> Visitor:
    return Visitor(house, provider, app)


def may(browser: TestClient) -> bool:
    return browser.get("/v1/usage").status_code == 200


def test_who_has_signed_out_here_goes_on_to_sign_out_at_the_provider(visitor: Visitor) -> None:
    browser = visitor.sign_in()
    out = browser.post("/sign-out", headers=SAME_ORIGIN)
    assert (out.status_code, out.headers["location"]) == (303, "/sign-out") and not may(browser)
    page = browser.get("/sign-out")
    assert page.status_code == 200 and 'href="/sign-out/oidc">Sign out of Example ID too' in page.text
    there = browser.get("/sign-out/oidc").headers["location"]
    assert there.startswith(f"{visitor.provider.address}/bye?realm=x&")
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(there).query))
    assert query.pop("id_token_hint").count(".") == 2
    assert query == {"realm": "x", "client_id": CLIENT_ID, "post_logout_redirect_uri": f"{PUBLIC}/sign-in"}
    assert ACCOUNT_COOKIE not in browser.cookies
    assert browser.get("/sign-out/oidc").headers["location"] == "/sign-in"
    assert browser.get("/sign-out").headers["location"] == "/sign-in"


def test_no_other_site_and_no_script_gets_at_what_signs_out_at_the_provider(visitor: Visitor) -> None:
    browser = TestClient(visitor.app, base_url=PUBLIC, follow_redirects=False)
    visitor.provider.user = {"sub": visitor.name, "email": visitor.email, "email_verified": True}
    there = browser.get("/sign-in/oidc").headers["location"]
    back = browser.get("/sign-in/callback", params=visitor.provider.authorize(there))
    cookie = next(each for each in back.headers.get_list("set-cookie") if each.startswith(ACCOUNT_COOKIE)).lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/sign-out" in cookie


def test_a_token_that_no_cookie_holds_is_done_without(visitor: Visitor) -> None:
    browser = visitor.sign_in(groups=["g" * 40] * 200)
    browser.post("/sign-out", headers=SAME_ORIGIN)
    assert "id_token_hint" not in browser.get("/sign-out/oidc").headers["location"]


def test_who_is_still_signed_in_is_not_told_otherwise(visitor: Visitor) -> None:
    assert visitor.sign_in().get("/sign-out").headers["location"] == "/"


def logout_token(provider: OwnProvider, sid: str | None, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": provider.address,
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + 120,
        "jti": secrets.token_hex(4),
        "sid": sid,
        "events": {EVENT: {}},
        **changes,
    }
    return provider.sign({name: value for name, value in claims.items() if value is not None})


def told(visitor: Visitor, token: str) -> httpx.Response:
    """Let the provider itself say it: without a browser, so without cookies."""
    return TestClient(visitor.app, base_url=PUBLIC).post("/sign-out/back-channel", data={"logout_token": token})


def test_a_session_that_ends_at_the_provider_ends_here_and_no_other(visitor: Visitor) -> None:
    first, again, other = (visitor.sign_in(sid=sid) for sid in ("session 1", "session 1", "session 2"))
    answer = told(visitor, logout_token(visitor.provider, "session 1"))
    assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (200, b"", "no-store")
    assert (may(first), may(again), may(other)) == (False, False, True)
    assert told(visitor, logout_token(visitor.provider, "session 1")).status_code == 200
    assert told(visitor, logout_token(visitor.provider, "never here")).status_code == 200 and may(other)


def test_a_session_that_has_ended_at_the_provider_leaves_keys_signed_in(house: House, visitor: Visitor) -> None:
    browser = visitor.sign_in(sid="beside a key")
    other = house.accounts.create_project(f"Beside {visitor.name}")
    browser.post("/sign-in", data={"key": other.read_key}, headers=SAME_ORIGIN)
    told(visitor, logout_token(visitor.provider, "beside a key"))
    assert browser.get("/v1/usage", headers={"X-Project": other.project_id}).status_code == 200
    assert browser.get("/v1/usage", headers={"X-Project": house.project.project_id}).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another"},
        {"exp": 1},
        {"iat": None},
        {"sid": None},
        {"sid": None, "sub": "somebody"},
        {"events": None},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"events": [EVENT]},
        {"nonce": "of a sign-in"},
    ],
    ids=str,
)
def test_a_token_that_is_no_sign_out_of_the_provider_ends_nothing(visitor: Visitor, changes: dict[str, Any]) -> None:
    browser = visitor.sign_in(sid="stays")
    answer = told(visitor, logout_token(visitor.provider, **{"sid": "stays", **changes}))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request") and may(browser)


def test_what_nobody_or_another_has_signed_ends_nothing(visitor: Visitor) -> None:
    browser, provider = visitor.sign_in(sid="stays too"), visitor.provider
    key, head = provider.key, provider.head
    try:
        provider.key = RSAKey.generate_key(2048)
        tokens = [logout_token(provider, "stays too")]
        provider.head, provider.key = {"alg": "HS256"}, provider.shared_secret()
        tokens.append(logout_token(provider, "stays too"))
        provider.head = {"alg": "none"}
        tokens.append(logout_token(provider, "stays too"))
    finally:
        provider.key, provider.head = key, head
    for token in (*tokens, "", "x", "a.b.c", "ä" * 9000):
        assert told(visitor, token).status_code == 400
    assert may(browser)


def test_an_account_is_signed_out_after_two_weeks_whatever_keys_are_added(
    house: House, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = visitor.sign_in()
    other = house.accounts.create_project(f"Later {visitor.name}")
    now = time.time()
    monkeypatch.setattr(sessions.time, "time", lambda: now + LIFETIME_S - 60)
    browser.post("/sign-in", data={"key": other.read_key}, headers=SAME_ORIGIN)
    mine = {"X-Project": house.project.project_id}
    assert browser.get("/v1/usage", headers=mine).status_code == 200
    monkeypatch.setattr(sessions.time, "time", lambda: now + LIFETIME_S + 60)
    assert browser.get("/v1/usage", headers=mine).status_code == 401
    assert browser.get("/v1/usage", headers={"X-Project": other.project_id}).status_code == 200


def test_a_session_that_an_attacker_planted_gives_them_nothing_of_who_signs_in_with_it(
    house: House, visitor: Visitor
) -> None:
    attacker = TestClient(visitor.app, base_url=PUBLIC, follow_redirects=False)
    theirs = house.accounts.create_project(f"Planted {visitor.name}")
    attacker.post("/sign-in", data={"key": theirs.read_key}, headers=SAME_ORIGIN)
    planted = attacker.cookies[COOKIE]
    victim = TestClient(visitor.app, base_url=PUBLIC, follow_redirects=False, cookies={COOKIE: planted})
    visitor.provider.user = {"sub": visitor.name, "email": visitor.email, "email_verified": True}
    there = victim.get("/sign-in/oidc").headers["location"]
    victim.get("/sign-in/callback", params=visitor.provider.authorize(there))
    mine = {"X-Project": house.project.project_id}
    assert victim.get("/v1/usage", headers=mine).status_code == 200
    assert attacker.get("/v1/usage", headers=mine).status_code == 401
