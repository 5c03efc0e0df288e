"""Signing in with an account: there and back by a real provider (oidc-provider-mock), and what goes wrong."""

from __future__ import annotations

import dataclasses
import html
import re
import secrets
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.people.conftest import House
from tests.ports import free_ports
from turret_api.accounts import audit, people
from turret_api.app import create_app
from turret_api.dashboard.sessions import COOKIE
from turret_pipeline.settings import Oidc

PUBLIC = "http://turret.test"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """Return the address of a provider that knows any client; `knows` tells it of an account."""
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    try:
        while True:
            try:
                httpx.get(f"{address}/.well-known/openid-configuration", timeout=60)
                break
            except httpx.TransportError:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def knows(provider: str, account: str, email: str, verified: bool | None = True) -> None:
    claims = {"email": email, **({} if verified is None else {"email_verified": verified})}
    httpx.put(f"{provider}/users/{account}", json=claims, timeout=60).raise_for_status()


class Browser(TestClient):
    """A browser: cookies, and the steps from our page to the provider's and back."""

    def to_provider(self, destination: str = "/") -> httpx.Response:
        return self.get("/sign-in/oidc", params={"destination": destination}, follow_redirects=False)

    def at_provider(self, address: str, account: str) -> str:
        """Say there who it is; return where the provider then sends the browser."""
        answer = httpx.post(address, data={"sub": account}, timeout=60)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def back(self, address: str) -> httpx.Response:
        assert address.startswith(f"{PUBLIC}/sign-in/callback?")
        return self.get(address, headers={"Sec-Fetch-Site": "cross-site"}, follow_redirects=False)

    def sign_in(self, account: str, destination: str = "/") -> httpx.Response:
        return self.back(self.at_provider(self.to_provider(destination).headers["location"], account))

    def may(self, path: str = "/v1/usage", **headers: str) -> int:
        return self.get(path, headers=headers).status_code


@pytest.fixture(scope="module")
def app(house: House, provider: str) -> FastAPI:
    oidc = Oidc(provider, "turret", "a secret", "Example ID")
    return create_app(dataclasses.replace(house.settings, public_url=PUBLIC, oidc=oidc), house.accounts)


@pytest.fixture
def browser(app: FastAPI) -> Browser:
    return Browser(app, base_url=PUBLIC)


def another(browser: Browser) -> Browser:
    return Browser(browser.app, base_url=PUBLIC)


def somebody(house: House, provider: str, role: str = "analyst") -> tuple[str, str]:
    """Return a new account and its address, which is invited."""
    name = secrets.token_hex(4)
    knows(provider, name, f"{name}@example.com")
    people.add_person(house.accounts, house.project.project_id, f"{name}@example.com", role)
    return name, f"{name}@example.com"


def last(house: House, action: str) -> audit.Entry:
    return audit.entries(house.accounts, action=action, most=1)[0]


def problem(answer: httpx.Response) -> str:
    found = re.search(r'id="problem"[^>]*>([^<]*)<', answer.text)
    assert found is not None, answer.text
    return html.unescape(found[1])


@pytest.mark.slow
def test_an_invited_person_signs_in_and_comes_to_where_they_wanted_to_go(
    house: House, browser: Browser, provider: str
) -> None:
    account, email = somebody(house, provider)
    page = browser.get("/topics?field=prompt")
    link = html.unescape(re.search(r'id="oidc" href="([^"]*)"', page.text)[1])  # type: ignore[index]
    assert "Sign in with Example ID" in page.text
    there = browser.get(link, follow_redirects=False)
    answer = browser.back(browser.at_provider(there.headers["location"], account))
    assert (answer.status_code, answer.headers["location"]) == (303, "/topics?field=prompt")
    assert browser.may() == 200 and browser.may("/v1/keys") == 403
    assert 'data-role="analyst"' in browser.get("/").text
    entry = last(house, "sign_in")
    assert (entry.actor, entry.project_id) == (f"person:{email}", house.project.project_id)
    assert entry.about["by"] == "oidc" and entry.about["role"] == "analyst"


def test_what_goes_to_the_provider_holds_no_secret_and_comes_back_once(
    house: House, browser: Browser, provider: str
) -> None:
    account, _ = somebody(house, provider)
    there = browser.to_provider()
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(there.headers["location"]).query))
    assert asked["redirect_uri"] == f"{PUBLIC}/sign-in/callback" and asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) > 40 and len(asked["nonce"]) > 40 and "a secret" not in there.headers["location"]
    cookie = there.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "path=/sign-in" in cookie
    address = browser.at_provider(there.headers["location"], account)
    assert browser.back(address).status_code == 303
    again = browser.back(address)
    assert again.status_code == 400 and "begin again" in problem(again)


def test_an_account_that_nobody_invited_is_refused_in_words(house: House, browser: Browser, provider: str) -> None:
    knows(provider, "eve", "eve@example.com")
    answer = browser.sign_in("eve")
    assert answer.status_code == 403 and problem(answer).startswith("eve@example.com may not come in")
    assert COOKIE not in browser.cookies and browser.may() == 401
    entry = last(house, "sign_in_refused")
    assert (entry.actor, entry.project_id, entry.about["reason"]) == ("person:eve@example.com", None, "not invited")


@pytest.mark.parametrize("verified", [False, None])
def test_an_address_that_is_not_verified_opens_nothing(
    house: House, browser: Browser, provider: str, verified: bool | None
) -> None:
    account, email = somebody(house, provider)
    knows(provider, account, email, verified)
    answer = browser.sign_in(account)
    assert answer.status_code == 403 and "does not say that this address is verified" in problem(answer)
    assert last(house, "sign_in_refused").about["reason"] == "not verified" and browser.may() == 401


def test_who_gets_an_address_that_was_somebody_elses_inherits_nothing(
    house: House, browser: Browser, provider: str
) -> None:
    account, email = somebody(house, provider)
    assert browser.sign_in(account).status_code == 303
    knows(provider, f"{account}-new", email)
    other = another(browser)
    assert other.sign_in(f"{account}-new").status_code == 403 and other.may() == 401
    # The account stays theirs, whatever address it has now.
    knows(provider, account, f"{account}@elsewhere.example")
    assert another(browser).sign_in(account).status_code == 303


def test_another_role_counts_at_once_and_removal_ends_the_session(
    house: House, browser: Browser, provider: str
) -> None:
    account, email = somebody(house, provider, "owner")
    browser.sign_in(account)
    assert browser.may("/v1/people") == 200
    person = people.find_person(house.accounts, house.project.project_id, email)
    people.change_person(house.accounts, house.project.project_id, person.person_id, "analyst")
    assert browser.may("/v1/people") == 403 and browser.may() == 200
    people.remove_person(house.accounts, house.project.project_id, person.person_id)
    assert browser.may() == 401
    assert another(browser).sign_in(account).status_code == 403


def test_one_account_is_in_several_projects_with_a_role_in_each(house: House, browser: Browser, provider: str) -> None:
    account, email = somebody(house, provider, "editor")
    other = house.accounts.create_project(f"Other {account}")
    people.add_person(house.accounts, other.project_id, email.upper(), "owner")
    browser.sign_in(account)
    mine = house.project.project_id
    assert (browser.may("/v1/keys", **{"X-Project": mine}), browser.may(**{"X-Project": mine})) == (403, 200)
    assert browser.may("/v1/keys", **{"X-Project": other.project_id}) == 200
    shell = browser.get(f"/?project={mine}").text
    assert f'value="{mine}"' in shell and f'value="{other.project_id}"' in shell and 'data-role="editor"' in shell
    assert browser.may(**{"X-Project": "absent"}) == 401


def test_an_account_and_keys_are_signed_in_side_by_side(house: House, browser: Browser, provider: str) -> None:
    account, _ = somebody(house, provider, "viewer")
    other = house.accounts.create_project(f"With a key {account}")
    browser.post("/sign-in", data={"key": other.admin_key}, headers=SAME_ORIGIN, follow_redirects=False)
    browser.sign_in(account)
    assert browser.may("/v1/keys", **{"X-Project": other.project_id}) == 200
    assert browser.may("/v1/keys", **{"X-Project": house.project.project_id}) == 403
    # A key of the same project comes first while it is the latest; then it is the account's turn again.
    key = house.keys["owner"]
    browser.post("/sign-in", data={"key": key}, headers=SAME_ORIGIN, follow_redirects=False)
    assert browser.may("/v1/keys", **{"X-Project": house.project.project_id}) == 200
    browser.sign_in(account)
    assert browser.may("/v1/keys", **{"X-Project": house.project.project_id}) == 403


def test_signing_out_ends_the_session_of_an_account_and_the_log_has_it(
    house: House, browser: Browser, provider: str
) -> None:
    account, email = somebody(house, provider)
    browser.sign_in(account)
    stolen = browser.cookies[COOKIE]
    assert browser.post("/sign-out", headers=SAME_ORIGIN, follow_redirects=False).status_code == 303
    assert last(house, "sign_out").actor == f"person:{email}"
    thief = another(browser)
    thief.cookies[COOKIE] = stolen
    assert thief.may() == 401


def test_a_sign_in_that_another_browser_began_is_refused(house: House, browser: Browser, provider: str) -> None:
    account, _ = somebody(house, provider)
    address = browser.at_provider(browser.to_provider().headers["location"], account)
    victim = another(browser)
    assert victim.back(address).status_code == 400 and victim.may() == 401
    # With a sign-in of its own under way it is refused all the same.
    victim.to_provider()
    assert victim.back(address).status_code == 400 and victim.may() == 401
    changed = re.sub(r"state=[^&]*", "state=another", address)
    assert browser.back(changed).status_code == 400
    assert last(house, "sign_in_refused").actor == audit.NOBODY


def test_two_tabs_sign_in_at_the_same_time(house: House, browser: Browser, provider: str) -> None:
    account, _ = somebody(house, provider)
    first, second = (browser.to_provider(path).headers["location"] for path in ("/topics", "/journeys"))
    assert browser.back(browser.at_provider(second, account)).headers["location"] == "/journeys"
    assert browser.back(browser.at_provider(first, account)).headers["location"] == "/topics"


@pytest.mark.parametrize(
    "destination", ["//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example/", "x"]
)
def test_sign_in_with_an_account_never_leads_to_another_host(
    house: House, browser: Browser, provider: str, destination: str
) -> None:
    account, _ = somebody(house, provider)
    assert browser.sign_in(account, destination).headers["location"] == "/"


@pytest.mark.parametrize(
    ("destination", "kept"),
    [
        ("/topics?q=" + "%F0%9F%8F%B0" * 160, True),
        ("/topics?q=" + '"' * 900, True),
        ("/topics?q=" + '"' * 1900, False),
        ("/topics?q=" + "x" * 3000, False),
    ],
    ids=["escaped", "quotes", "too many quotes", "too long"],
)
def test_a_long_address_is_kept_on_the_way_as_far_as_a_cookie_holds_it(
    house: House, browser: Browser, provider: str, destination: str, kept: bool
) -> None:
    account, _ = somebody(house, provider)
    there = browser.to_provider(destination)
    assert len(there.headers["set-cookie"]) < 4096
    answer = browser.back(browser.at_provider(there.headers["location"], account))
    assert urllib.parse.unquote(answer.headers["location"]) == (urllib.parse.unquote(destination) if kept else "/")


@pytest.mark.parametrize("state", ["", "ä", "x" * 5000, "%00", "../x"])
def test_a_made_up_state_is_no_sign_in(browser: Browser, state: str) -> None:
    answer = browser.get("/sign-in/callback", params={"state": state, "code": "x"}, follow_redirects=False)
    assert answer.status_code == 400 and "begin again" in problem(answer)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"error": "access_denied"}, "let nobody in (access_denied)"),
        ({"error": "<script>"}, "let nobody in (no reason)"),
        ({}, "let nobody in (no reason)"),
        ({"code": "x", "iss": "https://elsewhere.example"}, "another provider has answered"),
        ({"code": "made up"}, "it refused the code"),
    ],
    ids=str,
)
def test_what_else_comes_back_is_refused_in_words(browser: Browser, query: dict[str, Any], words: str) -> None:
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(browser.to_provider().headers["location"]).query))
    answer = browser.get("/sign-in/callback", params={"state": asked["state"], **query}, follow_redirects=False)
    assert answer.status_code == 401 and words in problem(answer) and COOKIE not in browser.cookies


def test_while_the_provider_is_away_the_page_says_so_and_keys_work(house: House) -> None:
    oidc = Oidc(f"http://127.0.0.1:{free_ports(1)[0]}", "turret", None, "Example ID")
    settings = dataclasses.replace(house.settings, public_url=PUBLIC, oidc=oidc)
    with Browser(create_app(settings, house.accounts), base_url=PUBLIC) as browser:
        answer = browser.to_provider("/topics")
        assert answer.status_code == 503
        assert problem(answer) == (
            "Sign-in with Example ID does not work now: it does not answer. A key works all the same."
        )
        browser.post("/sign-in", data={"key": house.keys["viewer"]}, headers=SAME_ORIGIN, follow_redirects=False)
        assert 'data-role="viewer"' in browser.get("/").text


def test_behind_tls_no_cookie_goes_without_it(house: House, provider: str) -> None:
    oidc = Oidc(provider, "turret", "a secret")
    settings = dataclasses.replace(house.settings, public_url="https://turret.test", oidc=oidc)
    with Browser(create_app(settings, house.accounts), base_url=PUBLIC) as browser:
        answer = browser.to_provider()
        assert "; secure" in answer.headers["set-cookie"].lower()
        assert "redirect_uri=https%3A%2F%2Fturret.test%2Fsign-in%2Fcallback" in answer.headers["location"]
        form = {"key": house.keys["viewer"]}
        by_key = browser.post("/sign-in", data=form, headers=SAME_ORIGIN, follow_redirects=False)
        assert "; secure" in by_key.headers["set-cookie"].lower()


@pytest.mark.parametrize(("proxy", "is_secure"), [("https", True), ("https, http", True), ("http", False), ("", False)])
def test_behind_a_proxy_that_says_so_no_cookie_goes_without_tls(house: House, proxy: str, is_secure: bool) -> None:
    with TestClient(house.client.app, base_url=PUBLIC) as client:
        headers = {**SAME_ORIGIN, "X-Forwarded-Proto": proxy}
        form = {"key": house.keys["viewer"]}
        answer = client.post("/sign-in", data=form, headers=headers, follow_redirects=False)
        assert ("; secure" in answer.headers["set-cookie"].lower()) is is_secure


def test_sign_ins_that_pages_of_others_begin_do_not_pile_up(house: House, browser: Browser, provider: str) -> None:
    for _ in range(8):
        browser.to_provider("/topics?q=" + "x" * 1500)
    assert len([name for name in browser.cookies if name.startswith("turret_sign_in_")]) == 5
    account, _ = somebody(house, provider)
    assert browser.sign_in(account).status_code == 303


def test_without_a_provider_nothing_of_it_is_there(house: House) -> None:
    assert house.client.get("/sign-in/oidc", follow_redirects=False).status_code == 404
    assert house.client.get("/sign-in/callback", follow_redirects=False).status_code == 404
    assert 'id="oidc"' not in house.client.get("/sign-in").text


def test_signing_in_and_out_with_a_key_is_in_the_log_and_what_is_refused_too(house: House) -> None:
    with TestClient(house.client.app, base_url=PUBLIC) as client:
        client.post("/sign-in", data={"key": house.keys["viewer"]}, headers=SAME_ORIGIN, follow_redirects=False)
        entry = last(house, "sign_in")
        assert entry.actor.startswith("key:") and entry.about == {"by": "key", "role": "viewer", "from": "testclient"}
        client.post("/sign-out", headers=SAME_ORIGIN, follow_redirects=False)
        assert last(house, "sign_out").actor == entry.actor
        wrong = "tr_" + "x" * 38
        client.post("/sign-in", data={"key": wrong}, headers=SAME_ORIGIN, follow_redirects=False)
        refused = last(house, "sign_in_refused")
        assert refused.about == {"reason": "an unknown key", "from": "testclient"} and refused.actor == audit.NOBODY


def test_one_who_tries_many_keys_does_not_fill_the_log(house: House) -> None:
    with TestClient(create_app(house.settings, house.accounts), base_url=PUBLIC) as client:
        before = last(house, "sign_in_refused").audit_id
        for _ in range(40):
            client.post("/sign-in", data={"key": "x"}, headers=SAME_ORIGIN)
        found = audit.entries(house.accounts, action="sign_in_refused", most=None)
        assert len([each for each in found if each.audit_id > before]) == 30
