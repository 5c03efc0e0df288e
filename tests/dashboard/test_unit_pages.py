"""The switch between messages, sessions and users, cohorts, and retention, in the browser and at the API."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor


def percent(share: float) -> str:
    return f"{round(share * 100)}%" if share >= 0.095 else f"{share * 100:.1f}%"


@pytest.mark.slow
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


UNITS = {
    "messages": (
        "/",
        "/topics?list=topics",
        "/topics?list=themes",
        "/topics/t_refund",
        "/journeys?level=0",
        "/journeys?level=0&shape=graph",
        "/journeys?level=1&view=paths&depth=2",
    ),
    "sessions": (
        "/journeys?view=funnel&steps=t_flight_search,t_hotel_search",
        "/journeys?view=friction",
        "/journeys?view=returns&level=0",
    ),
    "none": (
        "/journeys?view=funnel",
        "/journeys?view=outcomes",
        "/journeys?view=compare",
        "/journeys?view=compare&of=moves",
        "/answers",
        "/digest",
        "/settings",
    ),
}
"""Pages by what their switch says where the address does not; none: they have no switch."""
OF_ALL = ["Messages", "Sessions", "Users"]


def numbers(visitor: Visitor) -> list[str]:
    """The numbers that stand in the panels of a page, but for those that tell how fresh tables are."""
    shown = visitor.page.locator("#view .panel:not(#tables), #view .tiles")
    return re.findall(r"\d[\d,.]*", " ".join(shown.all_inner_texts()))


@pytest.mark.slow
def test_a_page_has_a_switch_only_where_it_changes_what_is_counted(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key)
    for first, addresses in UNITS.items():
        for address in addresses:
            between = "&" if "?" in address else "?"
            visitor.go(f"{address}{between}unit=users" if first == "none" else address)
            titles = visitor.page.get_by_role("group", name="Count").get_by_role("button").all_inner_texts()
            if first == "none":
                assert titles == [], address
                continue
            wanted = OF_ALL if first == "messages" else OF_ALL[1:]
            assert [{"Moves": "Messages"}.get(title, title) for title in titles] == wanted, address
            expect(visitor.page.locator(f"#unit-{first}")).to_have_attribute("aria-pressed", "true")
            seen = [numbers(visitor)]
            for unit in (title.lower() for title in wanted if title.lower() != first):
                visitor.go(f"{address}{between}unit={unit}")
                expect(visitor.page.locator(f"#unit-{unit}")).to_have_attribute("aria-pressed", "true")
                seen.append(numbers(visitor))
                assert all(each != seen[-1] for each in seen[:-1]), (address, unit)
    assert visitor.problems == []


@pytest.mark.slow
def test_loops_funnels_and_returns_are_told_in_users(served: Served, visitor: Visitor) -> None:
    steps = "t_flight_search,t_hotel_search"
    visitor.sign_in(served.full.read_key, f"/journeys?view=funnel&level=0&steps={steps}&unit=users")
    page = visitor.page
    funnel = served.get("/v1/journeys/funnel", served.full, steps=steps, unit="users")
    first, last = funnel["data"]
    expect(page.locator("#funnel .count")).to_have_text([f"{each['users']:,}" for each in (first, last)])
    share = percent(last["users"] / first["users"])
    expect(page.locator("#funnel .lead")).to_contain_text(f"{share} of {first['users']:,} users with the first step")
    visitor.go("/journeys?level=0&unit=users")
    loops = served.get("/v1/journeys/loops", served.full, unit="users")["data"]
    expect(page.locator("#loops .count")).to_have_text([f"{each['users']:,}" for each in loops[:10]])
    expect(page.locator("#loops thead")).to_contain_text("Users")
    visitor.go("/journeys?view=returns&level=0&unit=users")
    returns = served.get("/v1/journeys/returns", served.full, unit="users")
    for panel, rows in (("return-topics", returns["topics"]), ("return-pairs", returns["data"])):
        shown = page.locator(f"#{panel} .count")
        expect(shown).to_have_text([f"{each['users']:,}" for each in rows[:10]])
    expect(page.locator("#returns .picture")).to_have_attribute(
        "aria-label", re.compile(f"Users that came back .*: {returns['intervals'][0]['users']}")
    )
    visitor.wait_for_pictures()
    assert visitor.problems == []


def test_the_users_of_a_topic_are_compared_with_all_others(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics/t_refund")
    page = visitor.page
    label = page.locator("h1").inner_text()
    other = served.get("/v1/topics/t_visa", served.full)["label"]
    page.get_by_role("link", name="Compare its users").click()
    page.wait_for_url("**view=compare**")
    page.wait_for_selector("#view[aria-busy=false]")
    sides = {"a.cohort": "topic:t_refund", "b.cohort": "!topic:t_refund"}
    told = served.get("/v1/topics/compare", served.full, **sides)["n_sessions"]
    sizes = f"between {told['a']:,} sessions of A and {told['b']:,} of B"
    expect(page.locator("#compare .lead")).to_contain_text(sizes)
    titles = page.locator("#compare thead")
    expect(titles).to_contain_text(f"A: Users of {label}")
    expect(titles).to_contain_text(f"B: All but users of {label}")
    expect(page.locator("#compare .tells")).to_contain_text(f"Only in A: {label}")
    expect(page.locator("#compare")).to_contain_text("Overview may call chance what is marked here")
    expect(page.locator("#side-b option:checked")).to_have_text(f"All but users of {label}")
    # Who is chosen for one side makes all others the other, until people stand there that were chosen by themselves.
    page.locator("#side-b").select_option(label=f"Users of {other}")
    page.wait_for_url("**b.cohort=topic%3At_visa**")
    page.wait_for_selector("#view[aria-busy=false]")
    assert "a.cohort=topic%3At_refund" in page.url
    page.locator("#of-moves").click()
    page.wait_for_url("**of=moves**")
    page.wait_for_selector("#view[aria-busy=false]")
    both = served.get(
        "/v1/journeys/compare", served.full, **{"a.cohort": "topic:t_refund", "b.cohort": "topic:t_visa"}
    )["n_sessions"]
    expect(page.locator("#compare .lead")).to_contain_text(f"between {both['a']:,} sessions of A and {both['b']:,}")
    assert visitor.problems == []


@pytest.mark.slow
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


@pytest.mark.slow
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
