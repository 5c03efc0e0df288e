"""People who may sign in to a project by OpenID Connect, each with a role.

A role is given by hand, by an owner who invites an e-mail address, or by a group of the provider, at each sign-in
(`admission`). Of both the higher one counts.

    invited ──the first sign-in with its address──▶ bound to an account ──removed──▶ gone, signed out within seconds
    in a group ──the first sign-in──▶ bound to an account ──a sign-in without a role──▶ gone
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from turret_api.accounts.store import AccountError, Accounts
from turret_api.accounts.tables import PEOPLE, REVISION
from turret_api.roles import ROLES, highest

_EMAIL = re.compile(r"[^@\s,;:<>\"()\\]{1,64}@[^@\s,;:<>\"()\\]{1,255}")


class NoRoleError(AccountError):
    """A person would have no role."""


@dataclass(frozen=True)
class Person:
    """One person in one project; `subject` None: nobody has signed in with the address yet.

    given_role: given by hand; None: none was.
    group_role, group: given at the last sign-in, by this group of the provider; None: none was.
    """

    person_id: str
    project_id: str
    email: str
    subject: str | None
    given_role: str | None
    created_at: dt.datetime
    signed_in_at: dt.datetime | None
    group_role: str | None = None
    group: str | None = None

    @property
    def role(self) -> str:
        """What the person is to the project: the higher of the two roles."""
        return highest(self.given_role, self.group_role)

    @property
    def actor(self) -> str:
        """Who this is in the audit log."""
        return f"person:{self.email}"


def subject_of(issuer: str, subject: str) -> str:
    """Return what stands for an account of a provider: 64 hexadecimal digits."""
    return hashlib.sha256(f"{issuer}\n{subject}".encode()).hexdigest()


def add_person(accounts: Accounts, project_id: str, email: str, role: str) -> Person:
    """Invite an address to the project; raise `AccountError` if it is none, is there already, or the role is none."""
    email = address_of(email)
    if not is_address(email):
        raise AccountError(f"{email!r} is no e-mail address")
    _check(role)
    row = {"person_id": f"person_{secrets.token_hex(6)}", "project_id": project_id, "email": email, "role": role}
    try:
        with accounts.engine.begin() as connection:
            found = connection.execute(insert(PEOPLE).values(**row).returning(*PEOPLE.c)).one()
            touch(connection)
    except IntegrityError:
        raise AccountError(f"{email} is in this project already, or the project is gone") from None
    return person_of(found)


def change_person(accounts: Accounts, project_id: str, person_id: str, role: str | None) -> Person:
    """After this call this is the role that the person has by hand, everywhere within seconds.

    role: None: the role of a group counts alone.

    Raise `AccountError` if there is no such person, and `NoRoleError` if no role would be left.
    """
    change = update(PEOPLE).where(PEOPLE.c.project_id == project_id, PEOPLE.c.person_id == person_id)
    if role is not None:
        _check(role)
        return _changed(accounts, change.values(role=role).returning(*PEOPLE.c), person_id)
    change = change.where(PEOPLE.c.group_role.is_not(None)).values(role=None)
    try:
        return _changed(accounts, change.returning(*PEOPLE.c), person_id)
    except AccountError:
        email = find_person(accounts, project_id, person_id).email
        raise NoRoleError(f"no group gives {email} a role; remove the person instead") from None


def remove_person(accounts: Accounts, project_id: str, person_id: str) -> Person:
    """After this call the person may not come in, and is signed out within seconds; raise as `change_person` does."""
    gone = delete(PEOPLE).where(PEOPLE.c.project_id == project_id, PEOPLE.c.person_id == person_id)
    return _changed(accounts, gone.returning(*PEOPLE.c), person_id)


def people(accounts: Accounts, project_id: str | None = None) -> list[Person]:
    """Return the people of one project, or of all, in order of their addresses."""
    query = select(PEOPLE).order_by(PEOPLE.c.email, PEOPLE.c.project_id)
    if project_id is not None:
        query = query.where(PEOPLE.c.project_id == project_id)
    with accounts.engine.connect() as connection:
        return [person_of(row) for row in connection.execute(query)]


def find_person(accounts: Accounts, project_id: str, email_or_id: str) -> Person:
    """Return the person of the project with this address or id; raise `AccountError` if there is none."""
    for person in people(accounts, project_id):
        if address_of(email_or_id) in (person.email, person.person_id):
            return person
    raise AccountError(f"{email_or_id!r} is nobody in {project_id}; `turret people list` shows who is there")


def is_address(email: str) -> bool:
    """Return whether it is an e-mail address by its looks."""
    return _EMAIL.fullmatch(email) is not None and email.isprintable()


def address_of(email: str) -> str:
    """Return an address as it is compared: ASCII in lower case alone, for the Kelvin sign is a k in lower case too."""
    return re.sub("[A-Z]+", lambda found: found[0].lower(), email.strip())


def _check(role: str) -> None:
    if role not in ROLES:
        raise AccountError(f"{role!r} is no role; choose one of {', '.join(ROLES)}")


def _changed(accounts: Accounts, change: Any, person_id: str) -> Person:
    with accounts.engine.begin() as connection:
        row = connection.execute(change).first()
        if row is None:
            raise AccountError(f"there is no person {person_id!r}")
        touch(connection)
    return person_of(row)


def touch(connection: Connection) -> None:
    """After this call all copies of the accounts are to be read anew, once `connection` has committed."""
    connection.execute(update(REVISION).values(number=REVISION.c.number + 1))


def person_of(row: Row[Any]) -> Person:
    """Return the person of a row of `PEOPLE`."""
    found = dict(row._mapping)
    return Person(given_role=found.pop("role"), group=found.pop("group_name"), **found)
