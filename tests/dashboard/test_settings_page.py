"""The settings: what an admin changes there, and what anyone else sees."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.test_overview import numbers


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


@pytest.mark.slow
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
    assert visitor.page.get_by_role("link", name="Keys").count() == 0
    visitor.open("/settings/keys")
    expect(visitor.page.locator("#keys")).to_contain_text("Only an owner")
    visitor.open("/topics/t_refund")
    assert visitor.page.locator("#curate").count() == 0
    assert visitor.problems == []


def test_an_owner_tries_what_is_masked_and_chooses_it(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.waiting.admin_key, "/settings/masking")
    page = visitor.page
    page.get_by_label("e-mail addresses").check()
    page.get_by_label("A text").fill("Mail ann@example.com, card 4111 1111 1111 1111.")
    page.get_by_role("button", name="Mask it").click()
    expect(page.locator("#masked")).to_have_text("Mail <EMAIL>, card 4111 1111 1111 1111.")
    page.get_by_label("Other kinds in some fields").fill("note: nothing\norder.payment: card, iban")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#masking")).to_contain_text("Saved.")
    page.reload()
    expect(page.get_by_label("e-mail addresses")).to_be_checked()
    expect(page.get_by_label("phone numbers")).not_to_be_checked()
    expect(page.get_by_label("Other kinds in some fields")).to_have_value("note: nothing\norder.payment: card, iban")
    page.get_by_label("Other kinds in some fields").fill("note: shoes")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#masking .problem")).to_contain_text("fields")
    page.get_by_label("Other kinds in some fields").fill("note")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#masking .problem")).to_contain_text("a colon and its kinds")
    page.get_by_label("Other kinds in some fields").fill("")
    page.get_by_label("e-mail addresses").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#masking")).to_contain_text("Saved.")
    assert [each for each in visitor.problems if "400" not in each] == []


def test_who_may_not_own_sees_no_rule_of_masking(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/settings/masking")
    expect(visitor.page.locator("#masking")).to_contain_text("Only an owner")
    assert visitor.problems == []
