"""A project's rules on what may be kept and shown, each a JSON value by its name; whoever owns a name knows its shape.

masking   what is masked before it is stored (`turret_api.masking`)
few       how many users a count must be of to be shown without texts
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from turret_api.accounts.store import Accounts
from turret_api.accounts.tables import PRIVACY, REVISION

MASKING, FEW = "masking", "few"


def set_rule(accounts: Accounts, project_id: str, name: str, value: Any) -> None:
    """After this call the project has this rule; None: it has none. Every process knows it within seconds."""
    with accounts.engine.begin() as connection:
        if value is None:
            connection.execute(delete(PRIVACY).where(PRIVACY.c.project_id == project_id, PRIVACY.c.name == name))
        else:
            text = msgspec.json.encode(value).decode()
            row = insert(PRIVACY).values(project_id=project_id, name=name, value=text)
            changed = {"value": row.excluded.value, "changed_at": func.now()}
            connection.execute(row.on_conflict_do_update(index_elements=["project_id", "name"], set_=changed))
        connection.execute(update(REVISION).values(number=REVISION.c.number + 1))


def rules_of(accounts: Accounts, project_id: str) -> dict[str, Any]:
    """Return the project's rules by name."""
    return all_rules(accounts).get(project_id, {})


def all_rules(accounts: Accounts) -> dict[str, dict[str, Any]]:
    """Return the rules of all projects that have some, by project and name."""
    found: dict[str, dict[str, Any]] = {}
    with accounts.engine.connect() as connection:
        for project_id, name, value in connection.execute(
            select(PRIVACY.c.project_id, PRIVACY.c.name, PRIVACY.c.value)
        ):
            found.setdefault(project_id, {})[name] = msgspec.json.decode(value)
    return found
