"""Moves of the conversation are folded until one switch shows them; messages that are no requests say what they are."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.test_overview import texts

SWITCH = "Show moves of the conversation"


@pytest.mark.slow
def test_one_switch_shows_moves_on_every_page_and_stands_in_the_address(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.chats.read_key, "/topics")
    page = visitor.page
    assert texts(page, "#topics .topic-name") == ["Parcel tracking", "Declined cards", "Refunds"]
    expect(page.locator(".page-head")).to_contain_text("9 moves of the conversation folded")
    page.get_by_role("switch", name=SWITCH).check()
    page.wait_for_url("**kinds=all**")
    page.wait_for_selector("#view[aria-busy=false]")
    assert texts(page, "#topics .topic-name")[:2] == ["Thanks", "Parcel tracking"]
    page.locator("#pages a[data-page=journeys]").click()
    page.wait_for_url("**/journeys?**kinds=all**")
    page.wait_for_selector("#view[aria-busy=false]")
    expect(page.locator("#starts tbody")).to_contain_text("Greeting")
    page.get_by_role("switch", name=SWITCH).uncheck()
    page.wait_for_selector("#view[aria-busy=false]")
    expect(page.locator("#starts tbody")).to_contain_text("Moves only")
    assert "kinds" not in page.url
    assert visitor.problems == []


def test_messages_that_are_no_requests_say_what_they_are(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.chats.read_key, "/sessions/c1")
    page = visitor.page
    kinds = [line.locator(".kind").all_inner_texts() for line in page.locator(".talk li").all()]
    assert kinds == [["Greeting"], [], ["Follow-up"], ["Thanks"], [], ["Thanks"]]
    visitor.go("/topics/t_parcel")
    expect(page.locator("#messages .kind")).to_have_text(["Follow-up"])
    visitor.go("/topics/thanks")
    expect(page.locator("h1")).to_have_text("Thanks")
    expect(page.locator("#messages tbody tr")).to_have_count(6)
    assert visitor.problems == []


@pytest.mark.slow
def test_other_topics_of_the_flow_open_by_a_click_and_fold_again(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys")
    page = visitor.page
    visitor.wait_for_pictures()
    before = page.locator("#journeys .sankey-node").count()
    opens = page.locator(".others a").first
    step = (opens.get_attribute("id") or "").removeprefix("more-")
    opens.click()
    page.wait_for_url(f"**more={step}**")
    page.wait_for_selector("#view[aria-busy=false]")
    visitor.wait_for_pictures()
    assert page.locator("#journeys .sankey-node").count() > before
    expect(page.locator(f"#more-{step}")).to_have_count(0)
    page.locator("#fold").click()
    page.wait_for_selector("#view[aria-busy=false]")
    visitor.wait_for_pictures()
    assert page.locator("#journeys .sankey-node").count() == before
    # A click in the picture does the same.
    other = page.locator("#journeys .sankey-node", has_text="Other").first
    other.locator("rect").first.click(force=True)
    page.wait_for_url("**more=**")
    assert visitor.problems == []
