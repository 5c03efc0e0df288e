"""Reading and writing rules and targets, in the Postgres of the accounts."""

from __future__ import annotations

import base64
import datetime as dt
import re
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql

from turret_api.accounts import Accounts, privacy
from turret_api.accounts.few import Few, few_of
from turret_api.accounts.tables import ALERT_LOOKS, ALERT_RULES, ALERT_TARGETS
from turret_api.alerts.hours import DigestPlan, QuietHours
from turret_api.alerts.rules import SILENCE, Filters, Rule
from turret_api.alerts.targets import WEBHOOK, Target

_ID = re.compile(r"[a-z]+_[0-9a-f]{16}", re.ASCII)
MOST_RULES, MOST_TARGETS = 200, 50
"""Of one project."""


class FullError(ValueError):
    """A project has as many rules, or targets, as one may have."""


class AlertStore:
    """The rules and targets of all projects. Each call is of one project, and of others there is nothing."""

    def __init__(self, accounts: Accounts) -> None:
        self.engine = accounts.engine
        self._accounts = accounts

    def few(self, project_id: str) -> Few:
        """Return of how many users the project lets counts be."""
        return few_of(privacy.rules_of(self._accounts, project_id).get(privacy.FEW))

    def rules(self, project_id: str) -> list[Rule]:
        """Return the project's rules, oldest first."""
        with self.engine.connect() as connection:
            return rules_of(connection, project_id)

    def add_rule(
        self,
        project_id: str,
        name: str,
        kind: str,
        filters: Filters,
        targets: Sequence[str] | None,
        *,
        urgent: bool,
    ) -> Rule:
        """Add a rule, which is looked at within minutes, and return it."""
        with self.engine.begin() as connection:
            lock(connection, project_id)
            if len(rules_of(connection, project_id)) >= MOST_RULES:
                raise FullError(f"a project has at most {MOST_RULES} rules; remove one first")
            rule_id = new_id("rule")
            row = {"rule_id": rule_id, "project_id": project_id, **_rule(name, kind, filters, targets, urgent)}
            connection.execute(insert(ALERT_RULES).values(row))
            look_anew(connection, project_id)
            return next(each for each in rules_of(connection, project_id) if each.rule_id == rule_id)

    def change_rule(
        self,
        project_id: str,
        rule_id: str,
        name: str,
        kind: str,
        filters: Filters,
        targets: Sequence[str] | None,
        *,
        urgent: bool,
    ) -> Rule | None:
        """Make the rule say this; return it, or None if there is none. What it has found stays."""
        if not may_be_id(rule_id):
            return None
        with self.engine.begin() as connection:
            lock(connection, project_id)
            mine = (ALERT_RULES.c.project_id == project_id) & (ALERT_RULES.c.rule_id == rule_id)
            connection.execute(update(ALERT_RULES).where(mine).values(_rule(name, kind, filters, targets, urgent)))
            look_anew(connection, project_id)
            return next((each for each in rules_of(connection, project_id) if each.rule_id == rule_id), None)

    def remove_rule(self, project_id: str, rule_id: str) -> Rule | None:
        """After this call there is no such rule, and no alert of it; return it, or None if there was none."""
        with self.engine.begin() as connection:
            found = next((each for each in rules_of(connection, project_id) if each.rule_id == rule_id), None)
            if found is not None:
                connection.execute(delete(ALERT_RULES).where(ALERT_RULES.c.rule_id == rule_id))
            return found

    def targets(self, project_id: str) -> list[Target]:
        """Return the project's targets, oldest first."""
        with self.engine.connect() as connection:
            return targets_of(connection, project_id)

    def target(self, project_id: str, target_id: str) -> Target | None:
        """Return the project's target of this id."""
        return next((each for each in self.targets(project_id) if each.target_id == target_id), None)

    def add_target(
        self,
        project_id: str,
        kind: str,
        name: str,
        address: str,
        *,
        has_texts: bool = False,
        quiet: QuietHours | None = None,
        digest: DigestPlan | None = None,
        now: dt.datetime | None = None,
    ) -> Target:
        """Add a target and return it; a webhook gets a secret."""
        with self.engine.begin() as connection:
            lock(connection, project_id)
            if len(targets_of(connection, project_id)) >= MOST_TARGETS:
                raise FullError(f"a project has at most {MOST_TARGETS} targets; remove one first")
            target_id = new_id("target")
            row = {
                "target_id": target_id,
                "project_id": project_id,
                "kind": kind,
                "address": address,
                "secret": new_secret() if kind == WEBHOOK else None,
                **_target(name, quiet, digest, now, has_texts=has_texts),
            }
            connection.execute(insert(ALERT_TARGETS).values(row))
            return next(each for each in targets_of(connection, project_id) if each.target_id == target_id)

    def change_target(
        self,
        project_id: str,
        target_id: str,
        name: str,
        *,
        has_texts: bool,
        quiet: QuietHours | None,
        digest: DigestPlan | None,
        now: dt.datetime | None = None,
    ) -> Target | None:
        """Make the target say this, and enable it again if it was disabled; return it, or None if there is none."""
        if not may_be_id(target_id):
            return None
        with self.engine.begin() as connection:
            mine = (ALERT_TARGETS.c.project_id == project_id) & (ALERT_TARGETS.c.target_id == target_id)
            row = _target(name, quiet, digest, now, has_texts=has_texts)
            connection.execute(
                update(ALERT_TARGETS).where(mine).values(row | {"disabled_at": None, "disabled_for": None})
            )
            return next((each for each in targets_of(connection, project_id) if each.target_id == target_id), None)

    def remove_target(self, project_id: str, target_id: str) -> Target | None:
        """After this call nothing goes there any more; return it, or None if there was none."""
        with self.engine.begin() as connection:
            found = next((each for each in targets_of(connection, project_id) if each.target_id == target_id), None)
            if found is not None:
                connection.execute(delete(ALERT_TARGETS).where(ALERT_TARGETS.c.target_id == target_id))
            return found


def rules_of(connection: Connection, project_id: str) -> list[Rule]:
    """Return the project's rules, oldest first."""
    mine = select(ALERT_RULES).where(ALERT_RULES.c.project_id == project_id)
    rows = connection.execute(mine.order_by(ALERT_RULES.c.created_at, ALERT_RULES.c.rule_id))
    return [
        Rule(
            row.rule_id,
            row.project_id,
            row.name,
            row.kind,
            Filters.model_validate_json(row.filters),
            None if row.targets is None else tuple(msgspec.json.decode(row.targets, type=list[str])),
            row.urgent,
            row.created_at,
        )
        for row in rows
    ]


def targets_of(connection: Connection, project_id: str) -> list[Target]:
    """Return the project's targets, oldest first."""
    mine = select(ALERT_TARGETS).where(ALERT_TARGETS.c.project_id == project_id)
    rows = connection.execute(mine.order_by(ALERT_TARGETS.c.created_at, ALERT_TARGETS.c.target_id))
    return [_target_of(row) for row in rows]


def look_anew(connection: Connection, project_id: str) -> None:
    """After this call the project's rules are looked at soon, whether its tables have changed or not."""
    row = postgresql.insert(ALERT_LOOKS).values(project_id=project_id, built_at=None, looked_at=None)
    nothing = {"built_at": None, "looked_at": None}
    connection.execute(row.on_conflict_do_update(index_elements=[ALERT_LOOKS.c.project_id], set_=nothing))


def new_id(kind: str) -> str:
    """Return an id that was never given."""
    return f"{kind}_{secrets.token_hex(8)}"


def may_be_id(text: str) -> bool:
    """Tell whether `new_id` may have made an id; of one that it cannot have made, the database need not be asked."""
    return _ID.fullmatch(text) is not None


def new_secret() -> str:
    """Return a signing secret as Standard Webhooks writes them."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"


def lock(connection: Connection, project_id: str) -> None:
    """Let other changes of the project wait for the end of the transaction."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"turret.alerts {project_id}"))))


def _rule(name: str, kind: str, filters: Filters, targets: Sequence[str] | None, urgent: bool) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "filters": filters.model_dump_json(exclude_unset=True),
        "targets": None if targets is None else msgspec.json.encode(list(targets)).decode(),
        "urgent": urgent,
        # Silence comes by the clock: the first look says when.
        "look_at": func.now() if kind == SILENCE else None,
    }


def _target(
    name: str, quiet: QuietHours | None, digest: DigestPlan | None, now: dt.datetime | None, *, has_texts: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "has_texts": has_texts,
        "quiet": None if quiet is None else quiet.model_dump_json(by_alias=True),
        "digest": None if digest is None else digest.model_dump_json(),
        "digest_at": None if digest is None else digest.next(now or dt.datetime.now(dt.UTC)),
    }


def _target_of(row: Row[Any]) -> Target:
    return Target(
        row.target_id,
        row.project_id,
        row.kind,
        row.name,
        row.address,
        row.secret,
        row.has_texts,
        None if row.quiet is None else QuietHours.model_validate_json(row.quiet),
        None if row.digest is None else DigestPlan.model_validate_json(row.digest),
        row.created_at,
        row.disabled_at,
        row.disabled_for,
    )
