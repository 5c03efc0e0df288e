"""What people write down on the pages, saved views, sums by topic, and the digest."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.test_overview import numbers, texts


@pytest.fixture
def clean(served: Served) -> Iterator[None]:
    """After the test nothing is written down any more."""
    yield
    headers = {"X-API-Key": served.full.admin_key}
    lists = {"/v1/annotations": "annotation_id", "/v1/views": "view_id", "/v1/topics/notes": "note_id"}
    for path, name in lists.items():
        for each in served.get(path, served.full)["data"]:
            of_topic = f"/v1/topics/{each.get('topic_id')}/notes" if name == "note_id" else path
            httpx.delete(f"{served.url}{of_topic}/{each[name]}", headers=headers, timeout=30).raise_for_status()


def newest_day(served: Served) -> str:
    return str(served.get("/v1/topics", served.full)["messages_per_day"][-1]["date"])


@pytest.mark.slow
@pytest.mark.usefixtures("clean")
def test_an_annotation_is_a_mark_in_the_charts_and_a_line_below_until_it_is_removed(
    served: Served, visitor: Visitor
) -> None:
    visitor.sign_in(served.full.admin_key)
    page = visitor.page
    page.locator("#volume summary", has_text="Annotate").click()
    page.get_by_label("What happened").fill("Version 2 <b>")
    page.get_by_label("A release").check()
    page.get_by_role("button", name="Annotate", exact=True).click()
    line = page.locator("#volume .annotations li")
    expect(line).to_contain_text("release Version 2 <b>")
    (stored,) = served.get("/v1/annotations", served.full)["data"]
    assert (stored["date"], stored["kind"]) == (newest_day(served), "release")
    visitor.wait_for_pictures()
    shapes = "document.querySelector('{0} .picture').layout.shapes.length"
    assert page.evaluate(shapes.format("#volume")) == 1
    visitor.go("/topics/t_refund")
    visitor.wait_for_pictures()
    assert page.evaluate(shapes.format("#series")) == 1
    remove = page.locator("#series .annotations").get_by_role("button")
    remove.click()
    expect(remove).to_have_text("Really remove?")
    remove.click()
    expect(page.locator("#series .annotations")).to_have_count(0)
    assert served.get("/v1/annotations", served.full)["data"] == []
    assert visitor.problems == []


@pytest.mark.slow
@pytest.mark.usefixtures("clean")
def test_a_note_is_written_read_and_removed_on_its_topics_page(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.admin_key, "/topics/t_refund")
    page = visitor.page
    page.get_by_label("A note on this topic").fill("Ask the bank\nfirst")
    page.locator("#notes").get_by_role("button", name="Add").click()
    note = page.locator("#notes li")
    expect(note).to_contain_text("Ask the bank")
    expect(note).to_contain_text("A key without a name")
    reader = Visitor(page, served.url, visitor.problems)
    reader.sign_in(served.full.read_key, "/topics/t_refund")
    expect(note).to_contain_text("Ask the bank")
    expect(page.locator("#notes").get_by_role("button", name="Remove")).to_have_count(0)
    visitor.sign_in(served.full.admin_key, "/topics/t_refund")
    page.get_by_role("button", name="Remove the note").click()
    page.get_by_role("button", name="Really remove the note?").click()
    expect(note).to_have_count(0)
    assert visitor.problems == []


@pytest.mark.slow
@pytest.mark.usefixtures("clean")
def test_a_view_is_saved_opened_renamed_and_removed_and_a_read_key_opens_it(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.admin_key, "/topics?segment.plan=plus")
    page, views = visitor.page, visitor.page.locator("#views")
    page.get_by_role("button", name="Save this view…").click()
    expect(page.locator("#view-name")).to_be_focused()
    page.locator("#view-name").fill("Plus customers")
    page.keyboard.press("Enter")
    expect(views.get_by_role("link")).to_have_text("Plus customers")
    expect(views.get_by_role("link")).to_have_attribute("aria-current", "page")
    visitor.go("/")
    expect(views.get_by_role("link")).not_to_have_attribute("aria-current", "page")
    views.get_by_role("link").click()
    page.wait_for_url("**/topics?segment.plan=plus**")
    expect(page.get_by_role("checkbox", name="plus")).to_be_checked()
    views.locator(".change summary").click()
    views.get_by_label("Name of the view Plus customers").fill("The plus plan")
    views.get_by_role("button", name="Rename").click()
    expect(views.get_by_role("link")).to_have_text("The plus plan")
    page.locator("#view-name").fill("the PLUS plan")
    views.get_by_role("button", name="Save this view").click()
    expect(views.get_by_role("alert")).to_contain_text("already")
    visitor.sign_in(served.full.read_key, "/topics")
    views.locator("summary").first.click()
    expect(views.get_by_role("link")).to_have_text("The plus plan")
    expect(views).to_contain_text("Only an editor may save or change views")
    expect(page.locator(".filters")).to_contain_text("Only an editor may save this view")
    assert views.get_by_role("button").count() == 0
    visitor.sign_in(served.full.admin_key, "/topics")
    views.locator("summary").first.click()
    views.locator(".change summary").click()
    views.get_by_role("button", name="Remove").click()
    views.get_by_role("button", name="Really remove").click()
    expect(views).to_contain_text("None yet.")
    assert [each for each in visitor.problems if "400" not in each] == []


@pytest.mark.slow
def test_a_number_field_is_added_up_by_topic_and_stays_in_the_address(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics")
    page = visitor.page
    page.get_by_label("Add up").select_option("tokens")
    page.wait_for_url("**number=tokens**")
    page.wait_for_selector("#view[aria-busy=false]")
    page.get_by_role("button", name="Sum of tokens").click()
    found = served.get("/v1/topics", served.full, number="tokens")
    ordered = sorted(found["data"], key=lambda row: -row["number"]["sum"])
    assert texts(page, "#topics .topic-name") == [row["label"] for row in ordered]
    expect(page.locator("#sum-rest")).to_contain_text(f"all {found['number']['all']['n']:,} messages")
    page.locator("#topics .topic-name a").first.click()
    page.wait_for_url("**/topics/*number=tokens*")
    expect(page.locator("#sum dt")).to_contain_text("tokens, in all")
    assert page.locator("#numbers tbody tr").first.get_attribute("data-field") == "tokens"
    assert visitor.problems == []


def test_the_digest_says_what_its_route_says(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/digest")
    page, digest = visitor.page, served.get("/v1/digest", served.full)
    for part in ("messages", "sessions", "users"):
        assert numbers(page, f"#digest-{part} dd:not(.fine)") == [digest[part]["now"]]
    assert numbers(page, "#digest-topics td.size") == [row["size"] for row in digest["topics"]]
    page.locator("#days-14").click()
    page.wait_for_url("**days=14**")
    page.wait_for_selector("#view[aria-busy=false]")
    longer = served.get("/v1/digest", served.full, days="14")
    assert numbers(page, "#digest-messages dd:not(.fine)") == [longer["messages"]["now"]]
    page.emulate_media(media="print")
    assert not page.locator(".side").is_visible()
    expect(page.locator("#digest-topics")).to_be_visible()
    page.emulate_media(media="screen")
    assert visitor.problems == []
