"""The pages can be used by everyone: with a screen reader, with the keyboard alone, on a phone, in the dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.walk import AXE

QUICK = "resultTypes: ['violations'], selectors: false, preload: false"
"""Without elements' names, and what rules of audio and of turned screens load beforehand: there is neither."""
PAGES = (
    "/",
    "/topics",
    "/topics/t_refund",
    "/journeys?level=1&number=latency_ms&move=start,theme_booking",
    "/journeys?shape=graph",
    "/journeys?view=paths",
    "/journeys?view=funnel&steps=t_flight_search,t_hotel_search",
    "/journeys?view=compare&a.segment.channel=web&b.segment.channel=ios",
    "/journeys?view=returns",
    "/journeys?view=friction",
    "/answers",
    "/topics?number=tokens",
    "/digest",
    "/alerts",
    "/alerts?view=rules",
    "/alerts?view=targets",
    "/journeys?view=outcomes",
    "/settings",
    "/settings/keys",
    "/settings/people",
    "/settings/masking",
    "/settings/keeping",
    "/settings/erasure",
    "/settings/few",
    "/settings/audit",
    "/settings/usage",
    "/settings/project",
)


OF_EACH_KIND = ("/topics", "/journeys?shape=graph", "/settings", "/sign-in")
"""A page with a map and tables, one with a drawing, one with a form, and one by itself."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "in_the_dark", [pytest.param(OF_EACH_KIND, id="one"), pytest.param(PAGES, marks=pytest.mark.long, id="all")]
)
def test_axe_finds_nothing_wrong_on_any_page_nor_on_those_of_each_kind_in_the_dark(
    served: Served, visitor: Visitor, in_the_dark: tuple[str, ...]
) -> None:
    page = visitor.page
    visitor.sign_in(served.full.admin_key)
    session = served.get("/v1/messages", served.full)["data"][0]["session_id"]
    page.evaluate(AXE)
    for path in (*PAGES, f"/sessions/{session}", "/sign-in"):
        page.emulate_media(color_scheme="light")
        if path == "/sign-in":
            page.goto(served.url + path)
            page.evaluate(AXE)
        else:
            visitor.go(path)
        asked = "axe.run({0}).then((r) => r.violations.map((v) => [v.id, v.nodes.map((n) => n.html)]))"
        assert page.evaluate(asked.format(f"{{ {QUICK} }}")) == [], path
        if path in in_the_dark:
            # In the dark only the colours are others, and all pages have the same ones.
            page.emulate_media(color_scheme="dark")
            assert page.evaluate(asked.format(f"{{ {QUICK}, runOnly: ['color-contrast'] }}")) == [], path


def test_the_keyboard_reaches_the_content_a_filter_and_an_export(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics")
    page = visitor.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for first in ("#unit-messages", "#unit-sessions", "#unit-users", "#search"):
        page.keyboard.press("Tab")
        expect(page.locator(first)).to_be_focused()
    box = page.get_by_role("checkbox", name="plus")
    box.focus()
    page.keyboard.press("Space")
    page.wait_for_url("**segment.plan=plus**")
    page.wait_for_selector("#view[aria-busy=false]")
    expect(page.get_by_role("checkbox", name="plus")).to_be_focused()
    page.locator("#topics summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#topics .menu-items")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#topics .menu-items")).to_be_hidden()
    expect(page.locator("#topics summary")).to_be_focused()
    assert visitor.problems == []


@pytest.mark.slow
def test_it_fits_a_phone_and_the_dark(served: Served, visitor: Visitor) -> None:
    page = visitor.page
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme="dark")
    visitor.sign_in(served.full.admin_key)
    for path in PAGES:
        visitor.go(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, (path, wide)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 16, 18)"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 246, 243)"
    visitor.open("/")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 246, 243)"
    page.evaluate("localStorage.clear()")
    assert visitor.problems == []
