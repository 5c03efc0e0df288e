"""The dashboard of a viewer: every page is whole, and no text of an event comes to the browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Response, expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.walk import walk
from turret_api.accounts import Accounts
from turret_api.roles import READ, VIEWER


@pytest.fixture(scope="module")
def key(served: Served, database_url: str) -> Iterator[str]:
    accounts = Accounts(database_url)
    yield accounts.create_key(served.full.project_id, READ, role=VIEWER).key
    accounts.close()


@pytest.mark.slow
def test_a_viewer_walks_through_the_dashboard_and_no_text_comes_to_the_browser(
    served: Served, visitor: Visitor, key: str
) -> None:
    messages = served.get("/v1/messages", served.full, limit="1000")["data"]
    sent = {each[name] for each in messages for name in ("text", "session_id", "user_id", "event_id")}
    answers: list[Response] = []
    visitor.page.on("response", lambda answer: answers.append(answer) if "/v1/" in answer.url else None)
    seen: dict[str, list[str]] = dict(walk(visitor.page, served.url, key))
    assert {address.split("?")[0] for address in seen} >= {"/", "/topics", "/journeys", "/digest", "/settings"}
    assert any(address.startswith("/topics/") for address in seen)
    assert {address: wrong for address, wrong in seen.items() if wrong} == {}
    bodies = [answer.text() for answer in answers]
    assert len(bodies) > 10
    assert [text for text in sent if any(text in body for body in bodies)] == []


@pytest.mark.parametrize("path", ["/answers", "/alerts", "/sessions/any", "/journeys?view=friction"])
def test_a_page_of_texts_says_that_it_is_not_for_a_viewer(visitor: Visitor, key: str, path: str) -> None:
    visitor.sign_in(key, path)
    expect(visitor.page.locator("#view")).to_contain_text("Your role does not allow this")
    expect(visitor.page.locator("#view")).to_contain_text("It takes an analyst")
    assert visitor.problems == []


@pytest.mark.parametrize("path", ["/topics", "/journeys"])
def test_no_control_asks_for_sums_that_a_viewer_may_not_see(
    served: Served, visitor: Visitor, key: str, path: str
) -> None:
    fields = served.get("/v1/fields", served.full)["data"]
    number = next(each["field"] for each in fields if each["type"] == "number")
    visitor.sign_in(key, f"{path}?number={number}")
    expect(visitor.page.locator("#view")).to_contain_text("Few users")
    assert visitor.page.locator("#view select[name=number]").count() == 0 and visitor.problems == []


def test_few_users_are_a_row_of_the_topics_and_a_node_of_the_journeys(visitor: Visitor, key: str) -> None:
    visitor.sign_in(key, "/topics")
    row = visitor.page.locator("#topics tr[data-topic=few]")
    expect(row).to_contain_text("Few users")
    assert row.locator("a").count() == 0
    visitor.go("/journeys")
    expect(visitor.page.locator("#moves")).to_contain_text("Few users")
    assert visitor.problems == []


def test_no_link_and_no_number_of_a_viewers_page_is_for_others_only(visitor: Visitor, key: str) -> None:
    page = visitor.page
    visitor.sign_in(key, "/journeys")
    expect(page.locator("#moves")).to_contain_text("Few users")
    assert page.locator("#moves a.more").count() == 0
    visitor.go("/settings/metadata")
    expect(page.locator("#metadata tr[data-field]").first).to_be_visible()
    assert page.locator("#metadata th").all_inner_texts() == ["Field", "Type", "Confidence"]
    visitor.go("/")
    expect(page.locator("#n-topics")).to_be_visible()
    assert page.locator(".tile dd", has_text="\u2013").count() == 0 and visitor.problems == []


def test_an_owner_chooses_of_how_many_users_a_count_must_be_and_others_are_told(
    served: Served, visitor: Visitor, key: str
) -> None:
    page = visitor.page
    visitor.sign_in(served.full.admin_key, "/settings/few")
    page.get_by_label("Viewers see counts").fill("7")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Viewers see counts")).to_have_value("7")
    visitor.sign_in(key, "/settings/few")
    expect(page.locator("#few")).to_contain_text("shown is of 7 users or more")
    expect(page.locator("#few")).to_contain_text("sent are of any number of users")
    assert page.locator("#few input").count() == 0 and visitor.problems == []
