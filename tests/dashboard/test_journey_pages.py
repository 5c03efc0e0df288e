"""The pages of journeys: flow, graph, moves, paths, funnels, segments side by side, returns."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.test_overview import numbers, texts


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_two_segments_stand_side_by_side_with_what_differs(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys?view=compare&of=moves")
    page = visitor.page
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_friction_is_that_of_the_api_and_leads_to_its_sessions_and_evidence(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys?view=friction")
    page = visitor.page
    found = served.get("/v1/friction", served.full)
    assert numbers(page, "#signs td.count") == [sign["n_sessions"] for sign in found["data"]]
    topics = [topic["n_sessions"] for topic in found["topics"] if topic["n_with_friction"]]
    assert topics and numbers(page, "#friction-topics td.count") == topics[:10]
    moves = [move["n_sessions"] for move in found["moves"] if move["n_with_friction"]]
    assert moves and numbers(page, "#friction-moves td.count") == moves[:10]
    page.get_by_role("link", name="Gave up").click()
    page.wait_for_url("**sign=gave_up**")
    page.wait_for_selector("#view[aria-busy=false]")
    expect(page.locator("#friction-sessions")).to_have_count(0)
    page.get_by_role("link", name="Asked again in other words").click()
    page.wait_for_url("**sign=rephrased**")
    page.locator("#friction-sessions tbody a").first.click()
    page.wait_for_url("**/sessions/**")
    sign = page.locator(".mark.friction").first
    expect(sign).to_contain_text("Asked again in other words")
    expect(page.locator(str(sign.get_attribute("href")))).to_be_visible()
    sign.click()
    expect(page.locator("h1")).to_have_text("Session")
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
    page.wait_for_selector("#view[aria-busy=false]")
    page.get_by_role("button", name="Remove step 1").click()
    page.wait_for_url(re.compile("steps=t_flight_search(&|$)"))
    assert visitor.problems == []


@pytest.mark.slow
@pytest.mark.parametrize(("n_topics", "first"), [(30, "Topics"), (31, "Themes")])
def test_past_thirty_topics_themes_come_first(n_topics: int, first: str, served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key)
    page = visitor.page

    def with_more_topics(route: Route) -> None:
        answer = route.fetch().json()
        if "level=1" not in route.request.url:
            requests = [each for each in answer["data"] if each["topic_id"].startswith("t_")]
            more = range(n_topics - len(requests))
            answer["data"] += [{**requests[0], "topic_id": f"t_more_{n}", "label": f"More {n}"} for n in more]
        route.fulfill(json=answer)

    def with_as_many(route: Route) -> None:
        answer = route.fetch().json()
        route.fulfill(json=answer | {"topics": [each | {"n_topics": n_topics} for each in answer["topics"]]})

    page.route(re.compile(r"/v1/topics(\?|$)"), with_more_topics)
    page.route("**/v1/topics/fits", with_as_many)
    for path in ("/topics", "/journeys"):
        visitor.open(path)
        expect(page.locator("button[aria-pressed=true]", has_text=re.compile("^(Topics|Themes)$"))).to_have_text(first)
    starts = served.get("/v1/journeys/starts", served.full, level="1" if first == "Themes" else "0")["data"]
    assert texts(page, "#starts td:first-child") == [start["label"] for start in starts[:10]]
    page.get_by_role("button", name="Topics" if first == "Themes" else "Themes", exact=True).click()
    page.wait_for_url(f"**level={0 if first == 'Themes' else 1}**")
    assert visitor.problems == []
