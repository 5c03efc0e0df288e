"""An address at which there is nothing: a page for a browser, the contract's JSON for a script."""

from __future__ import annotations

import httpx

from tests.dashboard.conftest import Served

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_a_browser_gets_a_page_that_leads_on(served: Served) -> None:
    answer = httpx.get(f"{served.url}/n<b>ope", headers=BROWSER, timeout=30)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "There is nothing here" in answer.text and 'href="/"' in answer.text
    assert "<b>" not in answer.text


def test_a_script_gets_the_contracts_json(served: Served) -> None:
    for headers in ({}, {"Accept": "application/json"}):
        answer = httpx.get(f"{served.url}/nope", headers=headers, timeout=30)
        assert answer.status_code == 404
        assert answer.json()["code"] == "INVALID_REQUEST"


def test_what_the_api_does_not_have_is_json_for_a_browser_too(served: Served) -> None:
    headers = {**BROWSER, "X-API-Key": served.full.read_key}
    answer = httpx.get(f"{served.url}/v1/topics/t_unknown", headers=headers, timeout=30)
    assert answer.status_code == 404
    assert answer.json()["success"] is False
