"""Show the query: the SQL of a panel or a tile, in a dialog."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.test_access import PAGES
from tests.dashboard.test_outcome_pages import mark, unmarked
from tests.dashboard.walk import AXE
from tests.duck import Run, run_sql

__all__ = ["run_sql", "unmarked"]


ALL_PAGES = (
    *PAGES,
    "/topics?q=refund",
    "/topics/theme_booking?unit=users",
    "/topics/t_refund?number=tokens",
    "/journeys?view=compare&of=moves",
    "/journeys?view=outcomes&with=sign:any",
    "/journeys?view=friction&unit=users&cohort=topic:t_refund",
)
OF_EACH_KIND = ("/", "/digest", "/journeys?view=outcomes&with=sign:any")
NO_QUERY = {
    *("tables", "project", "commands", "keys", "new-key"),  # of the server, not of the project's data
    *("used", "usage", "plan"),  # what is billed, which the accounts count
    *("found", "rules", "new-rule", "targets", "new-target", "messages"),  # of alerts, which Postgres holds
    *("people", "new-person", "audit", "masking", "keeping", "erasures", "few"),  # so with these
    *("define", "curate", "about", "no-answers", "panel search", "filters panel"),  # forms and words
}
"""Panels and tiles without a number that a table of the lake tells."""

HAS_ALL = "() => !document.querySelector('#view .skeleton, #view .failed')"
ASK_ALL = """async () => {
    const places = [...document.querySelectorAll("#view .panel, #view .tile")];
    const buttonOf = (place) =>
        [...place.querySelectorAll("button")].find((each) =>
            ["Show the query", "SQL"].includes(each.textContent.trim()) && each.closest(".panel, .tile") === place);
    const shows = async (button) => {
        button.click();
        for (let waited = 0; waited < 20000; waited += 20) {
            const dialog = document.querySelector("dialog.query");
            const code = dialog?.querySelector(".code").textContent;
            if (dialog) dialog.close();
            if (dialog) return /^-- part: /m.test(code) && /^SELECT|^WITH/m.test(code);
            if (!["Show the query", "SQL"].includes(button.textContent.trim())) return false;
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return false;
    };
    const wanting = [];
    let shown = 0;
    for (const place of places) {
        const button = buttonOf(place);
        if (button && (await shows(button))) shown += 1;
        else wanting.push(place.id || (place.matches(".tile") ? place.closest("[id]").id : place.className));
        while (document.querySelector("dialog.query")) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return [wanting, shown];
}"""
"""Open the query of each panel and tile; return the ids of those that have none, and how many have one."""


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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "pages", [pytest.param(OF_EACH_KIND, id="some"), pytest.param(ALL_PAGES, marks=pytest.mark.long, id="all")]
)
def test_every_panel_and_tile_of_every_page_shows_its_query(
    unmarked: Served, visitor: Visitor, pages: tuple[str, ...]
) -> None:
    served = unmarked
    mark(served, "latency_ms", {"better": "lower"})
    session = served.get("/v1/messages", served.full)["data"][0]["session_id"]
    of_answers = ("/answers?field=prompt", "/topics/t_parcel?field=prompt") if pages == ALL_PAGES else ()
    lacking = {}
    for project, paths in ((served.answered, of_answers), (served.full, (*pages, f"/sessions/{session}"))):
        visitor.sign_in(project.admin_key)
        for path in paths:
            visitor.go(path)
            visitor.page.wait_for_function(HAS_ALL)
            wanting, shown = visitor.page.evaluate(ASK_ALL)
            assert shown or set(wanting) <= NO_QUERY, path
            lacking |= {name: path for name in wanting if name not in NO_QUERY}
    assert lacking == {}
    assert visitor.problems == []


@pytest.mark.slow
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
