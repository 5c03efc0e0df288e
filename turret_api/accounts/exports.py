"""Which files we wrote outside the home, as the audit log tells: exports of a project's tables, and backups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from turret_api.accounts.store import Accounts
from turret_api.accounts.tables import AUDIT

EXPORT, BACKUP = "export", "backup"
PATH = "path"
"""Key of what the audit log tells of them: the absolute path of the file."""


def exported_files(accounts: Accounts, project_id: str) -> list[Path]:
    """Return where exports of the project were written, each once."""
    paths = [about[PATH] for about in _told(accounts, EXPORT, project_id) if isinstance(about.get(PATH), str)]
    return [Path(each) for each in dict.fromkeys(paths)]


def archives(accounts: Accounts) -> list[Path]:
    """Return where archives of `turret backup` were written, each once."""
    paths = [about[PATH] for about in _told(accounts, BACKUP, None) if isinstance(about.get(PATH), str)]
    return [Path(each) for each in dict.fromkeys(paths)]


def _told(accounts: Accounts, action: str, project_id: str | None) -> list[dict[str, Any]]:
    query = select(AUDIT.c.about).where(AUDIT.c.action == action).order_by(AUDIT.c.audit_id)
    if project_id is not None:
        query = query.where(AUDIT.c.project_id == project_id)
    with accounts.engine.connect() as connection:
        return [msgspec.json.decode(about) for about in connection.scalars(query)]
