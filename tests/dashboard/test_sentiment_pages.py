"""How messages sound, on the pages: the numbers are those of the API, and lead to the messages."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.test_overview import numbers, texts
from turret_api.read.views.sentiment import COUNTS


def test_the_list_of_topics_shows_their_mood_and_sorts_by_it(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics")
    page = visitor.page
    topics = served.get("/v1/topics", served.full)["data"]
    assert any(topic["n_negative"] for topic in topics)
    expect(page.locator("#topics .mood-bar .unseen").first).to_contain_text("sound negative")
    page.get_by_role("button", name="Mood").click()
    wanted = sorted((topic["n_negative"] / topic["size"] for topic in topics), reverse=True)
    shown = {topic["label"]: topic["n_negative"] / topic["size"] for topic in topics}
    assert [shown[label] for label in texts(page, "#topics .topic-name")] == wanted
    assert page.locator("#topics th", has_text="Mood").get_attribute("aria-sort") == "descending"
    # The parts of a bar are as wide as the shares are.
    bar = page.locator("#topics .mood-bar").first
    width = bar.locator(".bar").evaluate("(bar) => bar.clientWidth")
    negative = bar.locator("i.negative").evaluate("(part) => part.getBoundingClientRect().width")
    assert negative / width == pytest.approx(wanted[0], abs=0.03)
    assert visitor.problems == []


@pytest.mark.slow
def test_a_topic_shows_its_mood_by_day_and_leads_to_its_negative_messages(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics/t_refund")
    page = visitor.page
    one = served.get("/v1/topics/t_refund", served.full)
    assert numbers(page, "#mood td.count") == [one[count] for count in COUNTS]
    visitor.wait_for_pictures()
    drawn = page.evaluate("document.querySelector('#mood .picture').data[0].y")
    assert drawn == [each["share_negative"] for each in one["mood"]["days"]]
    page.get_by_role("link", name="Read the messages that sound negative").click()
    page.wait_for_url("**sounds=negative**")
    page.wait_for_selector("#view[aria-busy=false]")
    found = served.get("/v1/messages", served.full, topic_id="t_refund", sentiment="negative", limit="25")["data"]
    rows = page.locator("#messages tbody tr")
    expect(rows).to_have_count(len(found))
    assert [row.get_attribute("data-event") for row in rows.all()] == [each["event_id"] for each in found]
    expect(page.locator("#messages .mark.sounds")).to_have_count(len(found))
    expect(page.get_by_role("button", name="Negative")).to_be_focused()
    expect(page.get_by_role("button", name="Negative")).to_have_attribute("aria-pressed", "true")
    page.locator("#sounds-all").click()
    page.wait_for_selector("#sounds-all[aria-pressed=true]")
    assert "sounds" not in page.url
    assert visitor.problems == []


@pytest.mark.slow
def test_a_session_marks_the_messages_that_are_not_neutral(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key)
    newest = served.get("/v1/messages", served.full, sentiment="negative", limit="1")["data"][0]
    expected = served.get(f"/v1/sessions/{newest['session_id']}", served.full)["data"]
    visitor.open(f"/sessions/{newest['session_id']}")
    sounding = [each["sentiment"] for each in expected if each["sentiment"] != "neutral"]
    marks = visitor.page.locator(".talk .mark.sounds")
    expect(marks).to_have_count(len(sounding))
    assert [mark.inner_text().split()[-1].lower() for mark in marks.all()] == sounding
    assert visitor.problems == []
