"""Dagster's pages at `/dagster`: for who owns every project, and passed on without what others must not see."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.ports import free_ports
from turret_api.accounts import Accounts, NewProject
from turret_api.app import create_app
from turret_pipeline.settings import Settings

PUBLIC = "http://turret.test"
PAGE = {"Accept": "text/html"}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


class Pages(ThreadingHTTPServer):
    """Stands for Dagster's web server: says what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Pages

    def do_GET(self) -> None:
        self._say_what_was_asked()

    def do_POST(self) -> None:
        self._say_what_was_asked()

    def _say_what_was_asked(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers, body))
        self.send_response(404 if self.path == "/absent" else 200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Security-Policy", "base-uri 'none'")
        self.send_header("Set-Cookie", "theirs=1")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"pages")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    server = Pages()
    yield server
    server.shutdown()
    server.server_close()


@dataclasses.dataclass
class Own:
    """A server whose database knows two projects and no other."""

    app: FastAPI
    accounts: Accounts
    first: NewProject
    second: NewProject

    def browser(self, *keys: str, address: str = PUBLIC) -> TestClient:
        client = TestClient(self.app, base_url=address)
        for key in keys:
            client.post("/sign-in", data={"key": key}, headers=SAME_ORIGIN, follow_redirects=False)
        return client


@pytest.fixture
def own(pages: Pages, settings: Settings, make_database: Callable[[], str]) -> Iterator[Own]:
    accounts = Accounts(make_database())
    accounts.migrate()
    first, second = accounts.create_project("First"), accounts.create_project("Second")
    settings = dataclasses.replace(settings, dagster_port=pages.server_address[1])
    yield Own(create_app(settings, accounts), accounts, first, second)
    accounts.close()


def test_who_owns_every_project_sees_dagsters_pages(own: Own, pages: Pages) -> None:
    browser = own.browser(own.first.admin_key, own.second.admin_key)
    answer = browser.get("/dagster/runs/1%2F2?q=a%26b", headers=PAGE)
    assert (answer.status_code, answer.text) == (200, "pages")
    method, path, headers, _ = pages.asked[-1]
    assert (method, path, headers["x-forwarded-prefix"]) == ("GET", "/runs/1%2F2?q=a%26b", "/dagster")
    assert answer.headers["content-security-policy"] == "base-uri 'none'"
    assert browser.get("/dagster/absent", headers=PAGE).status_code == 404
    assert browser.get("/dagster", follow_redirects=False).headers["location"] == "/dagster/"
    assert 'href="/dagster/"' in browser.get("/").text


def test_no_cookie_and_no_key_is_passed_on_or_back(own: Own, pages: Pages) -> None:
    browser = own.browser(own.first.admin_key, own.second.admin_key)
    more = {"X-API-Key": own.first.admin_key, "Authorization": "Bearer x", "X-Forwarded-Prefix": "/elsewhere"}
    answer = browser.get("/dagster/", headers={**PAGE, **more})
    assert {"cookie", "x-api-key", "authorization"}.isdisjoint(pages.asked[-1][2])
    assert pages.asked[-1][2]["x-forwarded-prefix"] == "/dagster"
    assert "set-cookie" not in answer.headers


def test_what_changes_something_comes_from_these_pages_alone(own: Own, pages: Pages) -> None:
    browser = own.browser(own.first.admin_key, own.second.admin_key)
    asked = {"query": "mutation"}
    assert browser.post("/dagster/graphql", json=asked, headers=SAME_ORIGIN).status_code == 200
    assert pages.asked[-1][0] == "POST" and pages.asked[-1][3] == b'{"query":"mutation"}'
    n_asked = len(pages.asked)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}, {}):
        assert browser.post("/dagster/graphql", json=asked, headers=headers).status_code in (401, 403)
    assert browser.delete("/dagster/graphql", headers=SAME_ORIGIN).status_code == 405
    assert len(pages.asked) == n_asked


def test_no_mutation_is_passed_on_by_get_which_a_picture_on_another_page_could_ask_for(own: Own, pages: Pages) -> None:
    browser = own.browser(own.first.admin_key, own.second.admin_key)
    n_asked = len(pages.asked)
    for path in ("/dagster/graphql", "/dagster//graphql", "/dagster/%67raphql", "/dagster/x/../graphql"):
        for query in ("query=mutation", "%71uery=mutation"):
            for method in ("GET", "HEAD"):
                answer = browser.request(method, f"{path}?{query}", headers={"Accept": "image/*"})
                assert answer.status_code == 405
    assert len(pages.asked) == n_asked


def test_who_does_not_own_every_project_is_told_so_and_sees_nothing(own: Own, pages: Pages) -> None:
    n_asked = len(pages.asked)
    editor = own.accounts.create_key(own.second.project_id, "admin", role="editor").key
    for keys in ([own.first.admin_key], [own.first.admin_key, editor], [own.first.read_key, own.second.admin_key]):
        browser = own.browser(*keys)
        refused = browser.get("/dagster/", headers=PAGE)
        assert refused.status_code == 403 and "for owners of every one of them" in refused.text
        assert browser.post("/dagster/graphql", json={}, headers=SAME_ORIGIN).status_code == 403
        assert "dagster" not in browser.get("/").text.replace('data-dagster=""', "")
    for role, of_texts in (("viewer", []), ("analyst", ["answers", "alerts"])):
        key = own.accounts.create_key(own.first.project_id, "read", role=role).key
        menu = own.browser(key, address="http://127.0.0.1").get("/").text
        assert [each for each in ("answers", "alerts") if f'data-page="{each}"' in menu] == of_texts
        assert "Pipeline" not in menu and 'data-dagster=""' in menu
    # On the machine itself, an owner of some projects may open Dagster's own address.
    assert (
        f"127.0.0.1:{pages.server_address[1]}"
        in own.browser(own.first.admin_key, address="http://127.0.0.1").get("/").text
    )
    stranger = own.browser()
    assert 'value="/dagster/runs"' in stranger.get("/dagster/runs", headers=PAGE).text
    assert stranger.post("/dagster/graphql", json={}, headers=SAME_ORIGIN).status_code == 401
    # A key in a header opens these pages to nobody: they are for browsers.
    key = {"X-API-Key": own.first.admin_key}
    assert stranger.get("/dagster/", headers=key).status_code == 401
    assert len(pages.asked) == n_asked


def test_a_project_that_is_made_later_closes_the_pages_to_who_does_not_own_it(own: Own) -> None:
    browser = own.browser(own.first.admin_key, own.second.admin_key)
    assert browser.get("/dagster/", headers=PAGE).status_code == 200
    own.accounts.create_project("Third")
    assert browser.get("/dagster/", headers=PAGE).status_code == 403


def test_where_dagster_does_not_run_the_page_says_so(settings: Settings, make_database: Callable[[], str]) -> None:
    accounts = Accounts(make_database())
    accounts.migrate()
    only = accounts.create_project("Only")
    app = create_app(dataclasses.replace(settings, dagster_port=free_ports(1)[0]), accounts)
    browser = Own(app, accounts, only, only).browser(only.admin_key)
    answer = browser.get("/dagster/", headers=PAGE)
    assert answer.status_code == 503 and "does not answer on this host" in answer.text
    accounts.close()
