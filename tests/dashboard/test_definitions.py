"""Defining a topic on the topics page: examples from a search, a trial, what is wrong marked, saved, taken back."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.read.test_search import write_vectors
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake.paths import Lake


def _status(served: Served, q: str) -> int:
    headers = {"X-API-Key": served.full.read_key}
    return httpx.get(f"{served.url}/v1/messages", params={"q": q}, headers=headers, timeout=60).status_code


@pytest.mark.slow
def test_a_topic_is_defined_by_messages_that_were_found_and_what_is_wrong_is_kept_out(
    served: Served, visitor: Visitor, keep_model: Callable[[Lake], None]
) -> None:
    lake = served.settings.open_lake()
    keep_model(lake)
    write_vectors(lake, served.full.project_id, open_lake_embedder(lake, None))
    q = "I want my money back"
    while _status(served, q) == 503:  # the first search loads the model, which may take longer than an answer may
        pass
    visitor.sign_in(served.full.admin_key, f"/topics?q={q}")
    page = visitor.page
    panel, picked = page.locator("#define"), page.locator("[data-side=examples] li")
    page.locator("#found tbody tr").first.wait_for()
    for _ in range(3):
        page.get_by_role("button", name="Use as example").and_(page.locator(":enabled")).first.click()
    panel.locator("summary").click()
    expect(picked).to_have_count(3)
    save = panel.get_by_role("button", name="Save topic")
    expect(save).to_be_disabled()
    panel.get_by_role("button", name="Try it").click()
    expect(page.locator("#trial-sum")).to_contain_text("It would take")
    expect(page.locator("#trial-sum")).to_contain_text("should belong to it, between")
    wrong = page.locator("#trial-nearest tbody tr").last
    words = wrong.locator("td").first.inner_text()
    wrong.get_by_role("button", name="Wrong").click()
    refused = page.locator("[data-side=counter_examples] li")
    expect(refused).to_have_count(1)
    expect(page.locator("#trial")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#trial-nearest")).not_to_contain_text(words)
    panel.locator("#definition-label").fill("Money back")
    save.click()
    decision = page.locator("#decisions [data-action=define]")
    expect(decision).to_contain_text("Money back")
    (edit,) = served.get("/v1/topics/edits", served.full)["data"]
    assert (edit["action"], words in edit["value"]) == ("define", True)
    decision.get_by_role("button", name="Take back").click()
    expect(decision).to_have_count(0)
    assert visitor.problems == []


def test_who_may_only_read_is_not_asked_to_define(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics")
    expect(visitor.page.locator("#topics tbody tr").first).to_be_visible()
    expect(visitor.page.locator("#define")).to_have_count(0)
