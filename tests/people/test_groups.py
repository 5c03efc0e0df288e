"""What is read of a provider's claims, and what the groups give."""

from __future__ import annotations

from typing import Any

import pytest

from turret_api.accounts.admission import GivenRole
from turret_api.people.groups import are_left_out, groups_in, roles_of
from turret_api.roles import ROLES
from turret_pipeline.settings import GroupRole, SettingError, Settings
from turret_pipeline.settings import oidc as settings_of_sign_in

PROJECTS = {"prj_1": "shop", "prj_2": "docs", "shop": "prj_1"}
PROVIDER = {
    "TURRET_OIDC_ISSUER": "https://id.example.com",
    "TURRET_OIDC_CLIENT_ID": "turret",
    "TURRET_PUBLIC_URL": "https://turret.example.com",
}


@pytest.mark.parametrize(
    ("claims", "name", "found"),
    [
        ({"groups": ["a", "b"]}, "groups", ["a", "b"]),
        ({"groups": []}, "groups", []),
        ({"groups": ["a", 1, None, ["b"]]}, "groups", ["a"]),
        ({"groups": None}, "groups", []),
        ({"groups": {"a": True}}, "groups", []),
        ({"hd": "example.com"}, "hd", ["example.com"]),
        ({"hd": "a,b c"}, "hd", ["a,b c"]),
        ({}, "groups", None),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", ["a"]),
        ({"realm_access": ["a"]}, "realm_access.roles", None),
        ({"realm_access": {"other": ["a"]}}, "realm_access.roles", None),
        ({"resource_access": {"my.app": {"roles": ["a"]}}}, "resource_access.my.app.roles", ["a"]),
        ({"https://example.com/roles": ["a"]}, "https://example.com/roles", ["a"]),
        ({"Groups": ["a"]}, "groups", None),
    ],
    ids=str,
)
def test_groups_are_found_in_claims_of_every_shape(claims: dict[str, Any], name: str, found: list[str] | None) -> None:
    assert groups_in(claims, name) == (None if found is None else set(found))


@pytest.mark.parametrize(
    ("claims", "name", "left_out"),
    [
        ({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x"}}}, "groups", True),
        ({"_claim_names": {"realm_access": "src1"}}, "realm_access.roles", True),
        ({"_claim_names": {"address": "src1"}}, "groups", False),
        ({"_claim_names": "groups"}, "groups", False),
        ({}, "groups", False),
    ],
    ids=str,
)
def test_groups_that_were_left_out_are_told_from_no_groups(claims: dict[str, Any], name: str, left_out: bool) -> None:
    assert are_left_out(claims, name) is left_out


@pytest.mark.parametrize(
    ("groups", "given"),
    [
        ([], {}),
        (["unknown"], {}),
        (["staff"], {each: GivenRole("viewer", "staff") for each in PROJECTS}),
        (["analysts"], {"prj_2": GivenRole("analyst", "analysts")}),
        (
            ["staff", "analysts"],
            {
                "prj_1": GivenRole("viewer", "staff"),
                "prj_2": GivenRole("analyst", "analysts"),
                "shop": GivenRole("viewer", "staff"),
            },
        ),
        (["owners", "analysts"], {"prj_2": GivenRole("owner", "owners")}),
        (["also owners", "owners"], {"prj_2": GivenRole("owner", "owners")}),
        (["by id"], {"shop": GivenRole("editor", "by id")}),
        (["Staff", "staff "], {}),
    ],
    ids=str,
)
def test_the_highest_role_of_all_groups_counts_in_each_project(groups: list[str], given: dict[str, GivenRole]) -> None:
    mapping = [
        GroupRole("staff", "viewer"),
        GroupRole("analysts", "analyst", "docs"),
        GroupRole("owners", "owner", "docs"),
        GroupRole("also owners", "owner", "docs"),
        GroupRole("by id", "editor", "shop"),
        GroupRole("gone", "editor", "gone"),
    ]
    assert roles_of(mapping, groups, PROJECTS) == (given, {"gone"})


def settings(roles: str, **more: str) -> Settings:
    return Settings.from_environment({**PROVIDER, "TURRET_OIDC_ROLES": roles, **more})


def test_the_setting_names_groups_with_their_roles_everywhere_or_in_projects() -> None:
    text = '{"staff": "viewer", "CN=Shop, OU=Groups": "analyst@my shop", "/admins": ["owner@a", "editor@b@c"]}'
    oidc = settings(text, TURRET_OIDC_ROLES_CLAIM="realm_access.roles", TURRET_OIDC_SCOPES="openid  email groups").oidc
    assert oidc is not None and (oidc.roles_claim, oidc.scopes) == ("realm_access.roles", "openid email groups")
    assert oidc.roles == (
        GroupRole("staff", "viewer"),
        GroupRole("CN=Shop, OU=Groups", "analyst", "my shop"),
        GroupRole("/admins", "owner", "a"),
        GroupRole("/admins", "editor", "b@c"),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("staff=viewer", "TURRET_OIDC_ROLES is no JSON"),
        ('["staff"]', "no JSON object of groups"),
        ("{}", "no JSON object of groups"),
        ('{"staff": "admin"}', "gives the group 'staff' 'admin'; expected one of viewer, analyst, editor, owner"),
        ('{"staff": "viewer@"}', "gives the group 'staff' 'viewer@'"),
        ('{"staff": "viewer@ "}', "gives the group 'staff' 'viewer@ '"),
        ('{"staff": []}', r"gives the group 'staff' \[\]"),
        ('{"staff": null}', "gives the group 'staff' None"),
        ('{"staff": ["viewer", {"shop": "viewer"}]}', "gives the group 'staff' {'shop': 'viewer'}"),
        ('{"*": "viewer"}', "name each. For everybody of a company"),
        ('{"": "viewer"}', "name each"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        settings(text)


@pytest.mark.parametrize("scopes", ["email groups", "openid,email", 'openid "x"', "openidx"])
def test_scopes_that_are_none_or_without_openid_are_refused(scopes: str) -> None:
    with pytest.raises(SettingError, match="expected scopes with openid among them"):
        settings('{"staff": "viewer"}', TURRET_OIDC_SCOPES=scopes)


def test_roles_of_groups_need_a_provider() -> None:
    with pytest.raises(SettingError, match="TURRET_OIDC_ROLES needs a provider"):
        Settings.from_environment({"TURRET_OIDC_ROLES": '{"staff": "viewer"}'})


def test_the_settings_know_the_roles_that_there_are() -> None:
    assert settings_of_sign_in.ROLES == ROLES
