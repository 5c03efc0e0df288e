"""Show the query: the SQL of a panel or a tile, in a dialog."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Served, Visitor
from tests.duck import Run, run_sql

__all__ = ["run_sql"]

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


NO_QUERY = {"tables"}
"""Panels without a query: what is not told by tables of the lake alone."""


def shown(page: Page) -> str:
    return page.locator("dialog.query .code").inner_text()


def test_the_query_of_a_tile_counts_what_it_shows(served: Served, visitor: Visitor, run_sql: Run) -> None:
    visitor.sign_in(served.full.read_key)
    page = visitor.page
    expect(page.locator("#n-messages dd").first).not_to_be_empty()
    page.get_by_role("button", name="Show the query of Messages", exact=True).click()
    parts = run_sql(shown(page))
    assert set(parts) == {"totals"}
    expect(page.locator("#n-messages dd").first).to_have_text(f"{parts['totals'][0]['n_messages']:,}")
    assert visitor.problems == []


def test_the_keyboard_opens_the_query_of_a_panel_and_leaves_it(served: Served, visitor: Visitor, run_sql: Run) -> None:
    visitor.sign_in(served.full.read_key, "/topics/t_refund?segment.plan=free")
    page = visitor.page
    page.locator("#after summary").focus()
    page.keyboard.press("Enter")
    page.locator("#after").get_by_role("button", name="Show the query").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="The query behind “What comes after”")
    expect(dialog).to_be_visible()
    counted = run_sql(shown(page))["after"]
    told = served.get("/v1/topics/t_refund", served.full, **{"segment.plan": "free"})["after"]
    assert [(row["topic_id"], row["count"]) for row in counted] == [(row["topic_id"], row["count"]) for row in told]
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert visitor.problems == []


def test_every_panel_with_an_export_from_the_lake_has_its_query(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.admin_key)
    page = visitor.page
    without = set()
    for path in ("/", "/topics", "/topics/t_refund", "/journeys", "/journeys?view=returns", "/journeys?view=friction"):
        visitor.go(path)
        visitor.wait_for_pictures()
        for menu in page.locator(".panel:has(details.menu)").all():
            if not menu.locator("details.menu button", has_text="Show the query").count():
                without.add(menu.get_attribute("id"))
    assert without == NO_QUERY


@pytest.mark.parametrize("width", [1280, 390])
def test_the_dialog_fits_the_screen_and_reads_well_in_both_themes(served: Served, visitor: Visitor, width: int) -> None:
    page = visitor.page
    page.set_viewport_size({"width": width, "height": 800})
    visitor.sign_in(served.full.read_key)
    page.evaluate(AXE)
    page.get_by_role("button", name="Show the query of Messages", exact=True).click()
    dialog = page.locator("dialog.query")
    expect(dialog).to_be_visible()
    box = dialog.bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] <= 800
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate("axe.run('dialog.query').then((r) => r.violations.map((v) => v.id))")
        assert found == []
