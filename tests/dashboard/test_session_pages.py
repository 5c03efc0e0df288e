"""The page of one session, which is read message by message."""

from __future__ import annotations

import urllib.parse
from collections import Counter

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor


def test_a_session_is_read_message_by_message(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/topics/t_refund")
    page = visitor.page
    newest = served.get("/v1/messages", served.full, topic_id="t_refund", limit="1")["data"][0]
    page.locator("#messages tbody a").first.click()
    page.wait_for_url("**/sessions/**")
    expected = served.get(f"/v1/sessions/{newest['session_id']}", served.full)["data"]
    expect(page.locator(".talk .text")).to_have_text([message["text"] for message in expected])
    visitor.open("/sessions/nothing")
    expect(page.locator("h1")).to_have_text("There is no such session")


@pytest.mark.slow
def test_a_long_session_is_read_a_page_at_a_time(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key)
    page = visitor.page
    messages = served.get("/v1/messages", served.full, limit="500")["data"]
    longest = Counter(each["session_id"] for each in messages).most_common(1)[0][0]
    expected = served.get(f"/v1/sessions/{longest}", served.full)["data"]
    assert len(expected) > 2
    at_once = len(expected) - 1
    page.route("**/v1/sessions?*", lambda route: route.continue_(url=f"{route.request.url}&limit={at_once}"))
    visitor.open(f"/sessions/{longest}")
    expect(page.locator(".talk .text")).to_have_count(at_once)
    expect(page.locator(".page-head")).to_contain_text(f"{len(expected):,} messages")
    page.get_by_role("button", name="Show later messages").click()
    expect(page.locator(".talk .text")).to_have_text([message["text"] for message in expected])
    expect(page.get_by_role("button", name="Show later messages")).to_be_hidden()
    assert visitor.problems == []


@pytest.mark.slow
def test_a_link_to_a_session_leads_to_it_whatever_it_is_called(served: Served, visitor: Visitor) -> None:
    odd = ["q?b", "h#b", "a\\b", "a/b", "/", "100%", "%2F", "a;b", "a&b+c", "tab\tb", "line\nb", "é 日本", "..", "."]
    visitor.sign_in(served.full.read_key)
    visitor.page.evaluate(
        """async () => {
          const files = [...document.querySelectorAll("link[rel=modulepreload]")].map((each) => each.href);
          window.data = await import(files.find((each) => each.endsWith("/data.js")));
        }"""
    )
    links = visitor.page.evaluate("(ids) => ids.map((id) => data.sessionLink(id, 'prompt'))", odd)
    for name, link in zip(odd, links, strict=True):
        with visitor.page.expect_request("**/v1/sessions?**") as asked:
            visitor.go(link)
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(asked.value.url).query))
        assert (query["session_id"], query["field"]) == (name, "prompt")
        answer = visitor.page.request.get(served.url + link)
        assert answer.ok and 'id="view"' in answer.text(), link
