"""The audit log: who did what, and when. Rows are only added; they outlive the project that they are about.

What is told of an act (`about`) never holds a text of an event, nor the id of one who was erased. An entry is kept for
`KEPT_DAYS`: each new one takes a few with it that are older.
"""

from __future__ import annotations

import datetime as dt
import getpass
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts.store import Accounts
from turret_api.accounts.tables import AUDIT

log = logging.getLogger(__name__)

NOBODY = "nobody"

Action = Literal[
    "sign_in",
    "sign_in_refused",
    "sign_out",
    "export",
    "import",
    "import_undone",
    "erasure",
    "key_made",
    "key_revoked",
    "person_added",
    "person_changed",
    "person_removed",
    "project_made",
    "project_deleted",
    "plan_changed",
    "setting_changed",
    "backup",
    "restore",
]
ACTIONS: tuple[Action, ...] = get_args(Action)
KEPT_DAYS = 730
_MOST_FORGOTTEN = 10


@dataclass(frozen=True)
class Entry:
    """One thing that was done. `actor` is `key:ID`, `person:EMAIL`, `command:USER` or `nobody`; `action` an `Action`.

    `nobody` is who was refused without having said who they are.
    """

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
    oldest = select(AUDIT.c.audit_id).order_by(AUDIT.c.audit_id).limit(_MOST_FORGOTTEN)
    with accounts.engine.begin() as connection:
        connection.execute(insert(AUDIT).values(project_id=project_id, actor=actor, action=action, about=text))
        too_old = AUDIT.c.at < func.now() - dt.timedelta(days=KEPT_DAYS)
        # Of the oldest alone, or all of the log would be read to see that none is too old. Those that another
        # transaction is removing now are passed over, so that none waits for another.
        among = AUDIT.c.audit_id.in_(oldest.scalar_subquery())
        found = select(AUDIT.c.audit_id).where(among, too_old).with_for_update(skip_locked=True)
        connection.execute(delete(AUDIT).where(AUDIT.c.audit_id.in_(found.scalar_subquery())))


def note(accounts: Accounts, project_id: str | None, actor: str, action: str, about: Mapping[str, Any]) -> None:
    """As `record`; where the log cannot be written, the process's own log has it, and the act goes on."""
    try:
        record(accounts, project_id, actor, action, about)
    except SQLAlchemyError as error:
        row = {
            "project": project_id,
            "actor": actor,
            "action": action,
            "about": dict(about),
            "reason": str(error)[:300],
        }
        log.warning("the audit log cannot be written", extra=row)


def entries(
    accounts: Accounts,
    project_id: str | None = None,
    *,
    before: int | None = None,
    most: int | None = 100,
    action: str | None = None,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
) -> list[Entry]:
    """Return what was done in the project, latest first.

    Args:
        accounts: the accounts.
        project_id: the project; None: all, and what is about the installation.
        before: the id of an entry; only older ones.
        most: how many at most; None: all.
        action: only these acts.
        since: only from this time on.
        until: only before this time.
    """
    query = select(AUDIT).order_by(AUDIT.c.audit_id.desc()).limit(most)
    if project_id is not None:
        query = query.where(AUDIT.c.project_id == project_id)
    if before is not None:
        query = query.where(AUDIT.c.audit_id < before)
    if action is not None:
        query = query.where(AUDIT.c.action == action)
    if since is not None:
        query = query.where(AUDIT.c.at >= since)
    if until is not None:
        query = query.where(AUDIT.c.at < until)
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
