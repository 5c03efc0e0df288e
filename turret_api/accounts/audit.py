"""The audit log: who did what, and when. Rows are only added; they outlive the project that they are about.

What is told of an act (`about`) never holds a text of an event, nor the id of one who was erased.
"""

from __future__ import annotations

import datetime as dt
import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import insert, select

from turret_api.accounts.store import Accounts
from turret_api.accounts.tables import AUDIT

ACTIONS = (
    "sign_in",
    "sign_in_refused",
    "sign_out",
    "export",
    "import",
    "erasure",
    "key_made",
    "key_revoked",
    "person_added",
    "person_changed",
    "person_removed",
    "setting_changed",
    "backup",
    "restore",
)


@dataclass(frozen=True)
class Entry:
    """One thing that was done; `actor` is `key:ID`, `person:EMAIL` or `command:USER`, `action` one of `ACTIONS`."""

    audit_id: int
    project_id: str | None
    at: dt.datetime
    actor: str
    action: str
    about: dict[str, Any]


def record(accounts: Accounts, project_id: str | None, actor: str, action: str, about: Mapping[str, Any]) -> None:
    """After this call the log has it; raise SQLAlchemy's errors. project_id None: it is about the installation."""
    if action not in ACTIONS:
        raise ValueError(f"{action!r} is no action of the audit log; they are: {', '.join(ACTIONS)}")
    text = msgspec.json.encode(dict(about)).decode()
    with accounts.engine.begin() as connection:
        connection.execute(insert(AUDIT).values(project_id=project_id, actor=actor, action=action, about=text))


def entries(accounts: Accounts, project_id: str, before: int | None = None, most: int = 100) -> list[Entry]:
    """Return what was done in the project, latest first, at most `most`; before: the id of an entry, for older ones."""
    query = select(AUDIT).where(AUDIT.c.project_id == project_id).order_by(AUDIT.c.audit_id.desc()).limit(most)
    if before is not None:
        query = query.where(AUDIT.c.audit_id < before)
    with accounts.engine.connect() as connection:
        return [
            Entry(row.audit_id, row.project_id, row.at, row.actor, row.action, msgspec.json.decode(row.about))
            for row in connection.execute(query)
        ]


def command_actor() -> str:
    """Return who a `turret` command is in the log: the user of the operating system who runs it."""
    try:
        return f"command:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user need not have a name
        return "command:unknown"
