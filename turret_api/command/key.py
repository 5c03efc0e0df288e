"""`turret key`: make, list and revoke API keys."""

from __future__ import annotations

import datetime as dt
import json

import click

from turret_api.command.accounts import open_accounts
from turret_api.roles import ROLES, SCOPE_OF_ROLE, SCOPES


@click.group("key")
def command() -> None:
    """Create, list and revoke API keys."""


@command.command("create")
@click.option("--project", required=True, help="Id or name of the project.")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    help="write: send events; read: read; admin: read and change settings. Needed where --role is not given.",
)
@click.option(
    "--role",
    type=click.Choice(ROLES),
    help="viewer: see counts; analyst: texts too (a read key's default); editor: change topics, fields, notes and "
    "alerts too; owner: keys, people and privacy too (an admin key's default).",
)
@click.option("--days", type=click.IntRange(min=1, max=36_500), help="Days until the key expires; default: never.")
@click.option("--name", help="What the key is for, or whose it is: `turret key list` and the dashboard show it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def create(
    project: str, scope: str | None, role: str | None, days: int | None, name: str | None, as_json: bool
) -> None:
    """Make a key and print it; it cannot be shown again."""
    if scope is None and role is None:
        raise click.UsageError("Give --scope or --role: what the key may do.")
    scope = scope or SCOPE_OF_ROLE[role or ""]
    expires_at = None if days is None else dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    from turret_api.accounts import audit

    with open_accounts() as accounts:
        made = accounts.create_key(accounts.find_project(project).project_id, scope, expires_at, name, role)
        about = {"key_id": made.key_id, "scope": made.scope, "role": made.role, "name": made.name}
        audit.record(accounts, made.project_id, audit.command_actor(), "key_made", about)
    row = {
        "project_id": made.project_id,
        "key_id": made.key_id,
        "scope": made.scope,
        "role": made.role,
        "name": made.name,
        "key": made.key,
        "expires_at": None if made.expires_at is None else made.expires_at.isoformat(timespec="seconds"),
    }
    if as_json:
        click.echo(json.dumps(row))
        return
    for field, value in row.items():
        click.echo(f"{field:<11} {value if value is not None else 'never' if field == 'expires_at' else 'none'}")
    click.echo("The key is shown this once; only its hash is kept.", err=True)


@command.command("list")
@click.option("--project", help="Id or name of the project; default: all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a key.")
def list_(project: str | None, as_json: bool) -> None:
    """Show keys by their first characters, with their names and when each was last used (to about a minute)."""
    with open_accounts() as accounts:
        keys = accounts.keys(None if project is None else accounts.find_project(project).project_id)
    now = dt.datetime.now(dt.UTC)
    for key in keys:
        state = "revoked" if key.revoked_at else "expired" if key.expires_at and key.expires_at <= now else "valid"
        if as_json:
            row = {
                "key_id": key.key_id,
                "project_id": key.project_id,
                "scope": key.scope,
                "role": key.role,
                "hint": key.hint,
                "name": key.name,
                "state": state,
                "created_at": key.created_at.isoformat(timespec="seconds"),
                "expires_at": None if key.expires_at is None else key.expires_at.isoformat(timespec="seconds"),
                "last_used_at": None if key.last_used_at is None else key.last_used_at.isoformat(timespec="seconds"),
            }
            click.echo(json.dumps(row))
        else:
            used = "never used" if key.last_used_at is None else f"last used {key.last_used_at:%Y-%m-%d %H:%M} UTC"
            about = f"{state:<7}  {used:<27}  {key.name or ''}".rstrip()
            click.echo(f"{key.key_id}  {key.project_id:<30} {key.role or key.scope:<7} {key.hint}…  {about}")


@command.command("revoke")
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Refuse KEY_ID from now on, everywhere within seconds."""
    from turret_api.accounts import audit

    with open_accounts() as accounts:
        project_id = accounts.revoke_key(key_id)
        audit.record(accounts, project_id, audit.command_actor(), "key_revoked", {"key_id": key_id})
    click.echo(f"{key_id} is revoked")
