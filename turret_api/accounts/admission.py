"""Sign-ins of people: whom an account of the provider stands for, and the roles that its groups give it now.

An account counts by issuer and subject, as a hash; an address is a name only, once an account has signed in with it. So
who gets an address that was somebody else's before inherits nothing.

What groups give is told anew at each sign-in: a role that no group gives any more is gone, and so is who had no other.
An address is in a project once. A person who was there by a group alone makes room for who has the address today, for
the group would let in whoever comes; one whom an owner has invited does not.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert

from turret_api.accounts.people import Person, address_of, is_address, person_of, touch
from turret_api.accounts.store import Accounts
from turret_api.accounts.tables import PEOPLE, PROJECTS


@dataclass(frozen=True)
class GivenRole:
    """The role that a group of the provider gives in a project."""

    role: str
    group: str


@dataclass(frozen=True)
class Change:
    """What a sign-in changed by the account's groups. person: as after it; one who was removed: as before."""

    action: Literal["person_added", "person_changed", "person_removed"]
    person: Person


@dataclass(frozen=True)
class Admission:
    """Whom an account stands for, by project, and what its groups changed.

    taken: ids of the projects that a group would have let it in to, where another account has the address.
    """

    people: list[Person]
    changes: list[Change]
    taken: list[str]


def admit(
    accounts: Accounts, subject: str, email: str | None, given: Mapping[str, GivenRole] | None = None
) -> Admission:
    """Return whom the account with this `subject` stands for, with the roles that it has from now on.

    What was invited by `email` is bound to it. An account that is somebody in a project already is nobody else there,
    whatever address it has by now.

    Args:
        accounts: know people.
        subject: of the account, as `turret_api.accounts.people.subject_of` says it.
        email: an address that the provider has verified; None: it names none, so nothing new is bound to the account.
        given: by project, what the account's groups give it there.
    """
    given = given or {}
    address = None if email is None or not is_address(address_of(email)) else address_of(email)
    with accounts.engine.begin() as connection:
        if address is not None:
            _bind(connection, subject, address)
        mine = _of_account(connection, subject)
        changes = [
            change for person in mine for change in _given_anew(connection, person, given.get(person.project_id))
        ]
        missing = {each: given[each] for each in given.keys() - {person.project_id for person in mine}}
        if address is not None and missing:
            changes += _let_in(connection, subject, address, missing)
        signed_in = update(PEOPLE).where(PEOPLE.c.subject == subject).values(signed_in_at=func.now())
        found = [person_of(row) for row in connection.execute(signed_in.returning(*PEOPLE.c))]
        touch(connection)
        names = dict(connection.execute(select(PROJECTS.c.project_id, PROJECTS.c.name)).all())
    here = {person.project_id for person in found}
    taken = [] if address is None else sorted(missing.keys() - here)
    return Admission(sorted(found, key=lambda each: names.get(each.project_id, "").lower()), changes, taken)


def _bind(connection: Connection, subject: str, address: str) -> None:
    """After this call what was invited by `address` is the account's, but where it is somebody already."""
    bound = PEOPLE.alias()
    is_here = exists().where(bound.c.project_id == PEOPLE.c.project_id, bound.c.subject == subject)
    invited = PEOPLE.c.subject.is_(None) & (PEOPLE.c.email == address) & ~is_here
    connection.execute(update(PEOPLE).where(invited).values(subject=subject))


def _of_account(connection: Connection, subject: str) -> list[Person]:
    """Return whom the account stands for; until the end of the transaction nothing else changes them."""
    query = select(PEOPLE).where(PEOPLE.c.subject == subject).order_by(PEOPLE.c.person_id).with_for_update()
    return [person_of(row) for row in connection.execute(query)]


def _given_anew(connection: Connection, person: Person, given: GivenRole | None) -> list[Change]:
    """After this call the person has by a group what `given` says, and is gone if that leaves no role."""
    role, group = (None, None) if given is None else (given.role, given.group)
    if (person.group_role, person.group) == (role, group):
        return []
    mine = PEOPLE.c.person_id == person.person_id
    if role is None and person.given_role is None:
        connection.execute(delete(PEOPLE).where(mine))
        return [Change("person_removed", person)]
    change = update(PEOPLE).where(mine).values(group_role=role, group_name=group)
    found = person_of(connection.execute(change.returning(*PEOPLE.c)).one())
    return [] if role == person.group_role else [Change("person_changed", found)]


def _let_in(connection: Connection, subject: str, address: str, missing: Mapping[str, GivenRole]) -> list[Change]:
    """After this call the account is in the projects of `missing`, but where an owner's person has the address."""
    by_group = (PEOPLE.c.email == address) & PEOPLE.c.role.is_(None) & (PEOPLE.c.subject != subject)
    old = delete(PEOPLE).where(PEOPLE.c.project_id.in_(missing), by_group).returning(*PEOPLE.c)
    changes = [Change("person_removed", person_of(row)) for row in connection.execute(old)]
    rows = [
        {
            "person_id": f"person_{secrets.token_hex(6)}",
            "project_id": project_id,
            "email": address,
            "subject": subject,
            "group_role": each.role,
            "group_name": each.group,
        }
        for project_id, each in missing.items()
    ]
    # Nothing is done where the address is there: another's, or one's own, of another tab that signs in just now.
    new = insert(PEOPLE).values(rows).on_conflict_do_nothing(index_elements=[PEOPLE.c.project_id, PEOPLE.c.email])
    return changes + [Change("person_added", person_of(row)) for row in connection.execute(new.returning(*PEOPLE.c))]
