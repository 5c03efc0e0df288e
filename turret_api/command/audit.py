"""`turret audit`: what was done, and by whom."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import click

from turret_api.command.accounts import open_accounts

if TYPE_CHECKING:
    from turret_api.accounts import Accounts
    from turret_api.accounts.audit import Entry

_DAY_OR_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command("audit")
@click.option("--project", help="Id or name of the project; default: all, and what is about the installation.")
@click.option("--action", help="Only these acts: sign_in, export, key_made and so on.")
@click.option("--from", "since", type=_DAY_OR_TIME, help="Only from this time (UTC) on.")
@click.option("--to", "until", type=_DAY_OR_TIME, help="Only before this time (UTC).")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object an entry.")
def command(
    project: str | None,
    action: str | None,
    since: dt.datetime | None,
    until: dt.datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show sign-ins, exports, erasures and changes of keys, people and settings, latest first."""
    from turret_api.accounts import audit

    if action is not None and action not in audit.ACTIONS:
        raise click.UsageError(f"there is no action {action!r}; they are: {', '.join(audit.ACTIONS)}")
    with open_accounts() as accounts:
        project_id = None if project is None else _project_id(accounts, project)
        found = audit.entries(accounts, project_id, most=limit, action=action, since=_utc(since), until=_utc(until))
    for entry in found:
        click.echo(_json(entry) if as_json else _line(entry))
    if not found and not as_json:
        click.echo("nothing was done")


def _project_id(accounts: Accounts, id_or_name: str) -> str:
    """Return the project's id, also of one that was deleted: its entries are still there."""
    from turret_api.accounts import AccountError
    from turret_api.accounts.deletion import find_deleted

    try:
        return accounts.find_project(id_or_name).project_id
    except AccountError:
        deleted = find_deleted(accounts, id_or_name)
        if deleted is None:
            raise
        return deleted.project_id


def _utc(time: dt.datetime | None) -> dt.datetime | None:
    return None if time is None else time.replace(tzinfo=dt.UTC)


def _json(entry: Entry) -> str:
    row = {
        "audit_id": entry.audit_id,
        "project_id": entry.project_id,
        "at": entry.at.isoformat(timespec="seconds"),
        "actor": entry.actor,
        "action": entry.action,
        "about": entry.about,
    }
    return json.dumps(row, ensure_ascii=False)


def _line(entry: Entry) -> str:
    about = ", ".join(f"{name} {value}" for name, value in entry.about.items() if value is not None)
    at = f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"
    line = f"{at}  {entry.project_id or '':<24} {entry.actor:<24} {entry.action:<16} {about}".rstrip()
    # The name of a file may hold what a terminal obeys, or a line that looks like another entry.
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)
