"""Who comes in by a group, and what a sign-in changes of the roles that people have."""

from __future__ import annotations

import secrets
import threading

import pytest

from tests.people.conftest import House
from turret_api.accounts import people
from turret_api.accounts.admission import Admission, GivenRole, admit


class Account:
    """An account of a provider: each `sign_in` is one, with these groups' roles in the house's project."""

    def __init__(self, house: House, email: str | None = None) -> None:
        self.house = house
        name = secrets.token_hex(4)
        self.email = email or f"{name}@example.com"
        self.subject = people.subject_of("https://id.example", name)

    def sign_in(self, role: str | None = None, group: str = "staff", *, verified: bool = True) -> Admission:
        given = {} if role is None else {self.house.project.project_id: GivenRole(role, group)}
        return admit(self.house.accounts, self.subject, self.email if verified else None, given)

    def invite(self, role: str) -> people.Person:
        return people.add_person(self.house.accounts, self.house.project.project_id, self.email, role)

    def change(self, role: str | None) -> people.Person:
        return people.change_person(self.house.accounts, self.house.project.project_id, self.person_id, role)

    @property
    def person_id(self) -> str:
        return people.find_person(self.house.accounts, self.house.project.project_id, self.email).person_id

    @property
    def roles(self) -> list[str]:
        return [each.role for each in people.people(self.house.accounts) if each.subject == self.subject]


def acts(admission: Admission) -> list[tuple[str, str]]:
    return [(change.action, change.person.role) for change in admission.changes]


def test_who_is_in_a_group_comes_in_without_an_invitation_and_leaves_with_the_group(house: House) -> None:
    ada = Account(house)
    assert acts(ada.sign_in("viewer")) == [("person_added", "viewer")] and ada.roles == ["viewer"]
    assert acts(ada.sign_in("viewer")) == []
    assert acts(ada.sign_in("owner", "admins")) == [("person_changed", "owner")] and ada.roles == ["owner"]
    assert acts(ada.sign_in("viewer")) == [("person_changed", "viewer")]
    gone = ada.sign_in()
    assert acts(gone) == [("person_removed", "viewer")] and gone.people == [] and ada.roles == []


def test_a_role_given_by_hand_stays_when_the_group_goes_and_the_higher_counts(house: House) -> None:
    ada = Account(house)
    ada.invite("analyst")
    first = ada.sign_in("viewer")
    assert [(each.role, each.given_role, each.group_role, each.group) for each in first.people] == [
        ("analyst", "analyst", "viewer", "staff")
    ]
    ada.sign_in("owner")
    assert ada.roles == ["owner"]
    assert acts(ada.sign_in()) == [("person_changed", "analyst")] and ada.roles == ["analyst"]
    assert acts(ada.sign_in()) == []


def test_a_role_by_hand_is_taken_back_where_a_group_gives_one_and_not_where_none_would_be_left(house: House) -> None:
    ada = Account(house)
    ada.sign_in("viewer")
    assert ada.change("editor").role == "editor"
    assert ada.change(None).role == "viewer"
    bob = Account(house)
    bob.invite("editor")
    with pytest.raises(people.NoRoleError, match=f"no group gives {bob.email} a role"):
        bob.change(None)
    with pytest.raises(people.AccountError, match="is nobody in"):
        people.change_person(house.accounts, house.project.project_id, "person_absent", None)


def test_who_is_removed_comes_in_again_by_the_group_alone(house: House) -> None:
    ada = Account(house)
    ada.invite("owner")
    ada.sign_in("viewer")
    people.remove_person(house.accounts, house.project.project_id, ada.person_id)
    assert ada.roles == []
    ada.sign_in("viewer")
    assert ada.roles == ["viewer"]


def test_who_has_the_address_today_takes_the_place_of_who_was_there_by_a_group_alone(house: House) -> None:
    before = Account(house)
    before.sign_in("owner")
    now = Account(house, before.email)
    assert acts(now.sign_in("viewer")) == [("person_removed", "owner"), ("person_added", "viewer")]
    assert (before.roles, now.roles) == ([], ["viewer"])


def test_who_has_the_address_today_inherits_nothing_that_an_owner_gave(house: House) -> None:
    before = Account(house)
    before.invite("owner")
    before.sign_in()
    now = Account(house, before.email)
    found = now.sign_in("viewer")
    assert (found.people, found.changes, found.taken) == ([], [], [house.project.project_id])
    assert before.roles == ["owner"]


def test_without_a_verified_address_nobody_new_comes_in_by_a_group(house: House) -> None:
    ada = Account(house)
    assert ada.sign_in("owner", verified=False).people == []
    ada.sign_in("viewer")
    assert [each.role for each in ada.sign_in("analyst", verified=False).people] == ["analyst"]


def test_an_address_that_is_none_lets_nobody_in(house: House) -> None:
    for email in ("no address", "a@b,c@d", "a@example.com\x00", "x" * 400 + "@example.com"):
        assert Account(house, email).sign_in("owner").people == []


def test_a_group_reaches_every_project_and_what_is_gone_of_it_goes_alone(house: House) -> None:
    ada = Account(house)
    others = [house.accounts.create_project(f"Group {secrets.token_hex(4)}").project_id for _ in range(3)]
    everywhere = {each: GivenRole("viewer", "staff") for each in others}
    assert len(admit(house.accounts, ada.subject, ada.email, everywhere).people) == 3
    less = {others[0]: GivenRole("viewer", "staff"), others[1]: GivenRole("owner", "admins")}
    admission = admit(house.accounts, ada.subject, ada.email, less)
    assert sorted(acts(admission)) == [("person_changed", "owner"), ("person_removed", "viewer")]
    assert sorted(each.project_id for each in admission.people) == sorted(others[:2])


def test_many_tabs_that_sign_in_at_the_same_time_make_one_person(house: House) -> None:
    ada, found = Account(house), []
    threads = [threading.Thread(target=lambda: found.append(ada.sign_in("viewer"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and ada.roles == ["viewer"]
    assert sorted(len(each.people) for each in found) == [1] * 8
    assert sum(len(each.changes) for each in found) == 1
