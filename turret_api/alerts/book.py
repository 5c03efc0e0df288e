"""What rules have found: noted once, with the messages that tell of it, in one transaction.

While a rule keeps finding something, its alert is open and nobody is told again. What is found no more has ended. What
comes again within the days that it was about, or within `QUIET_S` where it is no matter of days, is the same thing
still.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql

from turret_api.accounts import Accounts
from turret_api.accounts.tables import ALERT_DELIVERIES, ALERT_LOOKS, ALERT_RULES, ALERTS
from turret_api.alerts.outbox import ALERT, WAITING, new_row
from turret_api.alerts.rules import Found, Rule
from turret_api.alerts.store import lock, new_id, rules_of, targets_of
from turret_api.alerts.targets import Target

QUIET_S = 3600.0
"""Seconds within which silence, lateness or damage that ended and comes again is the same still."""
KEPT = dt.timedelta(days=180)
"""Age at which an alert that has ended is forgotten."""


@dataclass(frozen=True)
class Alert:
    """Something that a rule found, as it was when it was found first. ended_at None: it is still found."""

    alert_id: str
    project_id: str
    rule_id: str
    rule: str
    kind: str
    subject: str
    sentence: str
    finding: dict[str, Any]
    found_at: dt.datetime
    seen_at: dt.datetime
    ended_at: dt.datetime | None


@dataclass(frozen=True)
class LastLook:
    """When a project's rules were last looked at, and when its tables had last been built then."""

    built_at: dt.datetime | None = None
    looked_at: dt.datetime | None = None


class AlertBook:
    """The alerts of all projects."""

    def __init__(self, accounts: Accounts) -> None:
        self.engine = accounts.engine

    def last_look(self, project_id: str) -> LastLook:
        """Return what is known of the last look at the project's rules."""
        with self.engine.connect() as connection:
            row = connection.execute(select(ALERT_LOOKS).where(ALERT_LOOKS.c.project_id == project_id)).first()
        return LastLook() if row is None else LastLook(row.built_at, row.looked_at)

    def note(
        self,
        project_id: str,
        rules: Sequence[Rule],
        found: Mapping[str, Sequence[Found]],
        now: dt.datetime,
        *,
        built_at: dt.datetime | None = None,
        look_at: Mapping[str, dt.datetime] | None = None,
    ) -> list[str]:
        """Note what was found and let messages of it wait; return the sentences that nobody was told of before.

        rules: those that were looked at; where they are others by now, there is another look soon. found: by id of a
        rule all that it finds now; of a rule that is not among them nothing is known, and what it
        had found stays. built_at: when the tables were last built that it was found in; None: they were not looked at.
        look_at: by rule when the clock alone may make it find something.
        """
        with self.engine.begin() as connection:
            lock(connection, project_id)
            there = {each.rule_id: each for each in rules_of(connection, project_id)}
            new: list[tuple[Rule, str, Found]] = []
            for rule_id, things in found.items():
                if rule_id in there:  # it may have been removed meanwhile
                    new += [(there[rule_id], *each) for each in _note_rule(connection, there[rule_id], things, now)]
            for target in targets_of(connection, project_id):
                _queue(connection, target, new, now)
            for rule_id, at in (look_at or {}).items():
                connection.execute(update(ALERT_RULES).where(ALERT_RULES.c.rule_id == rule_id).values(look_at=at))
            if there and list(there.values()) == list(rules):
                seen = {"looked_at": now} | ({} if built_at is None else {"built_at": built_at})
                row = postgresql.insert(ALERT_LOOKS).values(project_id=project_id, **seen)
                change = row.on_conflict_do_update(index_elements=[ALERT_LOOKS.c.project_id], set_=seen)
                connection.execute(change)
        return [f"{rule.name}: {each.sentence}" for rule, _, each in new]

    def looked(self, project_id: str, now: dt.datetime) -> None:
        """Note that there was a look which came to nothing: the next one is not at once."""
        with self.engine.begin() as connection:
            mine = ALERT_LOOKS.c.project_id == project_id
            connection.execute(update(ALERT_LOOKS).where(mine).values(looked_at=now))

    def alerts(self, project_id: str, *, is_open: bool | None = None, limit: int = 100, offset: int = 0) -> list[Alert]:
        """Return the project's alerts, newest first: all, or those that are (or are not) open."""
        query = _SELECT.where(ALERTS.c.project_id == project_id)
        if is_open is not None:
            query = query.where(ALERTS.c.ended_at.is_(None) if is_open else ALERTS.c.ended_at.is_not(None))
        query = query.order_by(ALERTS.c.found_at.desc(), ALERTS.c.alert_id).limit(limit).offset(offset)
        with self.engine.connect() as connection:
            return [_alert(row) for row in connection.execute(query)]

    def by_ids(self, alert_ids: Iterable[str]) -> list[Alert]:
        """Return the alerts of these ids that there are, in their order."""
        with self.engine.connect() as connection:
            rows = connection.execute(_SELECT.where(ALERTS.c.alert_id.in_(list(alert_ids))))
            known = {row.alert_id: _alert(row) for row in rows}
        return [known[each] for each in alert_ids if each in known]

    def forget_old(self, now: dt.datetime) -> None:
        """After this call alerts that ended long ago are gone."""
        with self.engine.begin() as connection:
            connection.execute(delete(ALERTS).where(ALERTS.c.ended_at < now - KEPT))


_SELECT = select(ALERTS, ALERT_RULES.c.name.label("rule"), ALERT_RULES.c.kind).join(
    ALERT_RULES, ALERT_RULES.c.rule_id == ALERTS.c.rule_id
)


def _note_rule(
    connection: Connection, rule: Rule, things: Sequence[Found], now: dt.datetime
) -> list[tuple[str, Found]]:
    """Note what the rule finds now; return what is new of it, each with the id of its alert."""
    query = select(ALERTS).where(ALERTS.c.rule_id == rule.rule_id).order_by(ALERTS.c.found_at)
    known = {row.subject: row for row in connection.execute(query)}
    by_subject = {each.subject: each for each in things}
    gone = [row.alert_id for row in known.values() if row.ended_at is None and row.subject not in by_subject]
    connection.execute(update(ALERTS).where(ALERTS.c.alert_id.in_(gone)).values(ended_at=now))
    new = []
    for subject, each in by_subject.items():
        row = known.get(subject)
        if row is not None and (row.ended_at is None or _is_same_still(row, each, now)):
            again = {"seen_at": now, "ended_at": None, "last_day": each.last_day}
            connection.execute(update(ALERTS).where(ALERTS.c.alert_id == row.alert_id).values(again))
            continue
        alert_id = new_id("alert")
        row_of_new = {
            "alert_id": alert_id,
            "project_id": rule.project_id,
            "rule_id": rule.rule_id,
            "subject": subject,
            "sentence": each.sentence,
            "finding": orjson.dumps(each.finding).decode(),
            "last_day": each.last_day,
            "found_at": now,
            "seen_at": now,
        }
        connection.execute(insert(ALERTS).values(row_of_new))
        new.append((alert_id, each))
    return new


def _is_same_still(row: Row[Any], found: Found, now: dt.datetime) -> bool:
    """Tell whether what has ended, and is found again, is what people were told of already."""
    if row.last_day is not None and found.last_day is not None:
        return bool((found.last_day - row.last_day).days <= found.days)
    return bool((now - row.ended_at).total_seconds() <= QUIET_S)


def _queue(connection: Connection, target: Target, new: Sequence[tuple[Rule, str, Found]], now: dt.datetime) -> None:
    """Let a message of what is new wait for the target; in its quiet hours one takes in all but what is urgent.

    What is of too few users is for targets with texts alone.
    """
    if target.disabled_at is not None:
        return
    quiet_until = None if target.quiet is None else target.quiet.end(now)
    at_once: dict[str, str] = {}
    held: dict[str, str] = {}
    for rule, alert_id, found in new:
        if found.is_of_few and not target.has_texts:
            continue
        if rule.targets is None or target.target_id in rule.targets:
            # By subject: what two rules found alike is told once.
            (at_once if quiet_until is None or rule.urgent else held)[found.subject] = alert_id
    if at_once:
        _insert(connection, target, list(at_once.values()), now)
    late = [alert_id for subject, alert_id in held.items() if subject not in at_once]
    if not late or quiet_until is None:
        return
    waiting = (
        select(ALERT_DELIVERIES)
        .where(ALERT_DELIVERIES.c.target_id == target.target_id, ALERT_DELIVERIES.c.kind == ALERT)
        .where(ALERT_DELIVERIES.c.state == WAITING, ALERT_DELIVERIES.c.n_attempts == 0)
        .where(ALERT_DELIVERIES.c.next_at > now)
        .limit(1)
        .with_for_update()
    )
    row = connection.execute(waiting).first()
    if row is None:
        _insert(connection, target, late, quiet_until)
        return
    both = [*msgspec.json.decode(row.alerts, type=list[str]), *late]
    mine_only = ALERT_DELIVERIES.c.delivery_id == row.delivery_id
    connection.execute(
        update(ALERT_DELIVERIES).where(mine_only).values(alerts=msgspec.json.encode(both).decode(), next_at=quiet_until)
    )


def _insert(connection: Connection, target: Target, alert_ids: Sequence[str], at: dt.datetime) -> None:
    row = new_row(target.project_id, target.target_id, ALERT, at, tuple(alert_ids))
    connection.execute(insert(ALERT_DELIVERIES).values(row))


def _alert(row: Row[Any]) -> Alert:
    names = [each.name for each in dataclasses.fields(Alert) if each.name != "finding"]
    return Alert(**{name: getattr(row, name) for name in names}, finding=orjson.loads(row.finding))
