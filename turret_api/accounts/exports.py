"""Which files we wrote outside the home, as the audit log tells: exports of a project's tables, and backups."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from turret_api.accounts.store import Accounts
from turret_api.accounts.tables import AUDIT

EXPORT, BACKUP = "export", "backup"
PATH = "path"
"""Key of what the audit log tells of them: the absolute path of the file."""


@dataclass(frozen=True)
class Archive:
    """A file that `turret backup` wrote; begun_at: it holds what had been received by then."""

    path: Path
    begun_at: dt.datetime


def exported_files(accounts: Accounts, project_id: str) -> list[Path]:
    """Return where exports of the project were written, each once."""
    paths = [about[PATH] for _, about in _told(accounts, EXPORT, project_id) if isinstance(about.get(PATH), str)]
    return [Path(each) for each in dict.fromkeys(paths)]


def archives(accounts: Accounts) -> list[Archive]:
    """Return the archives that were written, oldest first, each as it was written last."""
    found: dict[str, Archive] = {}
    for at, about in _told(accounts, BACKUP, None):
        path = about.get(PATH)
        if isinstance(path, str):
            found.pop(path, None)
            found[path] = Archive(Path(path), at)
    return list(found.values())


def _told(accounts: Accounts, action: str, project_id: str | None) -> list[tuple[dt.datetime, dict[str, Any]]]:
    query = select(AUDIT.c.at, AUDIT.c.about).where(AUDIT.c.action == action).order_by(AUDIT.c.audit_id)
    if project_id is not None:
        query = query.where(AUDIT.c.project_id == project_id)
    with accounts.engine.connect() as connection:
        return [(row.at, msgspec.json.decode(row.about)) for row in connection.execute(query)]
