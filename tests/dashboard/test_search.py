"""Search by meaning on the topics page: the address holds the question, the list what was found."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.test_overview import texts
from tests.read.test_search import write_vectors
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake.paths import Lake


def test_messages_are_found_by_meaning_nearest_first_and_clearing_leads_back(
    served: Served, visitor: Visitor, keep_model: Callable[[Lake], None]
) -> None:
    lake = served.settings.open_lake()
    keep_model(lake)
    write_vectors(lake, served.full.project_id, open_lake_embedder(lake, None))
    q = "I want my money back"
    visitor.sign_in(served.full.read_key, "/topics")
    page = visitor.page
    page.locator("#search").fill(q)
    page.keyboard.press("Enter")
    page.wait_for_url("**q=I+want+my+money+back**")
    answer = served.get("/v1/messages", served.full, q=q, limit="25")
    found = answer["data"]
    assert answer["n_close"] > 1
    expect(page.locator("#closeness")).to_have_text(f"{answer['n_close']:,} messages say about this.")
    expect(page.locator("#found tbody tr")).to_have_count(len(found))
    assert texts(page, "#found td.text") == [message["text"] for message in found]
    expect(page.locator("#found tbody tr").first).to_contain_text("Refunds")
    page.locator("#search").fill("quantum chromodynamics of cheese")
    page.keyboard.press("Enter")
    expect(page.locator("#closeness")).to_have_text("Nothing close to this was said. The nearest messages:")
    expect(page.locator("#found tbody tr")).to_have_count(25)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#found")).to_have_count(0)
    expect(page.locator("#topics tbody tr").first).to_be_visible()
    assert visitor.problems == []
