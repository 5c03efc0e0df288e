"""`turret people`: who may sign in to a project with an account of a provider, and as what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from turret_api.command.accounts import open_accounts
from turret_api.roles import ROLES

if TYPE_CHECKING:
    from turret_api.accounts import Accounts
    from turret_api.accounts.audit import Action
    from turret_api.accounts.people import Person

_PROJECT = click.option("--project", required=True, help="Id or name of the project.")
_EMAIL = click.option("--email", required=True, help="The person's address, or id.")
_ROLE = click.option(
    "--role",
    type=click.Choice(ROLES),
    required=True,
    help="viewer: see counts; analyst: texts too; editor: change topics, fields, notes and alerts too; owner: keys, "
    "people and privacy too.",
)


@click.group("people")
def command() -> None:
    """Let people sign in by OpenID Connect, and say what they may do."""


@command.command("add")
@_PROJECT
@click.option("--email", required=True, help="The address that the provider knows the person by.")
@_ROLE
def add(project: str, email: str, role: str) -> None:
    """Let an address sign in; the first account that signs in with it has it from then on."""
    from turret_api.accounts.people import add_person

    with open_accounts() as accounts:
        person = add_person(accounts, accounts.find_project(project).project_id, email, role)
        _told(accounts, "person_added", person)
    click.echo(f"{person.email} may sign in to {person.project_id} as {role}")


@command.command("list")
@click.option("--project", help="Id or name of the project; default: all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a person.")
def list_(project: str | None, as_json: bool) -> None:
    """Show who may sign in, and when each did last."""
    from turret_api.accounts.people import people

    with open_accounts() as accounts:
        found = people(accounts, None if project is None else accounts.find_project(project).project_id)
    for person in found:
        at = person.signed_in_at
        if as_json:
            row = {
                "person_id": person.person_id,
                "project_id": person.project_id,
                "email": person.email,
                "role": person.role,
                "given_role": person.given_role,
                "group_role": person.group_role,
                "group": person.group,
                "created_at": person.created_at.isoformat(timespec="seconds"),
                "signed_in_at": None if at is None else at.isoformat(timespec="seconds"),
            }
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            seen = "never signed in" if at is None else f"signed in {at:%Y-%m-%d %H:%M} UTC"
            by = "" if person.group_role != person.role else f"  by the group {person.group}"
            click.echo(f"{person.person_id}  {person.project_id:<30} {person.role:<7}  {person.email:<32}  {seen}{by}")


@command.command("role")
@_PROJECT
@_EMAIL
@_ROLE
def role_(project: str, email: str, role: str) -> None:
    """Give a person another role, in force within seconds."""
    from turret_api.accounts.people import change_person, find_person

    with open_accounts() as accounts:
        found = find_person(accounts, accounts.find_project(project).project_id, email)
        person = change_person(accounts, found.project_id, found.person_id, role)
        _told(accounts, "person_changed", person)
    click.echo(f"{person.email} is {person.role} in {person.project_id} now{_by_group(person, role)}")


@command.command("remove")
@_PROJECT
@_EMAIL
def remove(project: str, email: str) -> None:
    """Let a person in no longer; they are signed out within seconds."""
    from turret_api.accounts.people import find_person, remove_person

    with open_accounts() as accounts:
        found = find_person(accounts, accounts.find_project(project).project_id, email)
        person = remove_person(accounts, found.project_id, found.person_id)
        _told(accounts, "person_removed", person)
    if person.group_role is None:
        click.echo(f"{person.email} may not sign in to {person.project_id} any more")
    else:
        click.echo(
            f"{person.email} is removed from {person.project_id}; while the provider has them in the group "
            f"{person.group}, they may sign in again"
        )


def _by_group(person: Person, role: str) -> str:
    """Return in words why it is another role than the one that was given; "": it is not."""
    return "" if person.role == role else f", by the group {person.group}; by hand {role}"


def _told(accounts: Accounts, action: Action, person: Person) -> None:
    from turret_api.accounts import audit

    about = {"person_id": person.person_id, "email": person.email, "role": person.role}
    audit.record(accounts, person.project_id, audit.command_actor(), action, about)
