"""What is left outside the lake of a project that was deleted: rows that Dagster showed, and bytes in databases' files.

Files that were exported stay: who deletes a project may have exported it first.
"""

from __future__ import annotations

import datetime as dt

from turret_api.accounts import Accounts
from turret_api.accounts.exports import archives
from turret_api.accounts.suppression import hasher_of
from turret_api.erasing import postgres
from turret_api.erasing.dagster import erase_from_dagster
from turret_api.erasing.erased import Done
from turret_api.erasing.notes import PROJECT, Note, name_of, write_notes
from turret_api.erasing.spools import forget_project
from turret_api.erasing.words import Words
from turret_pipeline.settings import Settings


def erase_project_elsewhere(
    settings: Settings, accounts: Accounts, database_url: str, project_id: str, deleted_at: dt.datetime
) -> list[Done]:
    """After this call nothing outside the lake that is ours has an event of the project; return what was done where.

    Raise `OSError` and the errors of the databases where a place could not be reached.
    """
    note = Note(deleted_at, project_id, PROJECT, [], name_of(hasher_of(accounts)))
    done = forget_project(settings, project_id)
    done += write_notes([note], settings.home, archives(accounts))
    with postgres.connected(database_url) as opened:
        done += erase_from_dagster(opened, project_id, Words([]))
    return done + postgres.write_anew(database_url, settings.database_url is None)
