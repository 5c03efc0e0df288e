"""The pages behind the first: topics, a topic, journeys, settings; the address holds what each shows."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.test_overview import numbers, texts


def test_the_topics_page_lists_all_topics_and_finds_one_by_a_word(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics")
    page = visitor.page
    topics = served.get("/v1/topics", served.full)["data"]
    assert texts(page, "#topics .topic-name") == [topic["label"] for topic in topics]
    assert numbers(page, "#topics td.size") == [topic["size"] for topic in topics]
    themes = served.get("/v1/topics", served.full, level="1")["data"]
    legend = " ".join(texts(page, ".legend li"))
    assert all(theme["label"] in legend for theme in themes)
    page.locator("#find").fill("refund")
    assert texts(page, "#topics tbody tr:visible .topic-name") == ["Refunds"]
    assert visitor.problems == []


def test_filters_stand_in_the_address_and_narrow_the_numbers(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics")
    page = visitor.page
    page.locator('select[name="segment.plan"]').select_option("plus")
    page.wait_for_url("**segment.plan=plus**")
    expected = served.get("/v1/topics", served.full, **{"segment.plan": "plus"})["data"]
    expect(page.locator("#topics td.size").first).to_have_text(f"{expected[0]['size']:,}")
    assert numbers(page, "#topics td.size") == [topic["size"] for topic in expected]
    # The same address shows the same view to someone else who may look.
    address = page.url.removeprefix(served.url)
    visitor.open(address)
    assert numbers(page, "#topics td.size") == [topic["size"] for topic in expected]
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("#topics td.size").first).to_have_text(
        f"{served.get('/v1/topics', served.full)['data'][0]['size']:,}"
    )
    assert visitor.problems == []


def test_a_topics_page_shows_its_series_moves_and_messages(served: Served, visitor: Visitor) -> None:
    topic = served.get("/v1/topics/t_refund", served.full)
    recent = served.get("/v1/messages", served.full, topic_id="t_refund", limit="25")["data"]
    visitor.sign_in(served.full.read_key, "/topics/t_refund")
    visitor.wait_for_pictures()
    page = visitor.page
    expect(page.locator("h1")).to_have_text("Refunds")
    assert sum(page.evaluate("document.querySelector('#series .picture').data[0].y")) == topic["size"]
    assert numbers(page, "#before td.count") == [move["count"] for move in topic["before"]]
    assert numbers(page, "#after td.count") == [move["count"] for move in topic["after"]]
    assert texts(page, "#messages td.text") == [message["text"] for message in recent]
    visitor.open("/topics/t_nothing")
    expect(page.locator("h1")).to_have_text("There is no such topic")


def test_the_journeys_page_shows_starts_ends_and_every_move(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys")
    page = visitor.page
    journeys = served.get("/v1/journeys", served.full)
    starts = served.get("/v1/journeys/starts", served.full)["data"]
    ends = served.get("/v1/journeys/drop-offs", served.full)["data"]
    assert numbers(page, "#starts td.count") == [start["sessions"] for start in starts[:10]]
    assert numbers(page, "#drop-offs td.count") == [end["sessions"] for end in ends[:10]]
    page.get_by_role("button", name="Show all").click()
    assert sum(numbers(page, "#moves td.count")) == sum(edge["count"] for edge in journeys["edges"])
    assert visitor.problems == []


def test_an_admin_overrides_a_type_in_the_settings_and_takes_it_back(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.admin_key, "/settings")
    chooser = visitor.page.get_by_label("Type of channel")
    chooser.select_option("text")
    expect(visitor.page.locator('tr[data-field="channel"]')).to_contain_text("set by hand")
    types = {field["field"]: field for field in served.get("/v1/fields", served.full)["data"]}
    assert types["channel"]["type"] == "text" and types["channel"]["overridden"]
    visitor.page.get_by_label("Type of channel").select_option("")
    expect(visitor.page.locator('tr[data-field="channel"]')).not_to_contain_text("set by hand")
    assert not {f["field"]: f for f in served.get("/v1/fields", served.full)["data"]}["channel"]["overridden"]
    assert visitor.problems == []


def test_who_may_only_look_is_offered_no_change(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/settings")
    expect(visitor.page.locator("h1")).to_have_text("Settings")
    assert visitor.page.locator("#metadata select").count() == 0
    expect(visitor.page.locator("#plan")).to_contain_text("250,000")


def test_an_admin_renames_merges_and_hides_a_topic_and_takes_it_back(served: Served, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in(served.full.admin_key, "/topics/t_visa")
    page.locator("#new-name").fill("Borders <i>")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("h1")).to_have_text("Borders <i>")
    page.get_by_role("button", name="Hide from lists").click()
    expect(page.locator(".decisions li")).to_have_count(2)
    shown = [topic["label"] for topic in served.get("/v1/topics", served.full)["data"]]
    assert "Borders <i>" not in shown and "Visa and passport rules" not in shown
    page.locator('[data-action="hide"] button').click()
    expect(page.locator(".decisions li")).to_have_count(1)
    page.locator('[data-action="rename"] button').click()
    expect(page.locator("h1")).to_have_text("Visa and passport rules")

    sizes = {topic["topic_id"]: topic["size"] for topic in served.get("/v1/topics", served.full)["data"]}
    page.locator("#merge-into").select_option("t_baggage")
    page.wait_for_url("**/topics/t_baggage*")
    expect(page.locator(".tile dd").first).to_have_text(f"{sizes['t_visa'] + sizes['t_baggage']:,}")
    page.locator('[data-action="merge"] button').click()
    expect(page.locator(".tile dd").first).to_have_text(f"{sizes['t_baggage']:,}")
    assert visitor.problems == []
