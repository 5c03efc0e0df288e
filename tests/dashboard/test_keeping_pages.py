"""Settings → Keeping, and what pages say of texts that are gone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.read.conftest import SESSIONS, write_lake
from tests.read.gone import let_go
from turret_api.accounts import Accounts, NewProject


@pytest.fixture(scope="module")
def forgetful(served: Served, database_url: str) -> Iterator[NewProject]:
    """A project whose first day's texts are gone."""
    accounts = Accounts(database_url)
    made = accounts.create_project("Forgetful")
    lake = served.settings.open_lake()
    write_lake(lake, made.project_id, SESSIONS)
    let_go(lake, made.project_id, dt.date(2026, 3, 1))
    yield made
    accounts.close()


def test_an_owner_chooses_how_long_texts_are_kept_and_sees_what_went(
    served: Served, visitor: Visitor, forgetful: NewProject
) -> None:
    visitor.sign_in(forgetful.admin_key, "/settings/keeping")
    page = visitor.page
    expect(page.locator("#removals tbody tr")).to_have_text(["Mar 21, 2026, 1:17 AMall texts, and idsMar 120 days55"])
    page.get_by_label("Days for which everything is kept").fill("90")
    page.get_by_label("Days for which prompt is kept").fill("30")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#keeping")).to_contain_text("Saved. 10 events are over, and go with the next daily run")
    page.reload()
    expect(page.locator("#keeping [role=status]")).to_contain_text("10 events are over")
    expect(page.get_by_label("Days for which everything is kept")).to_have_value("90")
    expect(page.get_by_label("Days for which prompt is kept")).to_have_value("30")
    page.get_by_label("Days for which prompt is kept").fill("100")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#keeping .problem")).to_contain_text("after 90 days all texts are removed")
    assert [each for each in visitor.problems if "400" not in each] == []


def test_who_may_not_own_sees_no_rule_of_keeping(visitor: Visitor, forgetful: NewProject) -> None:
    visitor.sign_in(forgetful.read_key, "/settings/keeping")
    expect(visitor.page.locator("#keeping")).to_contain_text("Only an owner")
    assert visitor.problems == []


def test_a_text_that_is_gone_says_so_wherever_it_stood(visitor: Visitor, forgetful: NewProject) -> None:
    visitor.sign_in(forgetful.read_key, "/sessions/s1")
    page = visitor.page
    words = "The text was removed on 2026-03-21, after 20 days."
    expect(page.locator(".talk .text")).to_have_text([words] * 5)
    visitor.open("/topics/t_refund")
    expect(page.locator("#messages")).to_contain_text(words)
    visitor.open("/topics?q=refund")
    expect(page.locator("#gone")).to_have_text("Not searched: 5 messages whose text was removed.")
    assert visitor.problems == []
