"""Settings → Keys and its routes: a key is made, shown once, and revoked; of one's own project alone."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor, _wait


def ask(served: Served, method: str, path: str, key: str, **kwargs: object) -> httpx.Response:
    return httpx.request(method, served.url + path, headers={"X-API-Key": key}, timeout=30, **kwargs)  # type: ignore[arg-type]


@pytest.mark.slow
def test_an_admin_makes_a_key_that_is_shown_once_and_revokes_it(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.admin_key, "/settings/keys")
    page = visitor.page
    expect(page.locator("#keys")).to_contain_text("you are signed in with it")
    page.get_by_label("It may").select_option("analyst")
    page.get_by_label("It expires").select_option("30")
    page.get_by_label("Its name").fill("Ada's notebook")
    page.get_by_role("button", name="Make a key").click()
    key = page.locator("#the-key").inner_text()
    assert key.startswith("tr_") and ask(served, "GET", "/v1/usage", key).status_code == 200
    page.get_by_role("link", name="Done").click()
    expect(page.locator("#the-key")).to_have_count(0)
    listed = ask(served, "GET", "/v1/keys", served.full.admin_key)
    assert key not in listed.text and key not in page.content()
    row = page.locator(f'#keys tr[data-key="{listed.json()["data"][-1]["key_id"]}"]')
    expect(row).to_contain_text(key[:7])
    expect(row).to_contain_text("Ada's notebook")
    expect(row).to_contain_text("never")
    row.get_by_role("button").click()
    expect(row.get_by_role("button")).to_have_text("Really revoke?")
    row.get_by_role("button").click()
    expect(row).to_contain_text("revoked")
    _wait(lambda: ask(served, "GET", "/v1/usage", key).status_code == 401, "the revoked key still works")
    assert visitor.problems == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "scope"),
        ({"scope": "all"}, "scope"),
        ({"scope": "read", "days": 0}, "days"),
        ({"scope": "read", "x": 1}, "x"),
    ],
    ids=str,
)
def test_a_key_that_makes_no_sense_is_refused_by_name(served: Served, body: dict, field: str) -> None:
    answer = ask(served, "POST", "/v1/keys", served.full.admin_key, json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_only_an_admin_key_sees_or_changes_keys_and_of_its_own_project_alone(served: Served) -> None:
    key_id = ask(served, "GET", "/v1/keys", served.full.admin_key).json()["data"][0]["key_id"]
    for key in (served.full.read_key, served.full.write_key, ""):
        for method, path, body in (
            ("GET", "/v1/keys", None),
            ("POST", "/v1/keys", {"scope": "read"}),
            ("DELETE", f"/v1/keys/{key_id}", None),
        ):
            assert ask(served, method, path, key, json=body).status_code == 401, (method, key[:3])
    foreign = ask(served, "DELETE", f"/v1/keys/{key_id}", served.empty.admin_key)
    absent = ask(served, "DELETE", "/v1/keys/key_absent", served.empty.admin_key)
    assert foreign.status_code == absent.status_code == 404
    assert foreign.text.replace(key_id, "key_absent") == absent.text
    assert ask(served, "GET", "/v1/usage", served.full.read_key).status_code == 200


def test_the_project_says_its_name_plan_and_how_fresh_its_tables_are(served: Served) -> None:
    found = served.get("/v1/project", served.full)
    assert (found["project_id"], found["name"], found["plan"]) == (served.full.project_id, "Travel app", "trial")
    assert {"events", "messages", "topics", "journey_edges"} <= {each["table"] for each in found["tables"]}
    assert served.get("/v1/project", served.waiting)["tables"] == []
