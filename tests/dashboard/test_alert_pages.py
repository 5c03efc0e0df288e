"""Alerts: an admin adds rules and targets, tests them, and sends dead letters again; who may only look sees them."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from turret_api.accounts import Accounts, NewProject
from turret_api.alerts.book import AlertBook
from turret_api.alerts.outbox import Outbox, SendError
from turret_api.alerts.rules import Filters, Found
from turret_api.alerts.store import AlertStore

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def told(served: Served, database_url: str) -> Iterator[NewProject]:
    """A project with an open alert, one that has ended, and a dead letter, whose words are markup."""
    with contextlib.closing(Accounts(database_url)) as accounts:
        store, book, outbox = AlertStore(accounts), AlertBook(accounts), Outbox(accounts)
        project_id = served.hostile.project_id
        target = store.add_target(project_id, "webhook", "<b>Pager</b>", "https://example.com/hook/secret-token")
        rule = store.add_rule(
            project_id, "<i>Growing</i>", "growing_topic", Filters(least_sessions=20), None, urgent=True
        )
        rules = store.rules(project_id)
        ended = Found("s1", "<img src=x onerror=alert(1)> grew.", {"kind": "topic", "topic_id": None}, None, 7)
        still = Found("s2", "“Cards” is new.", {"kind": "topic", "topic_id": "t_card", "field": "prompt"}, None, 7)
        book.note(project_id, rules, {rule.rule_id: [ended, still]}, NOW)
        book.note(project_id, rules, {rule.rule_id: [still]}, NOW)
        for delivery in outbox.claim(NOW + dt.timedelta(seconds=1)):
            outbox.failed(delivery, SendError("example.com answered 500", is_final=True), NOW)
        yield served.hostile
        store.remove_rule(project_id, rule.rule_id)
        store.remove_target(project_id, target.target_id)


def test_what_was_found_is_shown_as_text_and_dead_letters_are_sent_again(
    served: Served, visitor: Visitor, told: NewProject
) -> None:
    visitor.sign_in(told.admin_key, "/alerts")
    page = visitor.page
    rows = page.locator("#found tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="“Cards” is new.")).to_contain_text("open")
    expect(rows.filter(has_text="<img src=x")).to_contain_text("ended")
    assert "/topics/t_card" in str(rows.get_by_role("link", name="“Cards” is new.").get_attribute("href"))
    page.get_by_role("link", name="Messages").click()
    row = page.locator("#messages tbody tr")
    expect(row).to_contain_text("given up")
    expect(row).to_contain_text("example.com answered 500")
    row.get_by_role("button", name="Send again").click()
    expect(page.locator("#messages tbody tr")).to_contain_text("waits")
    assert visitor.problems == []


def test_an_admin_adds_a_target_that_says_its_secret_once_tests_it_and_removes_it(
    served: Served, visitor: Visitor
) -> None:
    visitor.sign_in(served.full.admin_key, "/alerts?view=targets")
    page = visitor.page
    page.get_by_label("Kind").select_option("webhook")
    page.get_by_label("Its name").fill("Own hook")
    page.get_by_label("Address").fill("http://127.0.0.1:1/hook")
    page.get_by_role("button", name="Add the target").click()
    expect(page.locator("#new-target .problem")).to_contain_text("not a public address")
    page.get_by_label("Address").fill("https://turret.invalid/hook/abcdef")
    page.get_by_label("Quiet hours", exact=True).check()
    page.locator("select[name=digest]").select_option("friday")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Add the target").click()
    expect(page.locator("#the-secret")).to_contain_text("whsec_")
    page.get_by_role("button", name="Done").click()
    row = page.locator("#targets tbody tr")
    expect(row).to_contain_text("https://turret.invalid/…cdef")
    expect(row).to_contain_text("20:00 to 07:30, Europe/Berlin")
    expect(row).to_contain_text("each Friday at 8:00, Europe/Berlin")
    row.get_by_role("button", name="Send a test").click()
    expect(row.locator(".test-result")).to_contain_text("It did not arrive: turret.invalid cannot be reached")
    row.get_by_role("button", name="Remove").click()
    row.get_by_role("button", name="Really remove").click()
    expect(page.locator("#targets")).to_contain_text("There are no targets yet")
    assert [line for line in visitor.problems if "400" not in line] == []


def test_an_admin_adds_a_rule_whose_inputs_follow_its_kind_and_removes_it(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.admin_key, "/alerts?view=rules")
    page = visitor.page
    kind = page.get_by_label("Tell me when")
    kind.select_option("silence")
    expect(page.get_by_label("Sessions, at least")).to_have_count(0)
    page.get_by_label("Hours without an event").fill("3")
    page.get_by_label("Urgent").check()
    page.get_by_role("button", name="Add the rule").click()
    row = page.locator("#rules tbody tr")
    expect(row).to_contain_text("No event comes any more 3 hours")
    expect(row).to_contain_text("urgent")
    kind.select_option("outcome")
    page.get_by_label("Direction").select_option("down")
    page.get_by_label("Change in percent, at least").fill("20")
    page.get_by_label("Its name").fill("Worse")
    page.get_by_role("button", name="Add the rule").click()
    expect(page.locator("#rules tbody tr").nth(1)).to_contain_text("only down, by 20% or more")
    listed = httpx.get(f"{served.url}/v1/alerts/rules", headers={"X-API-Key": served.full.read_key}, timeout=60).json()[
        "data"
    ]
    assert [(each["kind"], each["urgent"]) for each in listed] == [("silence", True), ("outcome", False)]
    assert listed[1]["filters"]["least_change"] == 0.2 and listed[1]["filters"]["direction"] == "down"
    for each in listed:
        row = page.locator(f'#rules tr[data-rule="{each["rule_id"]}"]')
        row.get_by_role("button", name="Remove").click()
        row.get_by_role("button", name="Really remove").click()
        expect(row).to_have_count(0)
    expect(page.locator("#rules")).to_contain_text("There are no rules yet")
    assert visitor.problems == []


def test_who_may_only_look_is_offered_no_change_of_alerts(served: Served, visitor: Visitor, told: NewProject) -> None:
    visitor.sign_in(told.read_key, "/alerts")
    page = visitor.page
    expect(page.locator(".page-head")).to_contain_text("You are signed in as an analyst")
    for view, panel in (("rules", "#rules"), ("targets", "#targets"), ("messages", "#messages")):
        visitor.go(f"/alerts?view={view}")
        expect(page.locator(f"{panel} tbody tr")).to_have_count(1)
        assert page.locator(f"{panel} tbody button, main form").count() == 0
    assert visitor.problems == []
