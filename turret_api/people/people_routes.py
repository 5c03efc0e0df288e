"""`/v1/people`: who may sign in to a project with an account of a provider, and as what."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import Literal, cast

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from turret_api.accounts import AccountError, Accounts, audit, people
from turret_api.accounts.people import Person
from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.errors import NotFoundError, invalid
from turret_api.read.http.parameters import only_known_parameters
from turret_api.read.http.reached import reached

Role = Literal["viewer", "analyst", "editor", "owner"]


class Model(BaseModel):
    """An answer, or what is asked for; it has no further keys."""

    model_config = ConfigDict(extra="forbid")


class PersonRow(Model):
    """Someone who may sign in."""

    person_id: str
    email: str
    role: str = Field(description="what they are here: the higher of `given_role` and `group_role`")
    given_role: Role | None = Field(description="given by an owner; null: none was")
    group_role: Role | None = Field(description="given at the last sign-in by a group of the provider; null: none was")
    group: str | None = Field(description="the group that gave it")
    created_at: dt.datetime
    signed_in_at: dt.datetime | None = Field(description="last; null: never, so the address is not bound to an account")
    is_current: bool = Field(description="whether it is who asks")


class PersonRows(Model):
    """Everyone who may sign in, by address."""

    data: list[PersonRow]
    next: None


class PersonChange(Model):
    """What a person is from now on."""

    role: Role | None = Field(description="null: what a group of the provider gives counts alone")


class PersonChoice(Model):
    """Who may sign in from now on."""

    role: Role
    email: str = Field(description="the address that the provider has verified", min_length=3, max_length=320)


def people_router(accounts: Accounts, gate: Gate) -> APIRouter:
    """Return the routes of people, for owners."""
    known = [Depends(only_known_parameters)]
    router = APIRouter(prefix="/v1", tags=["people"], dependencies=known, route_class=KeyFirst)
    owner = Depends(gate.admin)

    def told(principal: Principal, action: audit.Action, person: Person) -> None:
        about = {"person_id": person.person_id, "email": person.email, "role": person.role}
        audit.record(accounts, principal.project_id, principal.actor, action, about)

    @router.get("/people", response_model=PersonRows)
    def get_people(principal: Principal = owner) -> PersonRows:
        """Who may sign in to the project with an account of the provider (OpenID Connect), and as what."""
        with reached():
            found = people.people(accounts, principal.project_id)
        return PersonRows(data=[_row(each, principal) for each in found], next=None)

    @router.post("/people", response_model=PersonRow)
    def post_person(choice: PersonChoice, principal: Principal = owner) -> PersonRow:
        """Let an address sign in; the first account that signs in with it has it from then on."""
        with reached():
            try:
                made = people.add_person(accounts, principal.project_id, choice.email, choice.role)
            except AccountError as error:
                raise invalid(f"{error}.", field="email") from None
            told(principal, "person_added", made)
        return _row(made, principal)

    @router.patch("/people/{person_id}", response_model=PersonRow)
    def patch_person(person_id: str, choice: PersonChange, principal: Principal = owner) -> PersonRow:
        """Give a person another role, in force within seconds; a role by a group that is higher still counts."""
        with reached(), _there(person_id):
            found = people.change_person(accounts, principal.project_id, person_id, choice.role)
            told(principal, "person_changed", found)
        return _row(found, principal)

    @router.delete("/people/{person_id}", response_model=PersonRow)
    def delete_person(person_id: str, principal: Principal = owner) -> PersonRow:
        """Let a person in no longer; signed out within seconds. A group may let them in again."""
        with reached(), _there(person_id):
            found = people.remove_person(accounts, principal.project_id, person_id)
            told(principal, "person_removed", found)
        return _row(found, principal)

    return router


@contextlib.contextmanager
def _there(person_id: str) -> Iterator[None]:
    try:
        yield
    except people.NoRoleError as error:
        words = str(error)
        raise invalid(f"{words[0].upper()}{words[1:]}.", field="role") from None
    except AccountError:
        words = f"There is no person {person_id!r} in this project; GET /v1/people lists them."
        raise NotFoundError(words, field="person_id") from None


def _row(person: Person, principal: Principal) -> PersonRow:
    return PersonRow(
        person_id=person.person_id,
        email=person.email,
        role=person.role,
        given_role=cast("Role | None", person.given_role),
        group_role=cast("Role | None", person.group_role),
        group=person.group,
        created_at=person.created_at,
        signed_in_at=person.signed_in_at,
        is_current=person.person_id == principal.key_id,
    )
