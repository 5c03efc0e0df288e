"""Who may come in: invited and changed by owners, over `/v1/people` and by `turret people`."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.people.conftest import House
from turret_api.accounts import AccountError, audit, people
from turret_api.accounts.admission import admit
from turret_api.accounts.directory import Directory
from turret_api.command.main import main


def add(house: House, email: str, role: str = "viewer") -> dict[str, Any]:
    answer = house.ask("POST", "/v1/people", json={"email": email, "role": role})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_owner_adds_changes_and_removes_a_person(house: House) -> None:
    made = add(house, " Ada@Example.com ")
    assert (made["email"], made["role"], made["signed_in_at"], made["is_current"]) == (
        "ada@example.com",
        "viewer",
        None,
        False,
    )
    assert made in house.ask("GET", "/v1/people").json()["data"]
    path = f"/v1/people/{made['person_id']}"
    assert house.ask("PATCH", path, json={"role": "editor"}).json()["role"] == "editor"
    assert house.ask("DELETE", path).json()["email"] == "ada@example.com"
    assert made["person_id"] not in house.ask("GET", "/v1/people").text
    acts = [each.action for each in audit.entries(house.accounts, house.project.project_id, most=3)]
    assert acts == ["person_removed", "person_changed", "person_added"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "nobody", "role": "viewer"}, "email"),
        ({"email": "a@b@c", "role": "viewer"}, "email"),
        ({"email": "a b@example.com", "role": "viewer"}, "email"),
        ({"email": "a@example.com,b@example.com", "role": "viewer"}, "email"),
        ({"email": "a\n@example.com", "role": "viewer"}, "email"),
        ({"email": "a@example.com", "role": "admin"}, "role"),
        ({"email": "a@example.com"}, "role"),
        ({"email": "a@example.com", "role": "viewer", "x": 1}, "x"),
    ],
    ids=str,
)
def test_who_makes_no_sense_is_refused_by_name(house: House, body: dict[str, Any], field: str) -> None:
    answer = house.ask("POST", "/v1/people", json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_an_address_is_in_a_project_once(house: House) -> None:
    add(house, "twice@example.com")
    answer = house.ask("POST", "/v1/people", json={"email": "TWICE@example.com", "role": "owner"})
    assert answer.status_code == 400 and "twice@example.com is in this project already" in answer.json()["error"]


def test_people_of_another_project_are_not_there(house: House) -> None:
    other = house.accounts.create_project("Strangers")
    made = people.add_person(house.accounts, other.project_id, "stranger@example.com", "owner")
    assert "stranger" not in house.ask("GET", "/v1/people").text
    path = f"/v1/people/{made.person_id}"
    foreign = [house.ask("PATCH", path, json={"role": "viewer"}), house.ask("DELETE", path)]
    absent = house.ask("DELETE", "/v1/people/person_absent")
    assert [each.status_code for each in foreign] == [404, 404] and absent.status_code == 404
    assert foreign[1].text.replace(made.person_id, "person_absent") == absent.text
    assert people.find_person(house.accounts, other.project_id, made.person_id).role == "owner"


def test_an_address_that_only_looks_like_the_invited_one_opens_nothing(house: House) -> None:
    add(house, "mike@example.com", "owner")
    subject = people.subject_of("https://id.example", "another mike")
    for email in ("mi\u212ae@example.com", "m\u0131ke@example.com", "mike@example.com\x00", "mike\ud800@example.com"):
        assert admit(house.accounts, subject, email).people == []
    assert [each.role for each in admit(house.accounts, subject, " MIKE@Example.com ").people] == ["owner"]


def test_an_account_whose_address_changes_is_nobody_else_in_its_project(house: House) -> None:
    add(house, "before@example.com")
    add(house, "after@example.com", "owner")
    subject = people.subject_of("https://id.example", "renamed")
    for email in ("before@example.com", "after@example.com"):
        assert [each.role for each in admit(house.accounts, subject, email).people] == ["viewer"]


def test_an_account_is_bound_once_though_many_sign_in_at_the_same_time(house: House) -> None:
    add(house, "race@example.com")
    found: list[list[people.Person]] = []
    accounts = [people.subject_of("https://id.example", str(number)) for number in range(8)]
    threads = [
        threading.Thread(target=lambda each=each: found.append(admit(house.accounts, each, "race@example.com").people))
        for each in accounts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(each) for each in found) == [0] * 7 + [1]


def test_the_copy_that_requests_are_judged_by_outlives_an_outage_with_its_people(house: House) -> None:
    add(house, "kept@example.com", "editor")
    subject = people.subject_of("https://id.example", "kept")
    admit(house.accounts, subject, "kept@example.com")
    file = house.settings.home / "copy.json"
    Directory(house.accounts, file).refresh()
    away = type(house.accounts)("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    found = Directory(away, file).find_people(subject)
    assert [(each.project_id, each.role, each.actor) for each in found] == [
        (house.project.project_id, "editor", "person:kept@example.com")
    ]


def test_the_command_says_who_may_come_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURRET_HOME", str(house.settings.home))
    monkeypatch.setenv("TURRET_DATABASE_URL", house.accounts.engine.url.render_as_string(hide_password=False))

    def turret(*words: str) -> Result:
        return CliRunner().invoke(main, ["people", words[0], "--project", house.project.project_id, *words[1:]])

    assert turret("add", "--email", "Cleo@example.com", "--role", "owner").output == (
        f"cleo@example.com may sign in to {house.project.project_id} as owner\n"
    )
    assert "never signed in" in turret("list").output
    assert turret("role", "--email", "CLEO@example.com", "--role", "viewer").exit_code == 0
    listed = [json.loads(line) for line in turret("list", "--json").output.splitlines()]
    assert [each["role"] for each in listed if each["email"] == "cleo@example.com"] == ["viewer"]
    assert turret("remove", "--email", "cleo@example.com").exit_code == 0
    gone = turret("remove", "--email", "cleo@example.com")
    assert gone.exit_code == 1 and "is nobody in" in gone.output
    assert turret("add", "--email", "cleo", "--role", "viewer").output == "Error: 'cleo' is no e-mail address\n"
    assert audit.entries(house.accounts, house.project.project_id, most=1)[0].actor == audit.command_actor()


def test_a_role_that_is_none_is_refused(house: House) -> None:
    with pytest.raises(AccountError, match="'admin' is no role; choose one of viewer, analyst, editor, owner"):
        people.add_person(house.accounts, house.project.project_id, "a@example.com", "admin")
