"""Who may look: sign-in with a read or admin key, the cookie that it gives, and how it ends."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import html
import re
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from itsdangerous import TimestampSigner
from playwright.sync_api import expect
from sqlalchemy import insert

from tests.command.test_serve import serving
from tests.dashboard.conftest import Served, Visitor
from tests.processes.conftest import until
from turret_api.accounts import Accounts
from turret_api.accounts.directory import Directory
from turret_api.accounts.ended_sessions import LIFETIME, end_session, ended_sessions
from turret_api.accounts.tables import ENDED_SESSIONS
from turret_api.app import create_app
from turret_api.auth import Principal
from turret_api.dashboard.sessions import COOKIE, LIFETIME_S, load_secret, own_secret
from turret_pipeline.settings import Settings

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def sign_in(served: Served, key: str, destination: str = "/") -> httpx.Response:
    form = {"key": key, "destination": destination}
    return httpx.post(f"{served.url}/sign-in", data=form, headers=SAME_ORIGIN, timeout=30)


def test_who_is_not_signed_in_gets_the_sign_in_page_and_no_data(served: Served) -> None:
    page = httpx.get(f"{served.url}/topics?field=prompt", timeout=60)
    assert page.status_code == 200 and "Sign in to your project" in page.text
    assert 'value="/topics?field=prompt"' in page.text
    assert httpx.get(f"{served.url}/v1/topics", timeout=60).status_code == 401


@pytest.mark.parametrize(("scope", "role"), [("read_key", "analyst"), ("admin_key", "owner")])
def test_a_read_or_admin_key_signs_in_with_a_cookie_that_no_script_reads_and_that_is_no_key(
    served: Served, scope: str, role: str
) -> None:
    key = getattr(served.full, scope)
    answer = sign_in(served, f" {key}\n", "/journeys?field=prompt")
    assert answer.status_code == 303 and answer.headers["location"] == "/journeys?field=prompt"
    words = {word.strip().lower() for word in answer.headers["set-cookie"].split(";")}
    assert {"httponly", "samesite=lax"} <= words
    assert key not in answer.headers["set-cookie"]
    cookies = {COOKIE: answer.cookies[COOKIE]}
    assert httpx.get(f"{served.url}/v1/topics", cookies=cookies, timeout=60).json()["n_messages"] > 0
    assert f'data-role="{role}"' in httpx.get(served.url, cookies=cookies, timeout=60).text


def test_a_write_key_or_an_unknown_key_is_refused_in_words(served: Served) -> None:
    refused = sign_in(served, served.full.write_key)
    assert refused.status_code == 401 and "That is a write key" in refused.text
    unknown = sign_in(served, "tr_" + "x" * 38)
    assert unknown.status_code == 401 and "No project has this key" in unknown.text
    assert COOKIE not in refused.cookies and COOKIE not in unknown.cookies


@pytest.mark.parametrize(
    "destination",
    ["//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example/", "javascript:alert(1)", ""],
)
def test_sign_in_never_leads_to_another_host(served: Served, destination: str) -> None:
    assert sign_in(served, served.full.read_key, destination).headers["location"] == "/"


def test_a_changed_cookie_is_no_session(served: Served) -> None:
    value = sign_in(served, served.full.read_key).cookies[COOKIE]
    session, key_hash, signed_at, mac = value.split(".")
    other = "0" * 64
    for changed in (
        f"{session}.{other}.{signed_at}.{mac}",
        f"{other[:32]}.{key_hash}.{signed_at}.{mac}",
        f"{session}.{key_hash}.{later(signed_at)}.{mac}",
        f"{session}.{key_hash}.{signed_at}.",
        f"{session}.{key_hash}.{mac}",
        f"{key_hash}.{signed_at}.{mac}",
        f"ä{value}",
        "x",
        "",
    ):
        answer = httpx.get(f"{served.url}/v1/usage", headers={"Cookie": f"{COOKIE}={changed}".encode()}, timeout=60)
        assert answer.status_code == 401, changed


def test_a_session_ends_after_two_weeks(served: Served) -> None:
    key_hash = hashlib.sha256(served.full.read_key.encode()).hexdigest()
    for age_s, status in ((LIFETIME_S - 60, 200), (LIFETIME_S + 60, 401)):
        signer = Earlier(own_secret(served.settings.home), age_s)
        cookies = {COOKIE: signer.sign(f"{'0' * 32}.{key_hash}").decode()}
        assert httpx.get(f"{served.url}/v1/usage", cookies=cookies, timeout=60).status_code == status, age_s


class Earlier(TimestampSigner):
    """Signs as the dashboard did `age_s` seconds ago."""

    def __init__(self, secret: bytes, age_s: int) -> None:
        super().__init__(secret, salt=COOKIE, key_derivation="hmac", digest_method=hashlib.sha256)
        self.age_s = age_s

    def get_timestamp(self) -> int:
        return super().get_timestamp() - self.age_s


def later(signed_at: str) -> str:
    """Return a cookie's time one second later, as it stands in the cookie."""
    number = int.from_bytes(urlsafe_b64decode(signed_at + "=" * (-len(signed_at) % 4)))
    return urlsafe_b64encode((number + 1).to_bytes(4)).rstrip(b"=").decode()


@pytest.mark.parametrize("path", ["/sessions/q%3Fb%23c", "/sessions/a%2Fb%0A%5C", "/sessions/100%25?field=a%26b"])
def test_sign_in_leads_to_the_address_that_was_asked_for_whatever_id_is_in_it(served: Served, path: str) -> None:
    page = httpx.get(served.url + path, timeout=60)
    assert page.status_code == 200
    destination = re.search(r'name="destination" value="([^"]*)"', page.text)
    assert destination is not None and html.unescape(destination[1]) == path
    assert sign_in(served, served.full.read_key, path).headers["location"] == path


@pytest.mark.slow
def test_one_browser_looks_at_several_projects_each_by_its_address(served: Served, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in(served.empty.read_key)
    page.goto(f"{served.url}/?project={served.full.project_id}")
    expect(page.locator("h1")).to_have_text("Sign in to your project")
    expect(page.locator(".problem")).to_contain_text(served.full.project_id)
    page.get_by_label("Key").fill(served.full.read_key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#n-messages")).to_be_visible()
    assert page.locator("#projects option").all_inner_texts() == ["Empty", "Travel app"]
    page.get_by_label("Project").select_option("Empty")
    expect(page.locator("h1")).to_have_text("No events yet")
    # Another tab goes on with its own project, whichever was chosen last.
    visitor.open(f"/topics?project={served.full.project_id}")
    expect(page.locator("#topics tbody tr").first).to_be_visible()
    page.get_by_role("link", name="Journeys").click()
    page.wait_for_url(f"**/journeys?project={served.full.project_id}")
    expect(page.locator("#moves tbody tr").first).to_be_visible()
    assert visitor.problems == []


def test_a_session_of_one_project_asks_for_no_other(served: Served) -> None:
    cookies = {COOKIE: sign_in(served, served.empty.admin_key).cookies[COOKIE]}
    for project, status in ((served.empty.project_id, 200), (served.full.project_id, 401), ("absent", 401)):
        answer = httpx.get(f"{served.url}/v1/topics", cookies=cookies, headers={"X-Project": project}, timeout=60)
        assert answer.status_code == status, project


def test_revoking_the_key_ends_its_sessions(served: Served, database_url: str) -> None:
    accounts = Accounts(database_url)
    key = accounts.create_key(served.full.project_id, "read")
    cookies = {COOKIE: sign_in(served, key.key).cookies[COOKIE]}
    assert httpx.get(f"{served.url}/v1/usage", cookies=cookies, timeout=60).status_code == 200
    accounts.revoke_key(key.key_id)
    accounts.close()
    until(lambda: httpx.get(f"{served.url}/v1/usage", cookies=cookies, timeout=60).status_code == 401)


@pytest.mark.slow
def test_after_sign_out_the_cookie_is_refused_in_every_process_also_after_a_restart(
    served: Served, database_url: str
) -> None:
    cookies = {COOKIE: sign_in(served, served.full.read_key).cookies[COOKIE]}
    # The same session in the same browser, later also signed in to another project; and one of another browser.
    form = {"key": served.empty.read_key}
    more = httpx.post(f"{served.url}/sign-in", data=form, headers=SAME_ORIGIN, cookies=cookies, timeout=60)
    both, other = {COOKIE: more.cookies[COOKIE]}, {COOKIE: sign_in(served, served.full.read_key).cookies[COOKIE]}
    with serving(served.settings.home, TURRET_DATABASE_URL=database_url) as url:
        for address in (served.url, url):
            assert usage(address, cookies) == usage(address, both) == usage(address, other) == 200
        forged = httpx.post(
            f"{served.url}/sign-out", cookies=both, headers={"Sec-Fetch-Site": "cross-site"}, timeout=60
        )
        assert (forged.status_code, usage(served.url, both)) == (303, 200)
        out = httpx.post(f"{served.url}/sign-out", cookies=both, headers=SAME_ORIGIN, timeout=60)
        assert out.status_code == 303 and 'turret_session="";' in out.headers["set-cookie"]
        for address in (served.url, url):
            assert usage(address, cookies) == usage(address, both) == 401
            assert usage(address, other) == 200
    with serving(served.settings.home, TURRET_DATABASE_URL=database_url) as url:
        assert (usage(url, cookies), usage(url, both), usage(url, other)) == (401, 401, 200)
    again = httpx.post(f"{served.url}/sign-in", data=form, headers=SAME_ORIGIN, cookies=both, timeout=60)
    assert usage(served.url, {COOKIE: again.cookies[COOKIE]}) == 200


def usage(address: str, cookies: dict[str, str]) -> int:
    return httpx.get(f"{address}/v1/usage", cookies=cookies, timeout=30).status_code


@pytest.mark.slow
def test_sign_out_without_the_database_says_that_it_did_not_happen(settings: Settings) -> None:
    class Away(Directory):
        def find(self, key: str) -> Principal | None:
            return Principal("shop", "read", "key_1")

        find_hashed = find

    accounts = Accounts("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
    with TestClient(create_app(settings, accounts, keys=Away(accounts)), headers=SAME_ORIGIN) as browser:
        assert browser.post("/sign-in", data={"key": "tr_x"}, follow_redirects=False).status_code == 303
        out = browser.post("/sign-out")
        assert out.status_code == 503 and "You are still signed in" in out.text
        assert 'data-project-id="shop"' in browser.get("/").text


def test_ends_of_sessions_are_forgotten_when_no_cookie_of_theirs_can_live(database_url: str) -> None:
    accounts = Accounts(database_url)
    accounts.migrate()
    ages = {"young": LIFETIME, "old": LIFETIME + dt.timedelta(days=2)}
    with accounts.engine.begin() as connection:
        for name, age in ages.items():
            ended_at = dt.datetime.now(dt.UTC) - age
            connection.execute(insert(ENDED_SESSIONS).values(session_id=name, ended_at=ended_at))
    end_session(accounts, "new")
    end_session(accounts, "new")
    assert ended_sessions(accounts) >= {"young", "new"} and "old" not in ended_sessions(accounts)
    accounts.close()


def test_another_site_can_change_nothing_with_the_session(served: Served) -> None:
    cookies = {COOKIE: sign_in(served, served.full.admin_key).cookies[COOKIE]}
    path = f"{served.url}/v1/fields/plan"
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}, {}):
        answer = httpx.patch(path, json={"type": "text"}, cookies=cookies, headers=headers, timeout=60)
        assert answer.status_code == 401, headers
    own = httpx.patch(path, json={"type": None}, cookies=cookies, headers={"Origin": served.url}, timeout=60)
    assert own.status_code == 200


def test_a_home_that_comes_to_a_database_first_brings_its_secret_and_later_homes_take_that(
    make_database: Callable[[], str], tmp_path: Path
) -> None:
    first, later, away = own_secret(tmp_path / "first"), own_secret(tmp_path / "later"), tmp_path / "away"
    assert first != later
    with contextlib.closing(Accounts(make_database())) as accounts:
        accounts.migrate()
        for home in ("first", "later", "new", "first"):
            assert load_secret(tmp_path / home, accounts) == first, home
            assert own_secret(tmp_path / home) == first, "for a start while the database is away"
            assert stat.S_IMODE((tmp_path / home / "dashboard.secret").stat().st_mode) == 0o600
            assert [each.name for each in (tmp_path / home).iterdir()] == ["dashboard.secret"]
    with contextlib.closing(Accounts("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")) as accounts:
        assert load_secret(away, accounts) == load_secret(away, accounts)


def test_the_secret_of_the_sessions_is_readable_by_its_owner_alone(served: Served) -> None:
    assert stat.S_IMODE((served.settings.home / "dashboard.secret").stat().st_mode) == 0o600


def test_a_sign_in_link_works_without_sending_the_key_in_an_address_and_sign_out_ends_it(
    served: Served, visitor: Visitor
) -> None:
    addresses: list[str] = []
    visitor.page.on("request", lambda request: addresses.append(request.url.split("#")[0]))
    visitor.page.goto(f"{served.url}/sign-in#key={served.full.read_key}")
    expect(visitor.page.locator("h1")).to_have_text("Overview")
    assert not [address for address in addresses if served.full.read_key in address]
    assert "key=" not in visitor.page.url
    # A question that is on its way when the session ends is answered 401, which the browser tells as a problem.
    visitor.page.wait_for_load_state("networkidle")
    visitor.page.get_by_role("button", name="Sign out").click()
    expect(visitor.page.locator("h1")).to_have_text("Sign in to your project")
    visitor.page.goto(served.url)
    expect(visitor.page.locator("h1")).to_have_text("Sign in to your project")
    assert visitor.problems == []
