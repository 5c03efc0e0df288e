"""The pages behind the first: topics, a topic, journeys, settings; the address holds what each shows."""

from __future__ import annotations

import re
import urllib.parse
from collections import Counter

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
    assert texts(page, "#messages td.text") == [message["text"] for message in recent]
    assert numbers(page, "#numbers td:nth-child(3)") == [number["count"] for number in topic["numbers"]]
    ways = served.get("/v1/topics/t_refund", served.full)["lineage"]
    assert page.locator("#lineage li").count() == len(ways)
    visitor.go("/topics/theme_trouble")
    trouble = [each for each in served.get("/v1/topics", served.full)["data"] if each["parent_id"] == "theme_trouble"]
    assert texts(page, "#topics .topic-name") == [each["label"] for each in trouble]
    assert numbers(page, ".tiles .tile:first-child dd") == [sum(each["size"] for each in trouble)]
    visitor.go("/topics/t_nothing")
    expect(page.locator("h1")).to_have_text("There is no such topic")


def test_the_journeys_page_shows_starts_ends_and_every_move(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys")
    page = visitor.page
    journeys = served.get("/v1/journeys", served.full)
    starts = served.get("/v1/journeys/starts", served.full)["data"]
    ends = served.get("/v1/journeys/drop-offs", served.full)["data"]
    assert numbers(page, "#starts td.count") == [start["sessions"] for start in starts[:10]]
    assert numbers(page, "#drop-offs td.count") == [end["sessions"] for end in ends[:10]]
    page.locator("#moves").get_by_role("button", name="Show all").click()
    assert sum(numbers(page, "#moves td.count")) == sum(edge["count"] for edge in journeys["edges"])
    assert visitor.problems == []


def test_journeys_are_shown_of_themes_too_and_with_a_number(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys")
    page = visitor.page
    page.get_by_role("button", name="Themes").click()
    page.wait_for_url("**level=1**")
    page.locator("select[name=number]").select_option("latency_ms")
    page.wait_for_url("**number=latency_ms**")
    page.wait_for_selector("#view[aria-busy=false]")
    journeys = served.get("/v1/journeys", served.full, level="1", number="latency_ms")
    edges = sorted(journeys["edges"], key=lambda edge: (-edge["count"], f"{edge['from']} {edge['to']}"))[:25]
    assert numbers(page, "#moves td.count") == [edge["count"] for edge in edges]
    assert numbers(page, "#moves td.mean") == [round(edge["number"]["mean"]) for edge in edges]
    assert numbers(page, "#moves td.median") == [round(edge["number"]["quantiles"]["0.5"]) for edge in edges]
    starts = served.get("/v1/journeys/starts", served.full, level="1")["data"]
    assert texts(page, "#starts td:first-child") == [start["label"] for start in starts]
    assert {start["label"] for start in starts} <= {"Booking", "Planning", "Trouble", "No topic"}
    page.get_by_role("link", name="Paths").click()
    options = page.locator("select[name=topic_id] option")
    expect(options.nth(3)).to_have_text(re.compile("Booking|Planning|Trouble"))
    assert options.count() == 3 + 3
    paths = served.get("/v1/journeys/paths", served.full, level="1", limit="50")["data"]
    expect(page.locator("#paths td.count")).to_have_count(len(paths))
    assert numbers(page, "#paths td.count") == [path["count"] for path in paths]
    assert visitor.problems == []


def test_the_graph_draws_every_move_between_its_nodes(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys?shape=graph")
    visitor.wait_for_pictures()
    page = visitor.page
    journeys = served.get("/v1/journeys", served.full)
    nodes = page.evaluate("document.querySelector('#journeys .picture').data.at(-1).customdata")
    assert {"start", "end", "unassigned"} <= set(nodes)
    drawn = page.evaluate("document.querySelector('#journeys .picture').data.length") - 1
    label = page.locator("#journeys .picture").get_attribute("aria-label")
    assert f"{drawn} kinds of moves" in str(label)
    assert len(nodes) == min(len(journeys["nodes"]), 14 + 4)
    page.get_by_role("button", name="Flow").click()
    expect(page.locator("#journeys .picture")).to_have_attribute("aria-label", re.compile("visit by visit"))
    assert visitor.problems == []


def test_a_move_leads_to_the_sessions_behind_it(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys")
    page = visitor.page
    row = page.locator("#moves tbody tr:not([data-from=start]):not([data-to=end])").first
    move = {"from_topic": row.get_attribute("data-from"), "to_topic": row.get_attribute("data-to")}
    expected = served.get("/v1/journeys/sessions", served.full, **move, limit="25")
    row.get_by_role("link", name="Read sessions").click()
    ids = "rows => rows.map((row) => row.dataset.session)"
    expect(page.locator("#behind tbody tr")).to_have_count(len(expected["data"]))
    assert page.locator("#behind tbody tr").evaluate_all(ids) == [each["session_id"] for each in expected["data"]]
    expect(page.locator("#behind")).to_contain_text(f"{expected['n_sessions']:,} session")
    # A click on the picture's edge opens it too; the address holds which.
    visitor.open("/journeys?shape=graph")
    visitor.wait_for_pictures()
    page.evaluate(
        "(() => { const p = document.querySelector('#journeys .picture');"
        " p.emit('plotly_click', { points: [{ data: p.data[0] }] }) })()"
    )
    page.wait_for_url("**move=**")
    expect(page.locator("#behind tbody tr").first).to_be_visible()
    page.locator("#behind tbody a").first.click()
    expect(page.locator(".talk .text").first).to_be_visible()
    assert visitor.problems == []


def test_two_segments_stand_side_by_side_with_what_differs(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys?view=compare")
    page = visitor.page
    expect(page.locator("#compare")).to_contain_text("Choose a segment for each side")
    for side, value in (("a", "channel: web"), ("b", "channel: ios")):
        page.locator(f"#side-{side}").select_option(label=value)
        page.wait_for_url(f"**{side}.segment.channel=**")
        page.wait_for_selector("#view[aria-busy=false]")
    query = {"a.segment.channel": "web", "b.segment.channel": "ios"}
    found = served.get("/v1/journeys/compare", served.full, **query, limit="100")
    lead = page.locator("#compare .lead").inner_text()
    assert f"{found['n_sessions']['a']:,} session" in lead and f"{found['n_sessions']['b']:,} of B" in lead
    moves = page.locator("#compare tbody tr").evaluate_all("rows => rows.map((r) => [r.dataset.from, r.dataset.to])")
    assert moves == [[edge["from"], edge["to"]] for edge in found["data"][:25]]
    sure = [edge for edge in found["data"][:25] if edge["q_value"] < 0.05]
    assert page.locator("#compare tr.sure").count() == len(sure)
    assert visitor.problems == []


def test_returns_tell_what_users_come_back_for(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys?view=returns")
    visitor.wait_for_pictures()
    page = visitor.page
    found = served.get("/v1/journeys/returns", served.full)
    expect(page.locator("#returns .lead")).to_contain_text(f"of {found['n_users']:,} user")
    assert numbers(page, "#return-topics td.count") == [topic["returns"] for topic in found["topics"][:10]]
    bars = page.evaluate("document.querySelector('#returns .picture').data[0].y")
    assert sum(bars) == found["n_returns"]
    assert visitor.problems == []


def test_the_map_shows_every_text_at_its_place_and_names_what_is_under_the_pointer(
    served: Served, visitor: Visitor
) -> None:
    visitor.sign_in(served.full.read_key, "/topics")
    page = visitor.page
    columns = served.get("/v1/topics/map", served.full, limit="100000")
    page.wait_for_selector(f'#map .picture[data-points="{len(columns["x"])}"]')
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
    page.wait_for_url("**map=**")
    before = page.evaluate("document.querySelector('#map .picture').map.state.view.x")
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_timeout(250)
    seen = page.evaluate("document.querySelector('#map .picture').map.state.view")
    assert seen["x"][0] > before[0] and seen["x"][1] < before[1]
    visitor.open(page.url.removeprefix(served.url))
    visitor.wait_for_pictures()
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
    page.wait_for_timeout(250)
    x, y = page.evaluate(MAP_AT)["points"][i]
    page.locator("#map .plot").click(position={"x": x, "y": y})
    expect(page.locator("h1")).to_have_text("Visa and passport rules")
    assert visitor.problems == []


def test_paths_from_and_to_a_topic_are_those_of_the_api(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys?view=paths")
    page = visitor.page
    query = {"topic_id": "start", "depth": "3", "direction": "from", "limit": "50"}
    paths = served.get("/v1/journeys/paths", served.full, **query)
    assert numbers(page, "#paths td.count") == [path["count"] for path in paths["data"]]
    page.locator("select[name=topic_id]").select_option("t_refund")
    page.wait_for_url("**topic_id=t_refund**")
    page.wait_for_selector("#view[aria-busy=false]")
    page.locator("select[name=direction]").select_option("to")
    page.wait_for_url("**direction=to**")
    page.wait_for_selector("#view[aria-busy=false]")
    towards = served.get("/v1/journeys/paths", served.full, **{**query, "topic_id": "t_refund", "direction": "to"})
    assert numbers(page, "#paths td.count") == [path["count"] for path in towards["data"]]
    assert visitor.problems == []


def test_a_funnel_is_built_step_by_step_and_stands_in_the_address(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys?view=funnel")
    page = visitor.page
    expect(page.locator("#funnel")).to_contain_text("Choose the topic")
    for step in ("t_flight_search", "t_hotel_search"):
        page.get_by_label("Topic of step").last.select_option(step)
        page.wait_for_url(f"**{step}**")
        page.wait_for_selector("#view[aria-busy=false]")
    page.get_by_label("Within").select_option("1 hour")
    page.wait_for_url("**within_s=3600**")
    page.wait_for_selector("#view[aria-busy=false]")
    query = {"steps": "t_flight_search,t_hotel_search", "within_s": "3600"}
    found = served.get("/v1/journeys/funnel", served.full, **query)["data"]
    assert numbers(page, "#funnel td.count") == [step["sessions"] for step in found]
    page.get_by_role("button", name="Move step 2 up").click()
    page.wait_for_url("**steps=t_hotel_search%2Ct_flight_search**")
    page.get_by_role("button", name="Remove step 1").click()
    page.wait_for_url(re.compile("steps=t_flight_search(&|$)"))
    assert visitor.problems == []


def test_a_session_is_read_message_by_message(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics/t_refund")
    page = visitor.page
    newest = served.get("/v1/messages", served.full, topic_id="t_refund", limit="1")["data"][0]
    page.locator("#messages tbody a").first.click()
    page.wait_for_url("**/sessions/**")
    expected = served.get(f"/v1/sessions/{newest['session_id']}", served.full)["data"]
    expect(page.locator(".talk .text")).to_have_text([message["text"] for message in expected])
    visitor.open("/sessions/nothing")
    expect(page.locator("h1")).to_have_text("There is no such session")


def test_a_long_session_is_read_a_page_at_a_time(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key)
    page = visitor.page
    messages = served.get("/v1/messages", served.full, limit="500")["data"]
    longest = Counter(each["session_id"] for each in messages).most_common(1)[0][0]
    expected = served.get(f"/v1/sessions/{longest}", served.full)["data"]
    assert len(expected) > 2
    at_once = len(expected) - 1
    page.route("**/v1/sessions?*", lambda route: route.continue_(url=f"{route.request.url}&limit={at_once}"))
    visitor.open(f"/sessions/{longest}")
    expect(page.locator(".talk .text")).to_have_count(at_once)
    expect(page.locator(".page-head")).to_contain_text(f"{len(expected):,} messages")
    page.get_by_role("button", name="Show later messages").click()
    expect(page.locator(".talk .text")).to_have_text([message["text"] for message in expected])
    expect(page.get_by_role("button", name="Show later messages")).to_be_hidden()
    assert visitor.problems == []


def test_a_link_to_a_session_leads_to_it_whatever_it_is_called(served: Served, visitor: Visitor) -> None:
    odd = ["q?b", "h#b", "a\\b", "a/b", "/", "100%", "%2F", "a;b", "a&b+c", "tab\tb", "line\nb", "é 日本", "..", "."]
    visitor.sign_in(served.full.read_key)
    visitor.page.evaluate(
        """async () => {
          const files = [...document.querySelectorAll("link[rel=modulepreload]")].map((each) => each.href);
          window.data = await import(files.find((each) => each.endsWith("/data.js")));
        }"""
    )
    links = visitor.page.evaluate("(ids) => ids.map((id) => data.sessionLink(id, 'prompt'))", odd)
    for name, link in zip(odd, links, strict=True):
        with visitor.page.expect_request("**/v1/sessions?**") as asked:
            visitor.go(link)
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(asked.value.url).query))
        assert (query["session_id"], query["field"]) == (name, "prompt")
        answer = visitor.page.request.get(served.url + link)
        assert answer.ok and 'id="view"' in answer.text(), link


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
    visitor.page.get_by_role("link", name="Usage").click()
    expect(visitor.page.locator("#plan")).to_contain_text("250,000")
    events = served.get("/v1/events", served.full)
    visitor.wait_for_pictures()
    days = visitor.page.evaluate("document.querySelector('#received .picture').data[0].y")
    assert sum(days) == events["n_events"] and numbers(visitor.page, "#names td.count") == [events["data"][0]["count"]]
    visitor.page.get_by_role("link", name="Keys").click()
    expect(visitor.page.locator("#keys")).to_contain_text("Only an admin key")
    visitor.open("/topics/t_refund")
    assert visitor.page.locator("#curate").count() == 0
    assert visitor.problems == []


def test_an_admin_renames_merges_and_hides_a_topic_and_takes_it_back(served: Served, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in(served.full.admin_key, "/topics/t_visa")
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
    expect(hidden.get_by_role("link")).to_have_text("t_visa")
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
