"""The pages of all topics and of one: lists, filters, the map, and what an admin changes there."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.test_overview import numbers, texts

MAP_AT = """(() => {
  const { state } = document.querySelector('#map .picture').map, { points, view, width, height } = state;
  const canvas = document.querySelector('#map canvas'), found = [], scale = canvas.width / width;
  const image = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer), ground = pixels[0];
  let blank = 0;
  points.x.forEach((value, i) => {
    const x = (value - view.x[0]) / (view.x[1] - view.x[0]) * width;
    const y = (view.y[1] - points.y[i]) / (view.y[1] - view.y[0]) * height;
    const inside = x > 4 && y > 4 && x < width - 4 && y < height - 4;
    if (inside && pixels[Math.floor(y * scale) * canvas.width + Math.floor(x * scale)] === ground) blank += 1;
    found.push([x, y]);
  });
  return { points: found, blank };
})()"""
"""Where the map's texts are, in pixels of its picture, and how many of those in it have no colour there."""
IN_ADDRESS = """() => {
  const { view } = document.querySelector('#map .picture').map.state;
  const shown = [...view.x, ...view.y].map((value) => Number(value.toPrecision(4))).join(',');
  return new URLSearchParams(location.search).get('map') === shown;
}"""
"""Whether what the map shows stands in the address, which is so once the hand rests."""


@pytest.mark.slow
def test_the_topics_page_lists_all_topics_and_finds_one_by_a_word(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics")
    page = visitor.page
    topics = served.get("/v1/topics", served.full)["data"]
    assert texts(page, "#topics .topic-name") == [topic["label"] for topic in topics]
    assert numbers(page, "#topics td.size") == [topic["size"] for topic in topics]
    themes = served.get("/v1/topics", served.full, level="1")["data"]
    legend = " ".join(texts(page, ".legend li"))
    assert all(theme["label"] in legend for theme in themes)
    fits = served.get("/v1/topics/fits", served.full)["data"]
    assert texts(page, "#fits td.text") == [fit["reason"] for fit in fits] and len(fits) == 2
    assert numbers(page, "#fits td.count") == [fit["n_topics"] for fit in fits]
    page.locator("#find").fill("refund")
    assert "Refunds" in texts(page, "#topics .topic-name") and len(texts(page, "#topics tbody tr")) < len(topics)
    page.locator("#find").fill("")
    page.get_by_role("button", name="Topic", exact=True).click()
    assert page.locator("#topics th").first.get_attribute("aria-sort") == "ascending"
    assert texts(page, "#topics .topic-name") == sorted((topic["label"] for topic in topics), key=str.lower)
    assert "sort=topic" in page.url
    assert visitor.problems == []


@pytest.mark.slow
def test_filters_stand_in_the_address_and_narrow_the_numbers(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics")
    page = visitor.page
    page.get_by_role("checkbox", name="plus").check()
    page.wait_for_url("**segment.plan=plus**")
    expected = served.get("/v1/topics", served.full, **{"segment.plan": "plus"})["data"]
    expect(page.locator("#topics td.size").first).to_have_text(f"{expected[0]['size']:,}")
    assert numbers(page, "#topics td.size") == [topic["size"] for topic in expected]
    page.get_by_role("checkbox", name="free").check()
    page.wait_for_url("**segment.plan=plus&segment.plan=free**")
    page.locator("select[name=name]").select_option("user_prompt")
    page.wait_for_url("**name=user_prompt**")
    page.wait_for_selector("#view[aria-busy=false]")
    # Numbers are filtered by bins: of the API's `least..most`, least included.
    page.locator("summary", has_text="bins").first.click()
    box = page.get_by_role("checkbox", name="below")
    bin_ = box.first.get_attribute("value")
    box.first.check()
    page.wait_for_selector("#view[aria-busy=false]")
    field = str(box.first.get_attribute("name")).removeprefix("segment.")
    query = {"segment.plan": ["plus", "free"], "name": "user_prompt", f"segment.{field}": bin_}
    narrowed = served.get("/v1/topics", served.full, **query)["data"]
    assert 0 < sum(topic["size"] for topic in narrowed) < sum(topic["size"] for topic in expected) * 2
    assert numbers(page, "#topics td.size") == [topic["size"] for topic in narrowed]
    # The same address shows the same view to someone else who may look, and the journeys keep the filters.
    address = page.url.removeprefix(served.url)
    visitor.open(address)
    assert numbers(page, "#topics td.size") == [topic["size"] for topic in narrowed]
    page.get_by_role("link", name="Journeys").click()
    page.wait_for_url("**/journeys?**segment.plan=plus**")
    n_sessions = served.get("/v1/journeys", served.full, **query)["n_sessions"]
    expect(page.locator(".page-head")).to_contain_text(f"{n_sessions:,} session")
    page.get_by_role("button", name="Clear filters").click()
    n_sessions = served.get("/v1/journeys", served.full)["n_sessions"]
    expect(page.locator(".page-head")).to_contain_text(f"{n_sessions:,} sessions")
    assert visitor.problems == []


@pytest.mark.slow
def test_a_filter_of_time_names_its_last_day(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics")
    page = visitor.page
    days = served.get("/v1/topics", served.full)["messages_per_day"]
    page.get_by_label("To", exact=True).fill(days[2]["date"])
    page.wait_for_url("**to=**")
    expect(page.get_by_label("To", exact=True)).to_have_value(days[2]["date"])
    page.get_by_role("link", name="Overview").click()
    n_messages = sum(day["count"] for day in days[:3])
    expect(page.locator("#n-messages dd:not(.fine)")).to_have_text(f"{n_messages:,}")
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
    sounds = {"negative": " \u2212 Negative", "positive": " + Positive"}
    said = [message["text"] + sounds.get(message["sentiment"], "") for message in recent]
    assert texts(page, "#messages td.text") == said
    assert numbers(page, "#numbers td:nth-child(3)") == [number["count"] for number in topic["numbers"]]
    ways = served.get("/v1/topics/t_refund", served.full)["lineage"]
    assert page.locator("#lineage li").count() == len(ways)
    visitor.go("/topics/theme_trouble")
    trouble = [each for each in served.get("/v1/topics", served.full)["data"] if each["parent_id"] == "theme_trouble"]
    assert texts(page, "#topics .topic-name") == [each["label"] for each in trouble]
    assert numbers(page, ".tiles .tile:first-child dd") == [sum(each["size"] for each in trouble)]
    visitor.go("/topics/t_nothing")
    expect(page.locator("h1")).to_have_text("There is no such topic")


def test_the_map_shows_every_text_at_its_place_and_names_what_is_under_the_pointer(
    served: Served, visitor: Visitor
) -> None:
    visitor.sign_in(served.full.read_key, "/topics")
    page = visitor.page
    columns = served.get("/v1/topics/map", served.full, limit="100000")
    all_texts = f'#map .picture[data-points="{len(columns["x"])}"]'
    page.wait_for_selector(all_texts)
    # What is drawn: where each text is on the page, and the colour of the canvas there.
    drawn = page.evaluate(MAP_AT)
    assert len(drawn["points"]) == len(columns["x"])
    low, high = min(columns["x"]), max(columns["x"])
    places = [(x - low) / (high - low) for x in columns["x"]]
    left, right = min(x for x, _ in drawn["points"]), max(x for x, _ in drawn["points"])
    assert all(abs((x - left) / (right - left) - at) < 1e-3 for (x, _), at in zip(drawn["points"], places, strict=True))
    assert drawn["blank"] == 0
    i = next(i for i, topic_id in enumerate(columns["topic_id"]) if topic_id == "t_visa")
    box = page.locator("#map .plot").bounding_box()
    assert box is not None
    x, y = drawn["points"][i]
    page.mouse.move(box["x"] + x, box["y"] + y)
    expect(page.locator(".tip strong")).to_have_text("Visa and passport rules")
    near = [text for text, topic_id in zip(columns["text"], columns["topic_id"], strict=True) if topic_id == "t_visa"]
    assert page.locator(".tip q").inner_text() in [text if len(text) <= 160 else f"{text[:159]}…" for text in near]
    # Where one has moved to stands in the address, and is where the next one begins.
    page.mouse.down()
    page.mouse.move(box["x"] + x - 120, box["y"] + y, steps=3)
    page.mouse.up()
    page.wait_for_function(IN_ADDRESS)
    before = page.evaluate("document.querySelector('#map .picture').map.state.view.x")
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_function(IN_ADDRESS)
    seen = page.evaluate("document.querySelector('#map .picture').map.state.view")
    assert seen["x"][0] > before[0] and seen["x"][1] < before[1]
    visitor.open(page.url.removeprefix(served.url))
    page.wait_for_selector(all_texts)
    again = page.evaluate("document.querySelector('#map .picture').map.state.view")
    assert [round(value, 2) for value in again["x"]] == [round(value, 2) for value in seen["x"]]
    # A theme of the legend stands out, and narrows the list.
    page.get_by_role("button", name="Trouble").click()
    trouble = [t["label"] for t in served.get("/v1/topics", served.full)["data"] if t["parent_id"] == "theme_trouble"]
    assert texts(page, "#topics .topic-name") == trouble
    assert "theme=theme_trouble" in page.url
    # A click on a text leads to its topic.
    page.get_by_role("button", name="Show all").click()
    page.mouse.move(0, 0)
    x, y = page.evaluate(MAP_AT)["points"][i]
    page.locator("#map .plot").click(position={"x": x, "y": y})
    expect(page.locator("h1")).to_have_text("Visa and passport rules")
    assert visitor.problems == []


@pytest.mark.slow
def test_an_admin_renames_merges_and_hides_a_topic_and_takes_it_back(served: Served, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in(served.full.admin_key, "/topics/t_visa")
    # What an admin may do stands above the pictures.
    assert page.locator("section.panel").first.get_attribute("id") == "curate"
    page.locator("#new-name").fill("Borders <i>")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("h1")).to_have_text("Borders <i>")
    page.get_by_role("button", name="Pin").click()
    expect(page.locator(".decisions li")).to_have_count(2)
    assert served.get("/v1/topics/t_visa", served.full)["pinned"]
    page.locator('[data-action="pin"] button').click()
    expect(page.locator(".decisions li")).to_have_count(1)
    page.get_by_role("button", name="Hide from lists").click()
    expect(page.locator(".decisions li")).to_have_count(2)
    shown = [topic["label"] for topic in served.get("/v1/topics", served.full)["data"]]
    assert "Borders <i>" not in shown and "Visa and passport rules" not in shown
    # A hidden topic is in no list; the page of all topics tells of it, and takes it back.
    page.get_by_role("link", name="All topics").click()
    hidden = page.locator('#decisions tr[data-action="hide"]')
    expect(hidden.get_by_role("link")).to_have_text("Borders <i>")
    hidden.get_by_role("button", name="Take back").click()
    expect(page.locator("#decisions tbody tr")).to_have_count(1)
    page.locator('#decisions tr[data-action="rename"]').get_by_role("link", name="Borders <i>").click()
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
