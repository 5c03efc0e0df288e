"""People in a browser: they sign in at a real provider, and owners see and change who may do so, and what was done."""

from __future__ import annotations

import csv
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.dashboard.conftest import CHROMIUM_OPTIONS, PATIENCE_MS
from tests.dashboard.walk import CHROMIUM
from tests.people.conftest import House
from tests.ports import free_ports
from tests.processes.conftest import until
from turret_api.accounts import AccountError, people
from turret_api.accounts.admission import GivenRole, admit

HOST = "turret.test"
"""A name that is not of this machine, as browsers see it: over plain HTTP they tell less there."""


@pytest.fixture(scope="module")
def addresses(house: House) -> Iterator[tuple[str, str]]:
    """Return the addresses of a server over the house, and of the provider that people sign in with."""
    port, provider_port = free_ports(2)
    url, provider = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{provider_port}"
    environment = {
        **os.environ,
        "TURRET_HOME": str(house.settings.home),
        "TURRET_PORT": str(port),
        "TURRET_DATABASE_URL": house.accounts.engine.url.render_as_string(hide_password=False),
        "TURRET_PUBLIC_URL": url,
        "TURRET_QUESTION_SECONDS": "200",
        "TURRET_OIDC_ISSUER": provider,
        "TURRET_OIDC_CLIENT_ID": "turret",
        "TURRET_OIDC_CLIENT_SECRET": "a secret",
        "TURRET_OIDC_NAME": "Example ID",
    }
    log = Path(house.settings.home) / "api.log"
    with log.open("w") as out:
        commands = (["-m", "turret_api", "serve"], ["-m", "oidc_provider_mock", "--port", str(provider_port)])
        processes = [
            subprocess.Popen([sys.executable, *words], env=environment, stdout=out, stderr=out) for words in commands
        ]
    deadline = time.monotonic() + 90
    try:
        while not (_answers(f"{url}/healthz") and _answers(f"{provider}/.well-known/openid-configuration")):
            assert all(each.poll() is None for each in processes) and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield url, provider
    finally:
        for each in processes:
            each.terminate()
        for each in processes:
            each.wait(30)


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=[*CHROMIUM_OPTIONS, f"--host-resolver-rules=MAP {HOST} 127.0.0.1"]
        )
        context = launched.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        yield context
        launched.close()


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    browser.clear_cookies()
    page = browser.new_page()
    yield page
    page.close()


def account(house: House, provider: str, role: str) -> str:
    """Return the address, and the name at the provider, of one who is invited."""
    email = f"{secrets.token_hex(4)}@example.com"
    httpx.put(f"{provider}/users/{email}", json={"email": email, "email_verified": True}, timeout=60).raise_for_status()
    people.add_person(house.accounts, house.project.project_id, email, role)
    return email


def sign_in(page: Page, address: str, email: str) -> None:
    page.goto(address)
    page.get_by_role("link", name="Sign in with Example ID").click()
    page.get_by_placeholder("sub").fill(email)
    page.get_by_role("button", name="Authorize").click()


def test_a_person_signs_in_with_a_click_and_comes_back_to_the_page_they_asked_for(
    house: House, addresses: tuple[str, str], page: Page
) -> None:
    url, provider = addresses
    email = account(house, provider, "analyst")
    sign_in(page, f"{url}/settings/people", email)
    page.wait_for_url(re.compile(re.escape(f"{url}/settings/people")))
    expect(page.locator("#people")).to_contain_text("Only an owner may see and change who may sign in")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("h1")).to_have_text("Sign in to your project")
    page.get_by_role("link", name="Sign out of Example ID too").click()
    page.wait_for_url(re.compile(re.escape(provider)))
    assert "id_token_hint=" in page.url


def test_a_browser_signs_in_and_out_over_plain_http_at_the_name_of_a_host(
    house: House, addresses: tuple[str, str], page: Page
) -> None:
    page.goto(addresses[0].replace("127.0.0.1", HOST))
    page.get_by_label("Key").fill(house.keys["viewer"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("body")).to_have_attribute("data-role", "viewer")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("h1")).to_have_text("Sign in to your project")


def test_a_page_that_is_open_shows_the_sign_in_page_once_its_person_is_removed(
    house: House, addresses: tuple[str, str], page: Page
) -> None:
    url, provider = addresses
    email = account(house, provider, "owner")
    sign_in(page, f"{url}/settings/people", email)
    expect(page.locator("#people tr", has_text=email)).to_contain_text("that is you")
    person = people.find_person(house.accounts, house.project.project_id, email)
    people.remove_person(house.accounts, house.project.project_id, person.person_id)
    page.get_by_label("E-mail address").fill("friend@example.com")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("h1")).to_have_text("Sign in to your project")
    with pytest.raises(AccountError):
        people.find_person(house.accounts, house.project.project_id, "friend@example.com")


def test_who_denies_at_the_provider_is_back_at_the_sign_in_page(addresses: tuple[str, str], page: Page) -> None:
    page.goto(addresses[0])
    page.get_by_role("link", name="Sign in with Example ID").click()
    page.get_by_role("button", name="Deny").click()
    # This provider leaves out which sign-in it denied, which is why no more is said.
    expect(page.locator("#problem")).to_contain_text("Please begin again")
    expect(page.get_by_role("link", name="Sign in with Example ID")).to_be_visible()


def test_an_owner_adds_a_person_gives_another_role_and_removes_them(
    house: House, addresses: tuple[str, str], page: Page
) -> None:
    url, provider = addresses
    owner = account(house, provider, "owner")
    sign_in(page, f"{url}/settings/people", owner)
    row = page.locator("#people tr", has_text=owner)
    expect(row).to_contain_text("that is you")
    expect(page.locator("#new-person")).to_contain_text("They sign in with Example ID")
    given = {house.project.project_id: GivenRole("viewer", "staff")}
    admit(house.accounts, people.subject_of(provider, "by a group"), "new@example.com", given)
    page.reload()
    by_group = page.locator("#people tr", has_text="new@example.com")
    expect(by_group).to_contain_text("viewer, by staff")
    page.get_by_label("Role of new@example.com").select_option("editor")
    until(lambda: people.find_person(house.accounts, house.project.project_id, "new@example.com").role == "editor")
    page.get_by_label("Role of new@example.com").select_option("none")
    until(lambda: people.find_person(house.accounts, house.project.project_id, "new@example.com").role == "viewer")
    page.get_by_role("button", name="Remove new@example.com").click()
    page.get_by_role("button", name="Really remove new@example.com?").click()
    expect(by_group).to_have_count(0)
    page.get_by_label("E-mail address").fill("new@example.com")
    page.locator("#new-person").get_by_label("Role").select_option("analyst")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("Role of new@example.com").select_option("viewer")
    until(lambda: people.find_person(house.accounts, house.project.project_id, "new@example.com").role == "viewer")
    page.get_by_role("button", name="Remove new@example.com").click()
    page.get_by_role("button", name="Really remove new@example.com?").click()
    expect(page.locator("#people tr", has_text="new@example.com")).to_have_count(0)


def test_an_owner_reads_in_the_audit_log_who_did_what(
    house: House, addresses: tuple[str, str], page: Page, tmp_path: Path
) -> None:
    url, provider = addresses
    owner = account(house, provider, "owner")
    sign_in(page, f"{url}/settings/keys", owner)
    page.get_by_label("It may").select_option("viewer")
    page.get_by_label("Its name").fill("Board")
    page.get_by_role("button", name="Make a key").click()
    expect(page.locator("#the-key")).to_be_visible()
    page.get_by_role("link", name="Audit log").click()
    entry = page.locator("#audit tbody tr").first
    expect(entry).to_contain_text(owner)
    expect(entry).to_contain_text("made a key")
    expect(entry).to_contain_text("name Board")
    page.get_by_label("Show").select_option("sign_in")
    expect(page.locator("#audit tbody tr").first).to_contain_text("by oidc, role owner")
    page.locator("#audit details.menu summary").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "audit.csv")
    with (tmp_path / "audit.csv").open() as file:
        first = next(csv.DictReader(file))
    assert (first["actor"], first["action"]) == (f"person:{owner}", "key_made")
    assert json.loads(first["about"])["name"] == "Board"


def test_the_pages_of_others_say_that_these_are_for_owners(
    house: House, addresses: tuple[str, str], page: Page
) -> None:
    url, provider = addresses
    sign_in(page, f"{url}/settings/audit", account(house, provider, "editor"))
    expect(page.locator("#audit")).to_contain_text("Only an owner may see the audit log")
    assert page.locator(".tabs a").all_inner_texts() == ["Metadata", "Few users", "Usage", "Project"]
    page.goto(f"{url}/settings/keys")
    expect(page.locator("#keys")).to_contain_text("Only an owner may see and change the project's keys")
