"""Outcomes in the dashboard: marked in the settings or where none is, what precedes them, and on a topic's page."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.test_access import QUICK
from tests.dashboard.walk import AXE


def mark(served: Served, field: str, outcome: dict | None) -> None:
    headers = {"X-API-Key": served.full.admin_key}
    httpx.patch(
        f"{served.url}/v1/fields/{field}", json={"outcome": outcome}, headers=headers, timeout=60
    ).raise_for_status()


@pytest.fixture
def unmarked(served: Served) -> Iterator[Served]:
    """The served project, in which after the test no field is marked any more."""
    yield served
    for field in served.get("/v1/fields", served.full)["data"]:
        if field["outcome"] is not None:
            mark(served, field["field"], None)


@pytest.mark.slow
def test_where_no_field_is_marked_a_likely_one_can_be_with_a_click(unmarked: Served, visitor: Visitor) -> None:
    visitor.sign_in(unmarked.full.read_key, "/journeys?view=outcomes")
    page = visitor.page
    expect(page.locator("#outcomes")).to_contain_text("an editor can mark one in Settings")
    expect(page.locator("#outcomes li")).to_have_text(["latency_ms lower is better"])
    assert page.locator("#outcomes button").count() == 0
    visitor.sign_in(unmarked.full.admin_key, "/journeys?view=outcomes")
    page.get_by_role("button", name="Mark latency_ms as an outcome: lower is better").click()
    expect(page.locator("#outcomes .lead")).to_contain_text("a worse latency_ms")
    marked = {row["field"]: row["outcome"] for row in unmarked.get("/v1/fields", unmarked.full)["data"]}
    assert marked["latency_ms"] == {"better": "lower", "good": None, "problem": None}
    assert visitor.problems == []


@pytest.mark.slow
def test_in_the_settings_a_field_is_marked_changed_and_taken_back(unmarked: Served, visitor: Visitor) -> None:
    def outcome(field: str) -> dict | None:
        rows = unmarked.get("/v1/fields", unmarked.full)["data"]
        found: dict | None = next(row["outcome"] for row in rows if row["field"] == field)
        return found

    visitor.sign_in(unmarked.full.admin_key, "/settings")
    page = visitor.page
    channel = page.locator('tr[data-field="channel"] details.outcome-mark')
    channel.locator("summary").click()
    save = channel.get_by_role("button", name="Mark as outcome")
    expect(save).to_be_disabled()
    channel.get_by_label("web").check()
    save.click()
    expect(channel.locator("summary")).to_have_text("outcome, good: web")
    assert outcome("channel") == {"better": None, "good": ["web"], "problem": None}
    channel.locator("summary").click()
    channel.get_by_role("button", name="channel is no outcome").click()
    expect(channel.locator("summary")).to_have_text("no outcome")
    assert outcome("channel") is None
    with page.expect_response("**/v1/fields?*"):
        page.get_by_label("tokens as an outcome").select_option("lower")
    expect(page.get_by_label("tokens as an outcome")).to_have_value("lower")
    assert outcome("tokens") == {"better": "lower", "good": None, "problem": None}
    visitor.sign_in(unmarked.full.read_key, "/settings")
    expect(page.locator('tr[data-field="tokens"]')).to_contain_text("Outcome, lower is better")
    assert visitor.problems == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "outcome"), [("latency_ms", {"better": "lower"}), ("channel", {"good": ["web", "ios"]})], ids=str
)
def test_every_row_shows_what_the_api_says_and_leads_to_as_many_sessions(
    unmarked: Served, visitor: Visitor, field: str, outcome: dict
) -> None:
    mark(unmarked, field, outcome)
    visitor.sign_in(unmarked.full.read_key, "/journeys?view=outcomes&level=0")
    page = visitor.page
    found = unmarked.get("/v1/outcomes", unmarked.full, limit="1000")
    topics = [row for row in found["data"] if row["kind"] == "topic"]
    worse = sum(row["effect"] == "worse" for row in topics)
    expect(page.locator("#outcomes .lead strong")).to_have_text(f"{worse} of {len(topics)} topics")
    shown = page.locator("#outcome-topics td.count")
    expect(shown).to_have_text([f"{row['n_with']:,}" for row in topics[:10]])
    if field == "channel":
        expect(page.locator("#outcomes")).to_contain_text(f"{found['value']:.0%} of")
        shares = page.locator("#outcome-topics tbody td[data-title='With it']")
        expect(shares.first).to_have_text(f"{topics[0]['value_with']:.0%}")
    for kind in ("topic", "move", "sign"):
        link = page.locator(f"#outcome-{kind}s td.count a").first
        link.click()
        expect(page.locator("#outcome-sessions .panel-tools")).to_contain_text(f"{link.inner_text()} session")
    page.evaluate(AXE)
    asked = f"axe.run({{ {QUICK} }}).then((r) => r.violations.map((v) => [v.id, v.nodes.map((n) => n.html)]))"
    assert page.evaluate(asked) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1280, "height": 900})
    assert visitor.problems == []


def test_a_topic_tells_each_outcome_of_its_sessions(unmarked: Served, visitor: Visitor) -> None:
    mark(unmarked, "latency_ms", {"better": "lower"})
    mark(unmarked, "channel", {"good": ["web"]})
    visitor.sign_in(unmarked.full.read_key, "/topics/t_refund")
    rows = visitor.page.locator("#topic-outcomes tbody tr")
    expect(rows).to_have_count(2)
    for number, field in enumerate(("channel", "latency_ms")):
        row = unmarked.get("/v1/outcomes", unmarked.full, outcome=field, topic_id="t_refund")["data"]
        wanted = next(each for each in row if each["topic_id"] == "t_refund")
        expect(rows.nth(number)).to_contain_text(field)
        expect(rows.nth(number).locator("td.count")).to_have_text(f"{wanted['n_with']:,}")
    assert visitor.problems == []


@pytest.mark.slow
def test_a_marked_field_that_is_no_outcome_any_more_says_so(unmarked: Served, visitor: Visitor) -> None:
    mark(unmarked, "channel", {"good": ["web"]})
    headers = {"X-API-Key": unmarked.full.admin_key}
    httpx.patch(
        f"{unmarked.url}/v1/fields/channel", json={"type": "number"}, headers=headers, timeout=60
    ).raise_for_status()
    try:
        visitor.sign_in(unmarked.full.admin_key, "/journeys?view=outcomes")
        expect(visitor.page.locator("#outcomes .problem")).to_contain_text("'channel' is a number")
        visitor.open("/settings")
        row = visitor.page.locator('tr[data-field="channel"]')
        expect(row.locator(".problem")).to_contain_text("'channel' is a number")
        row.get_by_label("channel as an outcome").select_option("")
        expect(row.locator(".problem")).to_have_count(0)
        assert visitor.problems == []
    finally:
        httpx.patch(
            f"{unmarked.url}/v1/fields/channel", json={"type": None}, headers=headers, timeout=60
        ).raise_for_status()
