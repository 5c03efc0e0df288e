"""What clients track is shown as it is written and never runs."""

from __future__ import annotations

import urllib.parse

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.hostile import HOSTILE_NAME, MARKUP


def test_markup_in_names_labels_texts_ids_and_values_is_shown_and_never_runs(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.hostile.admin_key)
    page = visitor.page
    label = next(t for t in served.get("/v1/topics", served.hostile)["data"] if "<script>" in t["label"])
    shown = ""
    for path in ("/", "/topics", "/journeys", "/settings", f"/topics/{label['topic_id']}"):
        visitor.open(path)
        visitor.wait_for_pictures()
        shown += page.locator("body").inner_text()
        assert page.locator(".project").inner_text() == HOSTILE_NAME
        assert page.evaluate("window.pwned") is None, path
        assert page.locator("main script, main iframe, main img, main style, main b b").count() == 0, path
        assert page.evaluate("getComputedStyle(document.body).display") == "block", path
    for markup in MARKUP:
        assert markup in shown, markup
    assert visitor.problems == []


def test_markup_in_an_address_is_no_markup_on_the_page(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key)
    for markup in MARKUP[:6]:
        quoted = urllib.parse.quote(markup, safe="")
        visitor.open(f"/topics/{quoted}?field={quoted}&segment.{quoted}={quoted}&name={quoted}")
        assert visitor.page.evaluate("window.pwned") is None, markup


def test_markup_in_the_destination_of_a_sign_in_is_escaped(served: Served, visitor: Visitor) -> None:
    visitor.page.goto(f"{served.url}/topics?%22%3E%3Cscript%3Ewindow.pwned=1%3C/script%3E")
    assert visitor.page.evaluate("window.pwned") is None
    assert visitor.page.locator("h1").inner_text() == "Sign in to your project"
