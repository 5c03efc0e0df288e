"""Changes on the pages: every figure is that of the one definition, and each leads to its sessions."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections import defaultdict
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.dashboard import planted_lake
from tests.dashboard.conftest import Served, Visitor
from turret_api.accounts import Accounts, NewProject
from turret_api.command.sample import SampleMessage, make_sample

DOUBLED = "t_refund"


def with_change(now: dt.datetime) -> list[SampleMessage]:
    """A month of the sample, in which sessions about refunds were rare until a week ago."""
    dice = random.Random(1)
    sessions: dict[str, list[SampleMessage]] = defaultdict(list)
    for message in make_sample(now, n_sessions=1000, days=30):
        sessions[message.event["session_id"]].append(message)
    border = (now - dt.timedelta(days=7, hours=now.hour, minutes=now.minute)).isoformat()
    kept = [
        session
        for session in sessions.values()
        if session[0].event["timestamp"] >= border
        or all(each.topic != "refund" for each in session)
        or dice.random() < 0.15
    ]
    return [message for session in kept for message in session]


@pytest.fixture(scope="module")
def changing(served: Served, database_url: str) -> Iterator[NewProject]:
    accounts = Accounts(database_url)
    project = accounts.create_project("Changing")
    accounts.close()
    planted_lake.fill(served.settings.open_lake(), project.project_id, with_change(dt.datetime.now(dt.UTC)))
    yield project


def figure(place: Locator) -> int | None:
    """The change that a place shows, in percent; None: a dash."""
    text = place.locator(".change").first.inner_text() if place.locator(".change").count() else None
    if text is None or text == "=":
        return None if text is None else 0
    number = int(text.split()[1].rstrip("%").replace(",", ""))
    return number if text.startswith("▲") else -number


def percent(change: float | None) -> int | None:
    return None if change is None else int(change * 100 + (0.5 if change > 0 else -0.5))


def near(shown: int | None, change: float | None) -> bool:
    expected = percent(change)
    return shown == expected or (shown is not None and expected is not None and abs(shown - expected) <= 1)


@pytest.mark.slow
def test_every_change_on_every_page_is_that_of_one_definition(
    served: Served, changing: NewProject, visitor: Visitor
) -> None:
    topics = {topic["topic_id"]: topic for topic in served.get("/v1/topics", changing)["data"]}
    changes = served.get("/v1/changes", changing)
    told = {each["topic_id"]: each["change"] for each in changes["data"] if each["kind"] == "topic"}
    assert told == pytest.approx({topic_id: topics[topic_id]["change"] for topic_id in told})
    assert {topic["change"] for topic in topics.values()} != {None}
    visitor.sign_in(changing.read_key)
    page = visitor.page
    found = 0
    for path, rows in (("/", "#topics tbody tr"), ("/topics?list=topics", "#topics tbody tr")):
        visitor.open(path)
        for row in page.locator(rows).all():
            topic = topics[str(row.get_attribute("data-topic"))]
            assert near(figure(row.locator("td[data-title='7 days']")), topic["change"])
            mark = row.locator(".mark.growing, .mark.fading, .mark.new")
            if mark.count():
                up = mark.inner_text() != "fading"
                assert topic["change"] is None or (topic["change"] > 0) == up
            found += 1
    visitor.open("/")
    for row in page.locator("#changes tbody tr[data-kind=topic]").all():
        topic = topics[str(row.get_attribute("data-topic"))]
        assert near(figure(row.locator("td[data-title=Change]")), topic["change"])
        found += 1
    visitor.open(f"/topics/{DOUBLED}")
    assert near(figure(page.locator(".tile", has_text="Last 7")), topics[DOUBLED]["change"])
    visitor.open("/journeys?view=compare&level=0")
    for row in page.locator("#compare tbody tr").all():
        if (topic := topics.get(str(row.get_attribute("data-topic")))) is not None:
            assert near(figure(row.locator("td.change-of")), topic["change"])
            found += 1
    assert found > 30
    assert visitor.problems == []


@pytest.mark.slow
def test_overview_begins_with_what_changed_and_leads_to_as_many_sessions_as_it_says(
    served: Served, changing: NewProject, visitor: Visitor
) -> None:
    found = served.get("/v1/changes", changing)["data"]
    refunds = next(each for each in found if each["topic_id"] == DOUBLED and each["kind"] == "topic")
    visitor.sign_in(changing.read_key)
    page = visitor.page
    panel = page.locator("section.panel").first
    expect(panel).to_have_attribute("id", "changes")
    expect(panel.locator("tbody tr")).to_have_count(len(found))
    for number, each in enumerate(found[:4]):
        row = panel.locator("tbody tr").nth(number)
        expect(row.locator("td").first).to_contain_text(each["label"] or "sessions")
        row.get_by_role("link", name="Read sessions").click()
        page.wait_for_url("**/journeys**began_from**")
        page.wait_for_selector("#view[aria-busy=false]")
        n = each["before"] if each["direction"] == "gone" else each["now"]
        expect(page.locator("section.panel").nth(0)).to_have_attribute("id", "behind")
        assert re.search(r"([\d,]+) session", page.locator("#behind").inner_text().split("that began")[1])
        expect(page.locator("#behind")).to_contain_text(f"{n:,} session")
        if each["kind"] == "topic":
            whose = page.locator("#behind").get_by_role("link", name="Use its users as a cohort")
            expect(whose).to_have_attribute("href", re.compile(rf"cohort=topic(:|%3A){each['topic_id']}"))
        visitor.open("/")
    assert refunds["direction"] in ("up", "new")
    assert visitor.problems == []


def test_where_history_is_too_short_overview_says_what_is_missing(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.chats.read_key)
    expect(visitor.page.locator("#changes")).to_contain_text("Changes need 14 whole days; there are 3.")
    assert visitor.problems == []


@pytest.mark.slow
def test_compare_opens_with_topics_of_the_last_week_and_takes_dates_releases_and_moves(
    served: Served, changing: NewProject, visitor: Visitor
) -> None:
    visitor.sign_in(changing.read_key, "/journeys?view=compare&level=0")
    page = visitor.page
    whole = served.get("/v1/topics", changing)["whole_days"]
    last = dt.date.fromisoformat(whole["last"])
    day = dt.timedelta(1)
    week = {
        "a.from": str(last - 6 * day),
        "a.to": str(last + day),
        "b.from": str(last - 13 * day),
        "b.to": str(last - 6 * day),
    }
    found = served.get("/v1/topics/compare", changing, **week, limit="100")
    topics = "rows => rows.map((row) => row.dataset.topic)"
    assert page.locator("#compare tbody tr").evaluate_all(topics) == [row["topic_id"] for row in found["data"]][:25]
    assert page.locator("#compare tr.sure").count() == sum(row["mark"] is not None for row in found["data"][:25]) > 0
    expect(page.locator("#compare .tells")).to_contain_text("Grew")
    page.locator("#release").fill(str(last - 9 * day))
    page.wait_for_url("**release=**")
    page.wait_for_selector("#view[aria-busy=false]")
    release = served.get("/v1/topics/compare", changing, release=str(last - 9 * day))
    expect(page.locator("#compare .lead")).to_contain_text(f"{release['n_sessions']['a']:,} session")
    assert page.locator("#noted-release").count() == 0
    httpx.post(
        served.url + "/v1/annotations",
        json={"date": str(last - 8 * day), "text": "Version 2 <b>", "kind": "release"},
        headers={"X-API-Key": changing.admin_key},
        timeout=30,
    ).raise_for_status()
    visitor.open(f"/journeys?view=compare&level=0&release={last - 9 * day}")
    noted = page.locator("#noted-release")
    noted.select_option(noted.locator("option", has_text="Version 2 <b>").get_attribute("value"))
    page.wait_for_url(f"**release={last - 8 * day}**")
    page.wait_for_selector("#view[aria-busy=false]")
    release = served.get("/v1/topics/compare", changing, release=str(last - 8 * day))
    expect(page.locator("#compare .lead")).to_contain_text(f"{release['n_sessions']['a']:,} session")
    page.locator("#side-a").select_option(label="Last 7 whole days")
    page.wait_for_url("**a.from=**")
    page.locator("#side-b").select_option(label="channel: web")
    page.wait_for_url("**b.segment.channel=web**")
    page.locator("#of-moves").click()
    page.wait_for_url("**of=moves**")
    page.wait_for_selector("#view[aria-busy=false]")
    query = {"a.from": week["a.from"], "a.to": week["a.to"], "b.segment.channel": "web"}
    moves = served.get("/v1/journeys/compare", changing, **query, limit="100")
    ends = "rows => rows.map((r) => [r.dataset.from, r.dataset.to])"
    assert page.locator("#compare tbody tr").evaluate_all(ends) == [[e["from"], e["to"]] for e in moves["data"][:25]]
    expect(page.locator("#compare .lead")).to_contain_text("on both sides")
    assert visitor.problems == []
