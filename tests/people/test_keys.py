"""Roles of keys: chosen when a key is made, by route and by command, and shown since."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.people.conftest import House
from turret_api.accounts import AccountError
from turret_api.command.main import main
from turret_api.roles import ROLES


@pytest.mark.parametrize(
    ("role", "prefix", "scope"),
    [("viewer", "tr_", "read"), ("analyst", "tr_", "read"), ("editor", "ta_", "admin"), ("owner", "ta_", "admin")],
)
def test_a_key_is_made_with_a_role(house: House, role: str, prefix: str, scope: str) -> None:
    made = house.ask("POST", "/v1/keys", json={"role": role, "name": f"the {role}"}).json()
    assert made["key"].startswith(prefix) and (made["role"], made["scope"]) == (role, scope)
    listed = {each["key_id"]: each for each in house.ask("GET", "/v1/keys").json()["data"]}
    assert (listed[made["key_id"]]["role"], listed[made["key_id"]]["scope"]) == (role, scope)


@pytest.mark.parametrize(("scope", "role"), [("write", None), ("read", "analyst"), ("admin", "owner")])
def test_a_scope_alone_makes_the_key_that_it_always_made(house: House, scope: str, role: str | None) -> None:
    made = house.ask("POST", "/v1/keys", json={"scope": scope}).json()
    assert (made["scope"], made["role"]) == (scope, role)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "write", "role": "viewer"}, "role"),
        ({"scope": "read", "role": "owner"}, "role"),
        ({"scope": "admin", "role": "analyst"}, "role"),
        ({"role": "admin"}, "role"),
        ({"name": "nothing chosen"}, "scope"),
    ],
    ids=str,
)
def test_a_role_that_a_key_cannot_have_is_refused_by_name(house: House, body: dict[str, str], field: str) -> None:
    answer = house.ask("POST", "/v1/keys", json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_the_accounts_refuse_a_role_that_a_key_cannot_have(house: House) -> None:
    with pytest.raises(AccountError, match="a read key cannot be editor; it is analyst or viewer"):
        house.accounts.create_key(house.project.project_id, "read", role="editor")
    with pytest.raises(AccountError, match="it sends events"):
        house.accounts.create_key(house.project.project_id, "write", role="viewer")


def test_the_command_makes_and_lists_keys_with_roles(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURRET_HOME", str(house.settings.home))
    monkeypatch.setenv("TURRET_DATABASE_URL", house.accounts.engine.url.render_as_string(hide_password=False))
    run = CliRunner()
    of = ["--project", house.project.project_id]
    for role in ROLES:
        done = run.invoke(main, ["key", "create", *of, "--role", role, "--json"])
        assert done.exit_code == 0 and json.loads(done.output)["role"] == role
    scoped = run.invoke(main, ["key", "create", *of, "--scope", "read", "--role", "viewer", "--json"])
    assert json.loads(scoped.output)["role"] == "viewer"
    listed = [json.loads(line) for line in run.invoke(main, ["key", "list", *of, "--json"]).output.splitlines()]
    assert [each["role"] for each in listed[-5:]] == [*ROLES, "viewer"]
    assert " viewer  tr_" in run.invoke(main, ["key", "list", *of]).output.splitlines()[-1]
    misfit = run.invoke(main, ["key", "create", *of, "--scope", "read", "--role", "owner"])
    assert misfit.exit_code == 1 and "a read key cannot be owner" in misfit.output
    assert run.invoke(main, ["key", "create", *of]).exit_code == 2
