"""The switch between messages, sessions and users, cohorts, and retention, in the browser and at the API."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor


def percent(share: float) -> str:
    return f"{round(share * 100)}%" if share >= 0.095 else f"{share * 100:.1f}%"


@pytest.mark.parametrize("unit", ["sessions", "users"])
def test_the_switch_changes_what_the_pages_count(served: Served, visitor: Visitor, unit: str) -> None:
    visitor.sign_in(served.full.read_key)
    page = visitor.page
    page.locator(f"#unit-{unit}").click()
    page.wait_for_url(f"**unit={unit}**")
    page.wait_for_selector("#view[aria-busy=false]")
    answer = served.get("/v1/topics", served.full, unit=unit)
    expect(page.locator("#volume-title")).to_have_text(f"{unit.title()} a day")
    expect(page.locator("#n-users dd:not(.fine)")).to_have_text(f"{answer['n_users']:,}")
    expect(page.locator("#assigned dd.fine")).to_have_text(f"{answer[f'n_{unit}'] - answer['n_with_topic']:,} without")
    visitor.go(f"/topics?unit={unit}&list=topics")
    shown = page.locator("#topics tbody tr")
    ids = [row.get_attribute("data-topic") for row in shown.all()]
    assert ids == [topic["topic_id"] for topic in answer["data"]]
    sizes = page.locator("#topics tbody .size").all_inner_texts()
    assert sizes == [f"{topic[f'n_{unit}']:,}" for topic in answer["data"]]
    topic = answer["data"][0]
    shown.first.locator("a").click()
    page.wait_for_url(f"**/topics/{topic['topic_id']}?**unit={unit}**")
    page.wait_for_selector("#view[aria-busy=false]")
    expect(page.locator(".tiles dd").first).to_have_text(f"{topic[f'n_{unit}']:,}")
    expect(page.locator(f"#unit-{unit}")).to_have_attribute("aria-pressed", "true")
    visitor.go(f"/journeys?unit={unit}&level=0")
    graph = served.get("/v1/journeys", served.full, unit=unit)
    edges = {(edge["from"], edge["to"]): edge for edge in graph["edges"]}
    for row in page.locator("#moves tbody tr").all()[:5]:
        edge = edges[row.get_attribute("data-from") or "", row.get_attribute("data-to") or ""]
        assert row.locator(".count").inner_text() == f"{edge[unit]:,}"
    assert visitor.problems == []


def test_the_users_of_a_topic_are_a_filter_that_every_page_keeps(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics/t_refund")
    page = visitor.page
    label = page.locator("h1").inner_text()
    page.get_by_role("link", name="Use its users as a cohort").click()
    page.wait_for_url("**cohort=topic%3At_refund**")
    page.wait_for_selector("#view[aria-busy=false]")
    wanted = served.get("/v1/topics", served.full, cohort="topic:t_refund")
    assert 0 < wanted["n_messages"] < served.get("/v1/topics", served.full)["n_messages"]
    expect(page.locator("#n-messages dd:not(.fine)")).to_have_text(f"{wanted['n_messages']:,}")
    page.get_by_role("link", name="Journeys", exact=True).first.click()
    page.wait_for_url("**/journeys?**cohort=**")
    page.wait_for_selector("#view[aria-busy=false]")
    chip = page.locator(".chips button")
    expect(chip).to_contain_text(f"Users of {label}")
    expect(chip).to_have_accessible_name(f"Remove filter Users of {label}")
    n_sessions = served.get("/v1/journeys", served.full, cohort="topic:t_refund")["n_sessions"]
    expect(page.locator(".page-head")).to_contain_text(f"{n_sessions:,} sessions")
    chip.click()
    page.wait_for_url(re.compile(r"/journeys(?!.*cohort)"))
    expect(page.locator(".chips")).to_have_count(0)
    assert visitor.problems == []


def test_the_users_of_a_path_are_a_filter_too(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys?view=paths&level=0&depth=1")
    page = visitor.page
    topics = served.get("/v1/journeys/paths", served.full, topic_id="start", depth="1")["data"][0]["topics"]
    page.locator("#paths tbody tr").first.get_by_role("link", name="Its users").click()
    page.wait_for_url("**cohort=**")
    page.wait_for_selector("#view[aria-busy=false]")
    wanted = served.get("/v1/journeys", served.full, cohort="path:" + ">".join(topics))["n_sessions"]
    expect(page.locator(".page-head")).to_contain_text(f"{wanted:,} sessions")
    expect(page.locator(".chips button")).to_contain_text("Users of Start →")
    assert visitor.problems == []


def test_retention_is_shown_by_topic_beside_all_users(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/journeys?view=returns&level=0&by=day")
    page = visitor.page
    answer = served.get("/v1/retention", served.full, by="day", periods="14")
    first = answer["all"][0]
    expect(page.locator("#retention .lead")).to_contain_text(f"against {percent(first['share'])} of all")
    row = page.locator("#retention tbody tr[data-topic=all] td")
    expect(row.nth(1)).to_have_text(f"{answer['n_users']:,}")
    expect(row.nth(2)).to_contain_text(percent(first["share"]))
    topic = next(each for each in answer["data"] if each["periods"])
    drawn = page.locator(f"#retention tr[data-topic={topic['topic_id']}]")
    expect(drawn.locator("td").nth(1)).to_have_text(f"{topic['n_users']:,}")
    last = answer["starts"][-1]
    assert last["n_back"][0] is None
    newest = page.locator("#triangle tbody tr").first.locator("td")
    expect(newest.nth(1)).to_have_text(f"{last['n_users']:,}")
    expect(newest.nth(2)).to_have_text("\N{EN DASH}")
    drawn.get_by_role("link", name=re.compile("Leave out")).click()
    page.wait_for_url("**began=**")
    visitor.wait_for_pictures()
    assert visitor.problems == []
