"""The page of answers: what was not served, by topic, and what requests are answered with."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.test_access import QUICK
from tests.dashboard.walk import AXE
from turret_api.read.questions.answers import COUNTS

SHOWN = ("unserved", "refused", "apologised", "repeated", "none", "made_good")


def numbers(visitor: Visitor, selector: str) -> list[int]:
    return [int(text.replace(",", "")) for text in visitor.page.locator(selector).all_inner_texts()]


@pytest.mark.slow
def test_the_counts_are_those_of_the_api(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.answered.read_key, "/answers?field=prompt")
    found = served.get("/v1/answers", served.answered, field="prompt")
    count = {so: found[name] for name, so in COUNTS.items()}
    assert numbers(visitor, "#unserved td.count") == [count[so] for so in SHOWN]
    lead = f"{found['n_unserved']:,} of {found['n_requests']:,} requests were not served"
    expect(visitor.page.locator("#unserved .lead")).to_contain_text(lead)
    topics = [row["n_unserved"] for row in found["data"] if row["n_unserved"]]
    assert topics and numbers(visitor, "#answers-topics td.count") == topics
    answered = sorted((row["n_answered"] for row in found["data"] if row["n_answered"]), reverse=True)
    assert numbers(visitor, "#answers-with td.count") == answered
    assert visitor.problems == []


def test_a_count_leads_to_its_messages_with_their_answers(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.answered.read_key, "/answers?field=prompt")
    page = visitor.page
    page.get_by_role("link", name="Refused", exact=True).click()
    page.wait_for_url("**answer=refused**")
    page.wait_for_selector("#view[aria-busy=false]")
    refused = served.get("/v1/messages", served.answered, field="prompt", answer="refused")["data"]
    rows = page.locator("#answers-messages tbody tr")
    assert rows.evaluate_all("rows => rows.map((r) => r.dataset.event)") == [row["event_id"] for row in refused]
    first = rows.first.locator("details.answer")
    expect(first.locator("summary")).to_contain_text("Refused")
    expect(first.locator(".text")).to_be_hidden()
    first.locator("summary").press("Enter")
    expect(first.locator(".text")).to_have_text(refused[0]["answer"])
    topic = served.get("/v1/answers", served.answered, field="prompt")["data"][0]
    page.locator(f'#answers-topics tr[data-topic="{topic["topic_id"]}"] td.count a').click()
    page.wait_for_url(f"**of={topic['topic_id']}**")
    page.wait_for_selector("#view[aria-busy=false]")
    expect(rows).to_have_count(topic["n_unserved"])
    assert visitor.problems == []


def test_a_topics_page_says_what_its_requests_were_answered(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.answered.read_key, "/topics/t_parcel?field=prompt")
    found = served.get("/v1/answers", served.answered, field="prompt")["data"]
    parcel = next(row for row in found if row["topic_id"] == "t_parcel")
    panel = visitor.page.locator("#answers")
    expect(panel).to_contain_text(f"{parcel['n_unserved']} of {parcel['n_requests']} requests")
    expect(panel.locator("li .name")).to_have_text([each["label"] for each in parcel["answers"]])
    recent = served.get("/v1/messages", served.answered, field="prompt", topic_id="t_parcel", limit="25")["data"]
    shown = [row["answer"] for row in recent if row["answer"]]
    expect(visitor.page.locator("#messages details.answer .text")).to_have_text(shown)
    assert visitor.problems == []


def test_without_answers_the_page_says_what_to_send(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.chats.read_key, "/answers")
    expect(visitor.page.locator("#no-answers pre")).to_contain_text('"response": "It left our warehouse')
    expect(visitor.page.get_by_role("button", name="Copy")).to_be_visible()
    assert visitor.problems == []


@pytest.mark.slow
def test_axe_finds_nothing_wrong_in_both_themes_and_nothing_lies_beside_a_narrow_page(
    served: Served, visitor: Visitor
) -> None:
    visitor.sign_in(served.answered.read_key, "/answers?field=prompt")
    page = visitor.page
    page.evaluate(AXE)
    page.evaluate("document.querySelectorAll('details.answer').forEach((each) => { each.open = true })")
    asked = f"axe.run({{ {QUICK} }}).then((r) => r.violations.map((v) => [v.id, v.nodes.map((n) => n.html)]))"
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        assert page.evaluate(asked) == [], theme
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
