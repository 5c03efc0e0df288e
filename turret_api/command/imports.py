"""What `turret import` does beside importing: show the imports that there were, and take one back."""

from __future__ import annotations

import contextlib
import dataclasses
import json

import click

from turret_api.accounts import Accounts, audit
from turret_api.command.accounts import open_accounts
from turret_api.home.import_lock import one_import_at_a_time
from turret_api.importing.imports import IN_LAKE, Import, find_imports
from turret_api.importing.undo import undo_import
from turret_api.processes.postgres import database
from turret_pipeline.lake.locks import sole_writer
from turret_pipeline.settings import Settings


def show_imports(settings: Settings, project: str | None, as_json: bool) -> None:
    """Print the imports (into `project`, by id or name), oldest first."""
    found = find_imports(settings.open_lake(), _projects(settings, project))
    for each in found:
        row = {**dataclasses.asdict(each), "imported_at": each.imported_at.isoformat()}
        click.echo(json.dumps(row, ensure_ascii=False) if as_json else _line(each))
    if not found and not as_json:
        click.echo("nothing has been imported yet")


def take_back(settings: Settings, import_id: str, project: str | None, as_json: bool) -> None:
    """Take the import back, and print what that did; say so where it was taken back before."""
    lake = settings.open_lake()
    found = _find(settings, import_id, project)
    was_there = found.state == IN_LAKE
    with database(settings) as url, one_import_at_a_time(settings, url, found.project_id):
        waiting = f"a build of {found.project_id} is running; waiting until it lets go"
        with sole_writer(url, lake, found.project_id, lambda: click.echo(waiting, err=True)):
            # Again, for another call may have been quicker.
            found = _find(settings, import_id, found.project_id)
            was_there = was_there and found.state == IN_LAKE
            try:
                done = undo_import(lake, found)
            except OSError as error:
                raise click.ClickException(f"the lake cannot be written: {error}; call this again") from error
        if was_there:
            with contextlib.closing(Accounts(url)) as accounts:
                about = {"import_id": import_id, "events": done.events}
                audit.note(accounts, found.project_id, audit.command_actor(), "import_undone", about)
    if as_json:
        row = {"import_id": found.import_id, "project_id": found.project_id, "events": done.events, "kept": done.kept}
        click.echo(json.dumps({**row, "was_there": was_there}))
        return
    if not was_there:
        rest = f"; the {done.removed_files} files that were left of it are gone now" if done.removed_files else ""
        click.echo(f"{found.import_id} was taken back before{rest}")
        return
    click.echo(
        f"{found.import_id} is taken back: {done.events:,} events of {_file(found)}. The next build brings the tables "
        f"of {found.project_id} there (`turret build`, or by itself while `turret up` runs)."
    )
    for other, n in done.kept.items():
        click.echo(f"{n:,} of them stay, because {other} brought them too")
    if older := [each.import_id for each in _others(settings, found) if each.file is None]:
        click.echo(
            f"An earlier version of Turret made {', '.join(older)} and did not note what it had in common with this "
            "import. If their files shared events, import that file again.",
            err=True,
        )


def _find(settings: Settings, import_id: str, project: str | None) -> Import:
    found = find_imports(settings.open_lake(), _projects(settings, project))
    wanted = [each for each in found if each.import_id == import_id]
    if not wanted:
        known = ", ".join(each.import_id for each in found[-5:] if each.state == IN_LAKE) or "none"
        raise click.ClickException(
            f"there is no import {import_id!r}; the newest are: {known} (`turret import --list` shows all)"
        )
    return wanted[0]


def _others(settings: Settings, found: Import) -> list[Import]:
    """Return the imports into the same project that came later and are in the lake."""
    imports = find_imports(settings.open_lake(), [found.project_id])
    return [each for each in imports if each.imported_at > found.imported_at and each.state == IN_LAKE]


def _projects(settings: Settings, project: str | None) -> list[str] | None:
    if project is None:
        return None
    with open_accounts(settings) as accounts:
        return [accounts.find_project(project).project_id]


def _file(found: Import) -> str:
    return found.file or "a file whose name is not known"


def _line(found: Import) -> str:
    at = f"{found.imported_at:%Y-%m-%d %H:%M:%S} UTC"
    shared = f", {found.aside:,} that others brought before" if found.aside else ""
    row = f"{found.import_id}  {at}  {found.project_id:<24} {found.events:>12,} events{shared}  {_file(found)}"
    return row if found.state == IN_LAKE else f"{row}  ({found.state})"
