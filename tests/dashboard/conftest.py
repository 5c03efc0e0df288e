"""A real API process over a real lake, and a real browser to look at its pages with."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.dashboard import planted_lake
from tests.dashboard.hostile import HOSTILE_LABELS, HOSTILE_NAME, hostile_sample
from tests.dashboard.walk import CHROMIUM, MISSING
from tests.ports import free_ports
from tests.read.conftest import CHATS, SESSIONS, write_lake
from tests.read.replies import answer
from turret_api.accounts import Accounts, NewProject
from turret_api.command.sample import make_sample
from turret_pipeline.settings import Settings

CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
# Chromium would keep a process ready for a page that nobody opens.
CHROMIUM_OPTIONS += ["--disable-features=SpareRendererForSitePerProcess"]
PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Served:
    """An API that runs: its address, its settings, and projects.

    One is full, one has markup in every place, one has chats with moves of conversation, one has answers too.
    """

    url: str
    settings: Settings
    full: NewProject
    empty: NewProject
    hostile: NewProject
    waiting: NewProject
    chats: NewProject
    answered: NewProject

    def get(self, path: str, project: NewProject, **query: str | list[str] | None) -> dict:
        answer = httpx.get(self.url + path, params=query, headers={"X-API-Key": project.read_key}, timeout=60)
        answer.raise_for_status()
        found: dict = answer.json()
        return found


@pytest.fixture(scope="session")
def served(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("dashboard")
    (port,) = free_ports(1)
    settings = Settings.from_environment({"TURRET_HOME": str(home), "TURRET_PORT": str(port)})
    accounts = Accounts(database_url)
    accounts.migrate()
    names = ("Travel app", "Empty", HOSTILE_NAME, "Waiting", "Chats", "Answered")
    full, empty, hostile, waiting, chats, answered = (accounts.create_project(name) for name in names)
    accounts.close()
    lake = settings.open_lake()
    lake.make()
    sample = planted_lake.one_topic_a_text(make_sample(dt.datetime.now(dt.UTC), n_sessions=120))
    planted_lake.fill(lake, full.project_id, sample)
    planted_lake.fill(lake, hostile.project_id, hostile_sample(sample), labels=HOSTILE_LABELS)
    write_lake(lake, chats.project_id, CHATS)
    write_lake(lake, answered.project_id, SESSIONS | CHATS)
    answer(lake, answered.project_id)
    environment = {
        **os.environ,
        "TURRET_HOME": str(home),
        "TURRET_PORT": str(port),
        "TURRET_DATABASE_URL": database_url,
        "TURRET_QUESTION_SECONDS": "200",
    }
    log = home / "api.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "turret_api", "serve"], env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(lambda: process.poll() is not None or _answers(url), f"the API did not start: {log}")
        assert process.poll() is None, log.read_text()
        yield Served(url, settings, full, empty, hostile, waiting, chats, answered)
    finally:
        process.terminate()
        process.wait(30)


# Not for the session: while Playwright's loop is open in this thread, no other code can run one, as Dagster does.
@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    if not CHROMIUM.exists():
        pytest.fail(MISSING)
    with sync_playwright() as playwright:
        # One context for all, with a profile: the scripts (the picture library above all) are loaded and compiled once.
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.getbasetemp() / "chromium",
            executable_path=str(CHROMIUM),
            args=CHROMIUM_OPTIONS,
            viewport={"width": 1280, "height": 900},
        )
        context.set_default_timeout(PATIENCE_MS)
        yield context
        context.close()


@dataclass
class Visitor:
    """One tab of a browser that is not signed in. `problems` collects what the pages complain about."""

    page: Page
    url: str
    problems: list[str]

    def sign_in(self, key: str, path: str = "/") -> None:
        self.page.request.post(f"{self.url}/sign-in", form={"key": key}, headers={"Origin": self.url}, max_redirects=0)
        self.open(path)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)
        self.page.wait_for_selector("#view[aria-busy=false]")

    def go(self, path: str) -> None:
        """Show another view as a click on a link does: in the page that is open, whose libraries are there already."""
        self.page.evaluate("(to) => { history.pushState(null, '', to); dispatchEvent(new Event('popstate')) }", path)
        self.page.wait_for_selector("#view[aria-busy=false]")

    def wait_for_pictures(self) -> None:
        expect(self.page.locator(".picture:not([data-drawn])")).to_have_count(0, timeout=PATIENCE_MS)


@pytest.fixture
def visitor(served: Served, browser: BrowserContext) -> Iterator[Visitor]:
    browser.clear_cookies()
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if _is_problem(line.type, line.text) else None)
    page.on("request", lambda request: _check_host(request.url, served.url, problems))
    page.on("dialog", lambda dialog: (problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    yield Visitor(page, served.url, problems)
    page.close()


def _is_problem(kind: str, words: str) -> bool:
    # Without a graphics card chromium draws the map's points by itself, and says that this is slow.
    return kind in ("error", "warning") and "GL Driver Message" not in words


def _check_host(address: str, own: str, problems: list[str]) -> None:
    if not address.startswith((own, "data:", "blob:", "about:")):
        problems.append(f"a request to another host: {address}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _wait(what: Callable[[], bool], problem: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, problem
        time.sleep(0.1)
