"""The first page shows what the API answers: the same numbers, in words and in pictures."""

from __future__ import annotations

from playwright.sync_api import Page, expect

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
    fields = served.get("/v1/fields", served.full)["data"]

    assert numbers(page, "#n-messages dd") == [topics["n_messages"]]
    assert numbers(page, "#n-sessions dd") == [journeys["n_sessions"]]
    assert numbers(page, "#n-topics dd") == [len(topics["data"])]
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

    assert texts(page, "#fields .field-name") == [field["field"] for field in fields]
    assert texts(page, "#fields .type") == [field["type"] for field in fields]
    assert numbers(page, "#fields td.events") == [field["n_events"] for field in fields]
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
    bubbles = page.evaluate("document.querySelector('#map .picture').data[0].customdata")
    assert sorted(bubbles) == sorted(topic["topic_id"] for topic in topics["data"])

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
    assert "http" not in answer.headers["content-security-policy"]
    visitor.wait_for_pictures()
    # Plotly's own font and logo stay away too: nothing but this host was asked (`problems` would say).
    assert visitor.problems == []


def test_it_fits_a_phone_and_the_dark(served: Served, visitor: Visitor) -> None:
    page = visitor.page
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme="dark")
    visitor.sign_in(served.full.read_key)
    for path in ("/", "/topics", "/journeys", "/settings"):
        visitor.open(path)
        visitor.wait_for_pictures()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, (path, wide)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(16, 16, 18)"
    assert visitor.problems == []
