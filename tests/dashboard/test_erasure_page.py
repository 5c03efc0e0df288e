"""Settings → Erasure: an owner is told how much would go, erases it, and follows what was asked for."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from turret_api.accounts import Accounts
from turret_api.erasing.book import Book, Receipt


def test_an_owner_erases_once_sure_and_sees_how_far_it_is(served: Served, visitor: Visitor, database_url: str) -> None:
    visitor.sign_in(served.waiting.admin_key, "/settings/erasure")
    page = visitor.page
    expect(page.locator("#erasures")).to_contain_text("Nothing was erased yet")
    page.get_by_label("Its id, or the text").fill("u 81/b")
    page.get_by_label("Refuse later events of the user").check()
    page.get_by_label("Keep totals").check()
    page.get_by_role("button", name="Erase…").click()
    expect(page.locator("#would-erase")).to_contain_text("No event in the tables has this id")
    page.get_by_label("Its id, or the text").fill("u 82/b")  # what was counted is not, once it is another
    expect(page.locator("#would-erase")).to_be_empty()
    page.get_by_role("button", name="Erase…").click()
    page.get_by_role("button", name="Erase all the same").click()
    expect(page.locator("#erasures tr[data-erasure]")).to_have_count(1)
    expect(page.locator("#erasures tr[data-erasure]")).to_contain_text("waits")
    accounts = Accounts(database_url)
    (asked,) = Book(accounts).unfinished(served.waiting.project_id)
    assert asked.wanted is not None and (asked.wanted.suppress, asked.wanted.keep_totals) == (True, True)
    page.locator("#erase select").select_option("texts")
    expect(page.get_by_label("Keep totals")).to_be_hidden()
    answer = httpx.get(f"{served.url}/v1/erasures", headers={"X-API-Key": served.waiting.admin_key}, timeout=60)
    assert [(each["kind"], each["state"]) for each in answer.json()["data"]] == [("user", "waiting")]
    page.locator("#erase select").select_option("session")
    expect(page.get_by_label("Refuse later events of the user")).to_be_hidden()
    Book(accounts).begin(asked)
    expect(page.locator("#erasures tr[data-erasure]")).to_contain_text("under way", timeout=20_000)
    Book(accounts).give_up(asked, Receipt(by=asked.wanted.by, suppressed=True, problem="it is not known any more"))
    page.get_by_role("button", name="Erase it again…").click(timeout=20_000)
    expect(page.locator("#erasures tr[data-erasure]")).to_contain_text("it is not tried again")
    expect(page.locator("#erase select")).to_have_value("user")
    expect(page.get_by_label("Its id, or the text")).to_be_focused()
    accounts.close()
    assert visitor.problems == []


@pytest.mark.slow
def test_an_owner_is_told_how_much_would_go_before_it_is_asked_for(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.chats.admin_key, "/settings/erasure")
    page, found = visitor.page, served.get("/v1/messages", served.chats)["data"][0]
    for kind, value in (("session", found["session_id"]), ("texts", found["text"].upper()), ("texts", "e")):
        page.locator("#erase select").select_option(kind)
        page.get_by_label("Its id, or the text").fill(value)
        page.get_by_role("button", name="Erase…").click()
        if value == "e":
            expect(page.locator("#erase .problem")).to_contain_text("3 characters or more")
        else:
            expect(page.locator("#would-erase")).to_contain_text("This cannot be taken back")
            expect(page.get_by_role("button", name="Erase ", exact=False)).to_contain_text("event")
    assert visitor.problems == ["Failed to load resource: the server responded with a status of 400 (Bad Request)"]
    expect(page.locator("#erasures")).to_contain_text("Nothing was erased yet")


@pytest.mark.slow
def test_the_page_of_a_session_leads_to_its_erasure_without_a_word_to_the_server(
    served: Served, visitor: Visitor
) -> None:
    visitor.sign_in(served.full.admin_key, "/journeys")
    session_id = served.get("/v1/messages", served.full, field="prompt")["data"][0]["session_id"]
    visitor.open(f"/sessions/{quote(session_id, safe='')}")
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.page.get_by_role("link", name="Erase it…").click()
    expect(visitor.page.get_by_label("Its id, or the text")).to_have_value(session_id)
    expect(visitor.page.locator("#erase select")).to_have_value("session")
    assert not [url for url in asked if session_id in url.partition("#")[0]]
    assert visitor.problems == []


def test_who_is_no_owner_is_told_so(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/settings/erasure")
    expect(visitor.page.locator("#erasures")).to_contain_text("Only an owner")
    assert visitor.problems == []
