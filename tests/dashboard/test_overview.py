"""The first page shows what the API answers: the same numbers, in words and in pictures."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard.conftest import Served, Visitor


def texts(page: Page, selector: str) -> list[str]:
    return page.locator(selector).all_inner_texts()


def numbers(page: Page, selector: str) -> list[int]:
    return [int(text.replace(",", "")) for text in texts(page, selector)]


def test_the_numbers_on_the_page_are_those_of_the_api(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key)
    page = visitor.page
    topics = served.get("/v1/topics", served.full)
    journeys = served.get("/v1/journeys", served.full)
    project = served.get("/v1/project", served.full)

    assert numbers(page, "#n-messages dd:not(.fine)") == [topics["n_messages"]]
    assert numbers(page, "#n-sessions dd:not(.fine)") == [journeys["n_sessions"]]
    assert numbers(page, "#n-topics dd:not(.fine)") == [len(topics["data"])]
    assert f"{topics['n_unassigned']:,} without" in page.locator("#assigned").inner_text()
    assert "Trial" in page.locator("#usage").inner_text() and "250,000" in page.locator("#usage").inner_text()

    top = topics["data"][:8]
    assert texts(page, "#topics .topic-name") == [topic["label"] for topic in top]
    assert numbers(page, "#topics td.size") == [topic["size"] for topic in top]

    inner = [edge for edge in journeys["edges"] if edge["from"] != "start" and edge["to"] != "end"]
    top_moves = sorted(inner, key=lambda edge: (-edge["count"], f"{edge['from']} {edge['to']}"))[:10]
    assert numbers(page, "#moves td.count") == [edge["count"] for edge in top_moves]
    first = page.locator("#moves tbody tr").first
    assert (first.get_attribute("data-from"), first.get_attribute("data-to")) == (
        top_moves[0]["from"],
        top_moves[0]["to"],
    )

    assert texts(page, "#tables li span:first-child") == [each["table"].replace("_", " ") for each in project["tables"]]
    expect(page.locator("#freshness")).to_contain_text("Built")
    expect(page.locator("#field")).to_contain_text("prompt")
    assert visitor.problems == []


def test_the_pictures_show_every_message_topic_and_session(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key)
    visitor.wait_for_pictures()
    page = visitor.page
    topics = served.get("/v1/topics", served.full)
    days = page.evaluate("document.querySelector('#volume .picture').data[0].y")
    assert sum(days) == topics["n_messages"]
    circles = page.evaluate("document.querySelector('#map .picture').map.topics.map((topic) => topic.topic_id)")
    assert page.locator("#map circle").count() == len(topics["data"])
    assert sorted(circles) == sorted(topic["topic_id"] for topic in topics["data"])

    flow = page.evaluate(
        "(() => { const d = document.querySelector('#journeys .picture').data[0];"
        " return { labels: d.node.label, source: d.link.source, target: d.link.target, value: d.link.value } })()"
    )
    start = flow["labels"].index("Start")
    n_sessions = served.get("/v1/journeys", served.full)["n_sessions"]
    assert sum(v for s, v in zip(flow["source"], flow["value"], strict=True) if s == start) == n_sessions
    assert {"Start", "End", "No topic"} <= set(flow["labels"])
    for node in set(flow["source"]) - {start}:
        entered = sum(v for t, v in zip(flow["target"], flow["value"], strict=True) if t == node)
        assert entered == sum(v for s, v in zip(flow["source"], flow["value"], strict=True) if s == node)
    assert visitor.problems == []


@pytest.mark.slow
def test_what_takes_long_is_asked_when_the_first_numbers_are_there(served: Served, visitor: Visitor) -> None:
    pages = {
        "/": ("**/v1/topics?*", {"/v1/changes", "/v1/journeys", "/v1/journeys/paths"}),
        "/topics": ("**/v1/topics?*", {"/v1/topics/map"}),
        "/topics/t_refund": ("**/v1/topics?*", {"/v1/topics/t_refund", "/v1/messages", "/v1/answers"}),
        "/journeys?view=friction": ("**/v1/friction*", {"/v1/topics", "/v1/journeys"}),
        "/digest": ("**/v1/digest?*brief=true*", {"/v1/digest"}),
    }
    visitor.sign_in(served.full.read_key, "/settings/project")
    page = visitor.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    held: list[Route] | None = None

    def hold(route: Route) -> None:
        if held is None:
            route.continue_()
        else:
            held.append(route)

    for path, (first, others) in pages.items():
        held = []
        asked.clear()
        page.route(first, hold)
        page.goto(served.url + path)
        expect(page.locator("#view .skeleton").first).to_be_visible()
        while not held:
            page.wait_for_timeout(50)
        page.wait_for_timeout(200)
        before, waiting, held = list(asked), held, None
        for route in waiting:
            route.continue_()
        page.wait_for_selector("#view[aria-busy=false]")
        later = set(asked[len(before) :])
        assert others <= later, path
        assert not others & {each for each in before if each != urlsplit(waiting[0].request.url).path}, path
        page.unroute(first)


@pytest.mark.slow
def test_a_click_on_a_topic_opens_it_and_back_leads_back(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key)
    row = visitor.page.locator("#topics tbody tr").first
    label, topic_id = row.locator(".topic-name").inner_text(), row.get_attribute("data-topic")
    row.locator("td.size").click()
    expect(visitor.page.locator("h1")).to_have_text(label)
    assert f"/topics/{topic_id}" in visitor.page.url
    visitor.page.go_back()
    expect(visitor.page.locator("h1")).to_have_text("Overview")


def test_pages_allow_no_foreign_script_and_no_other_host(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key)
    answer = visitor.page.goto(served.url)
    assert answer is not None
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["script-src"] == "'self'" and policy["default-src"] == "'none'" and policy["connect-src"] == "'self'"
    assert "unsafe" not in policy["style-src-elem"]
    assert "http" not in answer.headers["content-security-policy"]
    visitor.wait_for_pictures()
    # Plotly's own font and logo stay away too: nothing but this host was asked (`problems` would say).
    assert visitor.problems == []


def test_a_page_whose_answers_are_of_different_states_asks_again_once(served: Served, visitor: Visitor) -> None:
    asked: list[str] = []

    def as_before_a_build(route: Route) -> None:
        asked.append(route.request.url)
        answer = route.fetch()
        first = {"State": "of before", "ETag": '""'} if len(asked) == 1 else {}
        route.fulfill(response=answer, headers=answer.headers | first)

    visitor.page.route("**/v1/journeys?*", as_before_a_build)
    visitor.sign_in(served.full.read_key)
    expect(visitor.page.locator("#view")).to_have_attribute("aria-busy", "false")
    assert [urlsplit(url).path for url in asked] == ["/v1/journeys"] * 2
    assert numbers(visitor.page, "#n-sessions dd:not(.fine)") == [served.get("/v1/journeys", served.full)["n_sessions"]]
    assert visitor.problems == []
