"""`turret project delete`: a project's end, through everything that Turret keeps.

    there ──its keys and grants go──▶ deleted, for every server within seconds ──the note in the lake──▶ deleted, for
    the pipeline too ──spools are empty of it──▶ no event comes any more ──rows, files, partitions──▶ nothing left

The first step is one transaction, and no step can be taken back. Killed anywhere, the same call goes on from there.
"""

from __future__ import annotations

import subprocess
import sys
import time

import click
import orjson

from turret_api.accounts import Accounts, audit
from turret_api.accounts.deletion import (
    DeletedProject,
    delete_project,
    deleted_projects,
    find_deleted,
    finish_deletion,
)
from turret_api.accounts.directory import REFRESH_S
from turret_api.accounts.store import AccountError, Project
from turret_api.command.accounts import open_accounts
from turret_api.erasing.project import erase_project_elsewhere
from turret_api.home.dagster_home import dagster_environment, has_tables
from turret_api.home.import_lock import one_import_at_a_time
from turret_api.home.spools import bring_in_spools, collectors_run
from turret_api.processes.postgres import database
from turret_pipeline import failpoint
from turret_pipeline.lake import parts
from turret_pipeline.lake.deletion import remove_project
from turret_pipeline.lake.locks import sole_writer
from turret_pipeline.settings import Settings

_HEARD_S = 2 * REFRESH_S
"""Seconds until every collector of this host knows that a project was deleted."""


def delete(settings: Settings, name: str, is_sure: bool) -> None:
    """After this call nothing is left of the project, by id or name, nor of others whose deletion was cut off.

    is_sure: without it, and for a project that there never was, it is an error in one line. Prints what was done.
    """
    with database(settings) as url, open_accounts(settings) as accounts:
        found = _find(accounts, name)
        words = f"{found.project_id} ({found.name})" if found.project_id != found.name else found.name
        if isinstance(found, DeletedProject) and found.finished_at is not None:
            click.echo(f"{words} was deleted at {found.finished_at:%Y-%m-%d %H:%M:%S} UTC; nothing is left of it")
            return
        if not is_sure:
            raise click.ClickException(
                f"this deletes the project {words} with all its events, tables, edits and keys, and cannot be taken "
                "back; call it with --yes to do it"
            )
        if isinstance(found, Project):
            with one_import_at_a_time(settings, url, found.project_id):
                delete_project(accounts, found.project_id)
                about = {"name": found.name}
                audit.record(accounts, found.project_id, audit.command_actor(), "project_deleted", about)
        failpoint.reached("project.after_accounts")
        finish_deletions(settings, url, accounts)
    click.echo(f"{words} is deleted; nothing is left of it")


def finish_deletions(settings: Settings, url: str, accounts: Accounts) -> None:
    """After this call nothing is left of the projects that were deleted."""
    for each in deleted_projects(accounts):
        if each.finished_at is None:
            _finish(settings, url, each)
            erase_project_elsewhere(settings, accounts, url, each.project_id, each.deleted_at)
            finish_deletion(accounts, each.project_id)


def _find(accounts: Accounts, id_or_name: str) -> Project | DeletedProject:
    """Return the project, or the one that was deleted; raise `AccountError` if there never was one."""
    try:
        return accounts.find_project(id_or_name)
    except AccountError:
        deleted = find_deleted(accounts, id_or_name)
        if deleted is None:
            raise
        return deleted


def _finish(settings: Settings, url: str, deleted: DeletedProject) -> None:
    lake, project_id = settings.open_lake(), deleted.project_id
    note = {"name": deleted.name, "deleted_at": deleted.deleted_at.isoformat()}
    parts.delete_project(lake, project_id, orjson.dumps(note))
    failpoint.reached("project.after_note")
    if collectors_run(settings):
        time.sleep(_HEARD_S)
    bring_in_spools(settings, url)
    waiting = f"a build of {project_id} is running; waiting until it lets go"
    with (
        one_import_at_a_time(settings, url, project_id),
        sole_writer(url, lake, project_id, lambda: click.echo(waiting, err=True)),
    ):
        remove_project(lake, project_id)
        failpoint.reached("project.after_lake")
    if has_tables(url):
        _forget(settings, url, project_id)
    (settings.home / "imports" / f"{project_id}.lock").unlink(missing_ok=True)


def _forget(settings: Settings, url: str, project_id: str) -> None:
    # A process of its own: this one must not import Dagster.
    command = [sys.executable, "-m", "turret_pipeline.orchestration.forget", project_id]
    done = subprocess.run(command, env=dagster_environment(settings, url), capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise click.ClickException(f"Dagster could not forget {project_id}: {reason}; call this again")
