"""The end of a project in Postgres: its keys and grants go at once, and a note of it stays.

a project ──delete_project──▶ deleted, its tables on their way out ──finish_deletion──▶ deleted, nothing left
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, or_, select, update

from turret_api.accounts.store import AccountError, Accounts
from turret_api.accounts.tables import API_KEYS, DELETED_PROJECTS, PROJECTS, QUOTA_GRANTS, REVISION


@dataclass(frozen=True)
class DeletedProject:
    """A project that was deleted; `finished_at` None: its events and tables may not all be gone."""

    project_id: str
    name: str
    deleted_at: dt.datetime
    finished_at: dt.datetime | None


def delete_project(accounts: Accounts, project_id: str) -> DeletedProject:
    """After this call there is no such project, its keys are refused within seconds, and its id is not given again."""
    with accounts.engine.begin() as connection:
        # Locked first: a collector that asks for a grant now waits, and then finds no project.
        project = select(PROJECTS.c.name).where(PROJECTS.c.project_id == project_id).with_for_update()
        name = connection.scalar(project)
        if name is None:
            raise AccountError(f"there is no project {project_id!r}")
        for table in (API_KEYS, QUOTA_GRANTS, PROJECTS):
            connection.execute(delete(table).where(table.c.project_id == project_id))
        connection.execute(insert(DELETED_PROJECTS).values(project_id=project_id, name=name))
        connection.execute(update(REVISION).values(number=REVISION.c.number + 1))
        return _of_row(connection.execute(_selected(project_id)).one())


def deleted_projects(accounts: Accounts) -> list[DeletedProject]:
    """Return the projects that were deleted, oldest first."""
    query = select(*DELETED_PROJECTS.c).order_by(DELETED_PROJECTS.c.deleted_at)
    with accounts.engine.connect() as connection:
        return [_of_row(row) for row in connection.execute(query)]


def find_deleted(accounts: Accounts, id_or_name: str) -> DeletedProject | None:
    """Return the project of this id or name that was deleted last; None if there never was one."""
    with accounts.engine.connect() as connection:
        row = connection.execute(_selected(id_or_name)).first()
    return None if row is None else _of_row(row)


def finish_deletion(accounts: Accounts, project_id: str) -> None:
    """After this call the note says that nothing of the project is left."""
    change = update(DELETED_PROJECTS).where(DELETED_PROJECTS.c.project_id == project_id)
    with accounts.engine.begin() as connection:
        connection.execute(change.values(finished_at=func.now()))


def _of_row(row: Row[Any]) -> DeletedProject:
    return DeletedProject(row.project_id, row.name, row.deleted_at, row.finished_at)


def _selected(id_or_name: str) -> Select[Any]:
    table = DELETED_PROJECTS
    wanted = or_(table.c.project_id == id_or_name, table.c.name == id_or_name)
    return select(*table.c).where(wanted).order_by(table.c.deleted_at.desc()).limit(1)
