"""What clients track is shown as it is written and never runs."""

from __future__ import annotations

import csv
import io
import re
import urllib.parse

import pytest

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.hostile import HOSTILE_NAME, MARKUP

FOREIGN = (
    "main script, main iframe, main img, main style, main b b, main object, main embed, main base, main video, "
    "main marquee, main math, main template, a[href^='javascript' i], [onerror], [onload], [onfocus], [ontoggle]"
)
"""What only a client's markup could have brought into a page."""
WITHOUT_EXPORT = """[...document.querySelectorAll('.panel')]
  .filter((panel) => panel.querySelector('table, .picture, .fresh, .quotes') && !panel.querySelector('.menu'))
  .map((panel) => panel.id)"""
"""The panels with a table or a picture that cannot be taken along."""


@pytest.mark.slow
def test_markup_in_every_place_is_shown_on_every_page_and_never_runs(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.hostile.admin_key)
    page = visitor.page
    label = next(t for t in served.get("/v1/topics", served.hostile)["data"] if "<script>" in t["label"])
    session = served.get("/v1/messages", served.hostile)["data"][0]["session_id"]
    quoted = urllib.parse.quote(session, safe="")
    shown = ""
    for path in (
        "/",
        "/topics",
        f"/topics/{label['topic_id']}",
        "/journeys",
        "/journeys?shape=graph&level=1&number=latency_ms",
        "/journeys?view=paths",
        f"/journeys?view=funnel&steps={label['topic_id']}",
        "/journeys?view=returns",
        "/journeys?view=friction",
        "/answers",
        f"/journeys?move=start,{label['topic_id']}",
        f"/sessions/{quoted}",
        "/settings",
        "/settings/keys",
        "/settings/usage",
        "/settings/project",
    ):
        visitor.go(path)
        visitor.wait_for_pictures()
        shown += page.evaluate("document.body.textContent")
        assert page.locator("#projects option").all_inner_texts() == [HOSTILE_NAME]
        assert page.evaluate("window.pwned") is None, path
        assert page.locator(FOREIGN).count() == 0, path
        assert page.evaluate(WITHOUT_EXPORT) == [], path
        assert page.evaluate("getComputedStyle(document.body).display") == "block", path
    for markup in MARKUP:
        assert markup in shown, markup
    assert visitor.problems == []


def test_an_export_of_a_page_holds_no_formula_that_would_run(served: Served, visitor: Visitor) -> None:
    topic = next(t for t in served.get("/v1/topics", served.hostile)["data"] if t["size"])
    visitor.sign_in(served.hostile.read_key, "/topics")
    page = visitor.page
    for path, place in (
        ("/topics", "#map"),
        (f"/topics/{topic['topic_id']}", "#messages"),
        (f"/topics/{topic['topic_id']}", "#segment-plan"),
        ("/settings/usage", "#names"),
    ):
        visitor.go(path)
        page.locator(f"{place} .menu summary").click()
        with page.expect_download() as download:
            page.locator(place).get_by_role("button", name="CSV", exact=True).click()
        text = download.value.path().read_text()
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert not [cell for cell in cells if re.match(r"[=+@\t]|-(?![\d.]+$)", cell)], place
        assert any("HYPERLINK" in cell for cell in cells), place
    assert visitor.problems == []


@pytest.mark.slow
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
