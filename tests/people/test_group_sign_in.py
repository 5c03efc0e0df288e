"""Signing in with groups of a provider: there and back by one that keeps to the rules, and what the pages then say."""

from __future__ import annotations

import dataclasses
import functools
import html
import re
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from tests.people.conftest import House
from tests.people.own_provider import CLIENT_ID, SECRET, OwnProvider
from turret_api.accounts import audit, people
from turret_api.app import create_app
from turret_api.dashboard.sign_in import ACCOUNT_COOKIE
from turret_pipeline.settings import GroupRole, Oidc

PUBLIC = "http://turret.test"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def provider() -> Iterator[OwnProvider]:
    running = OwnProvider()
    yield running
    running.end()


@functools.cache
def app_of(house: House, provider: OwnProvider, **more: Any) -> Any:
    """Return the API that gives roles by groups of the provider; each is made once."""
    project = house.project.project_id
    roles = (
        GroupRole("staff", "viewer", project),
        GroupRole("admins", "owner", house.accounts.find_project(project).name),
        GroupRole("elsewhere", "owner", "no such project"),
    )
    oidc = Oidc(provider.address, CLIENT_ID, SECRET, "Example ID", **{"roles": roles, **more})
    return create_app(dataclasses.replace(house.settings, public_url=PUBLIC, oidc=oidc), house.accounts)


class Visitor:
    """Somebody with an account at the provider, and with a browser of their own."""

    def __init__(self, house: House, provider: OwnProvider, **more: Any) -> None:
        self.app = app_of(house, provider, **more)
        self.browser = TestClient(self.app, base_url=PUBLIC, follow_redirects=False)
        self.provider = provider
        self.house = house
        self.name = secrets.token_hex(4)
        self.email = f"{self.name}@example.com"

    def sign_in(self, *, userinfo: dict[str, Any] | None = None, **claims: Any) -> httpx.Response:
        self.provider.user = {"sub": self.name, "email": self.email, "email_verified": True, **claims}
        self.provider.userinfo = None if userinfo is None else {"sub": self.name, **userinfo}
        there = self.browser.get("/sign-in/oidc", params={"destination": "/topics"})
        return self.browser.get("/sign-in/callback", params=self.provider.authorize(there.headers["location"]))

    def role(self) -> str | None:
        found = re.search(r'data-role="(\w+)"', self.browser.get("/").text)
        return None if found is None else found[1]


@pytest.fixture
def visitor(house: House, provider: OwnProvider) -> Visitor:
    return Visitor(house, provider)


def problem(answer: httpx.Response) -> str:
    found = re.search(r'id="problem"[^>]*>([^<]*)<', answer.text)
    assert found is not None, answer.text
    return html.unescape(found[1])


def log_of(house: House, email: str) -> list[tuple[str, str | None]]:
    found = audit.entries(house.accounts, house.project.project_id, most=20)
    return [(each.action, each.about.get("role")) for each in found if each.actor == f"person:{email}"][::-1]


def test_a_group_lets_in_who_was_not_invited_and_each_sign_in_looks_anew(house: House, visitor: Visitor) -> None:
    assert visitor.sign_in(groups=["other", "staff"]).headers["location"] == "/topics"
    assert visitor.role() == "viewer" and ACCOUNT_COOKIE not in visitor.browser.cookies
    visitor.sign_in(groups=["staff", "admins"])
    assert visitor.role() == "owner"
    visitor.sign_in(groups=["staff"])
    assert visitor.role() == "viewer"
    answer = visitor.sign_in(groups=["other"])
    assert answer.status_code == 403 and visitor.role() is None
    assert problem(answer) == (
        f"{visitor.email} may not come in here: it is in no group that has a role, and no owner has added the address."
    )
    assert log_of(house, visitor.email) == [
        ("person_added", "viewer"),
        ("sign_in", "viewer"),
        ("person_changed", "owner"),
        ("sign_in", "owner"),
        ("person_changed", "viewer"),
        ("sign_in", "viewer"),
        ("person_removed", "viewer"),
    ]


def test_who_loses_the_group_loses_the_role_in_every_browser_that_is_open(visitor: Visitor) -> None:
    visitor.sign_in(groups=["admins"])
    other = TestClient(visitor.app, base_url=PUBLIC, cookies=visitor.browser.cookies)
    assert other.get("/v1/people").status_code == 200
    visitor.browser = TestClient(visitor.app, base_url=PUBLIC, follow_redirects=False)
    visitor.sign_in(groups=["staff"])
    assert other.get("/v1/people").status_code == 403 and other.get("/v1/usage").status_code == 200
    visitor.sign_in(groups=[])
    assert other.get("/v1/usage").status_code == 401


def test_what_was_given_by_hand_stays_when_the_group_goes(house: House, visitor: Visitor) -> None:
    people.add_person(house.accounts, house.project.project_id, visitor.email, "analyst")
    visitor.sign_in(groups=["admins"])
    assert visitor.role() == "owner"
    visitor.sign_in()
    assert visitor.role() == "analyst"
    changes = audit.entries(house.accounts, house.project.project_id, action="person_changed", most=2)
    assert [(each.about["role"], each.about.get("group")) for each in changes] == [
        ("analyst", None),
        ("owner", "admins"),
    ]


def test_groups_of_another_account_count_for_nothing(visitor: Visitor) -> None:
    answer = visitor.sign_in(userinfo={"sub": "somebody else", "groups": ["admins"]})
    assert answer.status_code == 403 and visitor.role() is None


def test_groups_that_were_left_out_for_being_too_many_refuse_the_sign_in_and_change_nothing(
    house: House, visitor: Visitor
) -> None:
    visitor.sign_in(groups=["admins"])
    elsewhere = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}}
    answer = visitor.sign_in(**elsewhere)
    assert answer.status_code == 403 and problem(answer) == (
        "You cannot come in: Example ID says that you are in too many groups to name them. Its administrator has to "
        "let it send fewer; in Entra ID that is “Groups assigned to the application”."
    )
    refused = audit.entries(house.accounts, action="sign_in_refused", most=1)[0]
    assert refused.about["reason"] == "the claim groups was left out, for the account is in too many groups"
    assert visitor.role() == "owner"


def test_the_log_says_that_the_provider_names_no_groups_at_all(house: House, visitor: Visitor) -> None:
    assert visitor.sign_in().status_code == 403
    refused = audit.entries(house.accounts, action="sign_in_refused", most=1)[0]
    assert (refused.actor, refused.about["reason"]) == (
        f"person:{visitor.email}",
        "not invited, and no claim groups",
    )


def test_no_group_lets_in_an_address_that_is_not_verified(visitor: Visitor) -> None:
    answer = visitor.sign_in(groups=["admins"], email_verified=False)
    assert answer.status_code == 403 and "does not say that this address is verified" in problem(answer)


def test_who_has_the_address_of_a_person_of_an_owners_is_told_what_to_do(house: House, provider: OwnProvider) -> None:
    before, now = Visitor(house, provider), Visitor(house, provider)
    people.add_person(house.accounts, house.project.project_id, before.email, "editor")
    before.sign_in()
    now.email = before.email
    answer = now.sign_in(groups=["admins"])
    project = house.project.project_id
    assert answer.status_code == 403 and problem(answer) == (
        f"{now.email} may not come in: in {project} another account has this address. An owner has to remove that "
        "person first."
    )
    assert before.role() == "editor"


def test_without_roles_for_groups_the_provider_is_not_asked_for_them_and_gives_none(
    house: House, provider: OwnProvider
) -> None:
    with_groups = Visitor(house, provider)
    with_groups.sign_in(groups=["admins"])
    without = Visitor(house, provider, roles=())
    without.name, without.email = with_groups.name, with_groups.email
    provider.asked.clear()
    answer = without.sign_in(groups=["admins"])
    assert answer.status_code == 403 and "an owner of a project has to add the address first" in problem(answer)
    assert "/me" not in provider.asked and with_groups.role() is None


def test_owners_see_which_role_comes_from_where(house: House, visitor: Visitor) -> None:
    visitor.sign_in(groups=["staff"])
    row = next(each for each in house.ask("GET", "/v1/people").json()["data"] if each["email"] == visitor.email)
    assert (row["role"], row["given_role"], row["group_role"], row["group"]) == ("viewer", None, "viewer", "staff")
    path = f"/v1/people/{row['person_id']}"
    changed = house.ask("PATCH", path, json={"role": "editor"}).json()
    assert (changed["role"], changed["given_role"], changed["group_role"]) == ("editor", "editor", "viewer")
    assert visitor.role() == "editor"
    assert house.ask("PATCH", path, json={"role": None}).json()["role"] == "viewer"
    by_hand = house.ask("POST", "/v1/people", json={"email": f"hand-{visitor.email}", "role": "viewer"}).json()
    refused = house.ask("PATCH", f"/v1/people/{by_hand['person_id']}", json={"role": None})
    assert (refused.status_code, refused.json()["field"]) == (400, "role")
    assert refused.json()["error"] == f"No group gives hand-{visitor.email} a role; remove the person instead."
