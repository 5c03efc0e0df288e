"""People who may sign in to a project by OpenID Connect, each with a role.

An owner invites an e-mail address. The first sign-in with that address binds the row to the account that the provider
knows (issuer and subject, as a hash); from then on the account counts and the address is a name only. So who gets an
address that was somebody else's before inherits nothing.

    invited ──the first sign-in with its address──▶ bound to an account ──removed──▶ gone, signed out within seconds
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from turret_api.accounts.store import AccountError, Accounts
from turret_api.accounts.tables import PEOPLE, PROJECTS, REVISION
from turret_api.roles import ROLES

_EMAIL = re.compile(r"[^@\s,;:<>\"()\\]{1,64}@[^@\s,;:<>\"()\\]{1,255}")


@dataclass(frozen=True)
class Person:
    """One person in one project; `subject` None: nobody has signed in with the address yet."""

    person_id: str
    project_id: str
    email: str
    subject: str | None
    role: str
    created_at: dt.datetime
    signed_in_at: dt.datetime | None

    @property
    def actor(self) -> str:
        """Who this is in the audit log."""
        return f"person:{self.email}"


def subject_of(issuer: str, subject: str) -> str:
    """Return what stands for an account of a provider: 64 hexadecimal digits."""
    return hashlib.sha256(f"{issuer}\n{subject}".encode()).hexdigest()


def add_person(accounts: Accounts, project_id: str, email: str, role: str) -> Person:
    """Invite an address to the project; raise `AccountError` if it is none, is there already, or the role is none."""
    email = _address(email)
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise AccountError(f"{email!r} is no e-mail address")
    _check(role)
    row = {"person_id": f"person_{secrets.token_hex(6)}", "project_id": project_id, "email": email, "role": role}
    try:
        with accounts.engine.begin() as connection:
            found = connection.execute(insert(PEOPLE).values(**row).returning(*PEOPLE.c)).one()
            _touch(connection)
    except IntegrityError:
        raise AccountError(f"{email} is in this project already, or the project is gone") from None
    return _of_row(found)


def change_person(accounts: Accounts, project_id: str, person_id: str, role: str) -> Person:
    """After this call the person has this role, everywhere within seconds; raise `AccountError` if there is none."""
    _check(role)
    change = update(PEOPLE).where(PEOPLE.c.project_id == project_id, PEOPLE.c.person_id == person_id)
    return _changed(accounts, change.values(role=role).returning(*PEOPLE.c), person_id)


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
        return [_of_row(row) for row in connection.execute(query)]


def find_person(accounts: Accounts, project_id: str, email_or_id: str) -> Person:
    """Return the person of the project with this address or id; raise `AccountError` if there is none."""
    for person in people(accounts, project_id):
        if _address(email_or_id) in (person.email, person.person_id):
            return person
    raise AccountError(f"{email_or_id!r} is nobody in {project_id}; `turret people list` shows who is there")


def come_in(accounts: Accounts, subject: str, email: str | None) -> list[Person]:
    """Return whom the account with this `subject` stands for, by project; bind to it what was invited by `email`.

    An account that is somebody in a project already is nobody else there, whatever address it has by now.

    email: an address that the provider has verified; None: it names none, so nothing is bound.
    """
    mine = PEOPLE.c.subject == subject
    if email is not None and email.isprintable():  # or it is none, and Postgres might not even take it
        bound = PEOPLE.alias()
        is_here = exists().where(bound.c.project_id == PEOPLE.c.project_id, bound.c.subject == subject)
        mine = or_(mine, PEOPLE.c.subject.is_(None) & (PEOPLE.c.email == _address(email)) & ~is_here)
    change = update(PEOPLE).where(mine).values(subject=subject, signed_in_at=func.now())
    with accounts.engine.begin() as connection:
        found = [_of_row(row) for row in connection.execute(change.returning(*PEOPLE.c))]
        _touch(connection)
        names = dict(connection.execute(select(PROJECTS.c.project_id, PROJECTS.c.name)).all())
    return sorted(found, key=lambda person: names.get(person.project_id, "").lower())


def _address(email: str) -> str:
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
        _touch(connection)
    return _of_row(row)


def _touch(connection: Connection) -> None:
    connection.execute(update(REVISION).values(number=REVISION.c.number + 1))


def _of_row(row: Row[Any]) -> Person:
    return Person(**row._mapping)
