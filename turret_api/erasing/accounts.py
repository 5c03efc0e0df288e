"""Out of the accounts: alerts that name a topic or a value which came from what was erased, and names in the audit log.

An alert's sentence names topics by their labels. A label is made of words of texts, so that it came from an erased one
can only be told by its words: an alert says no more than that it was erased where all words of a label stand in one
erased text.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select, update

from turret_api.accounts import Accounts
from turret_api.accounts.tables import ALERT_DELIVERIES, ALERT_RULES, ALERTS, AUDIT
from turret_api.erasing.erased import Done, Erased
from turret_api.erasing.words import ERASED, Words

PLACE = "accounts"
_WORD = re.compile(r"\w+")
_NAMES = ("field", "label", "to_label", "value", "segment", "outcome")
"""Of a finding, what comes from events."""


def erase_from_accounts(accounts: Accounts, erased: Erased, words: Words) -> list[Done]:
    """After this call no alert, message, name of a rule or entry of the audit log quotes what was erased.

    Raise SQLAlchemy's errors. What the rows were before lies in the files of Postgres until these are written anew.
    """
    texts = [frozenset(_WORD.findall(text.casefold())) for text in erased.texts]
    with accounts.engine.begin() as connection:
        n_rules = _rules(connection, erased.project_id, words)
        n_alerts = _alerts(connection, erased, words, texts)
        n_names = _names(connection, erased.project_id, words)
        n_entries = _audit(connection, erased.project_id, words)
    return [
        Done(PLACE, "rules on a field that is gone, removed with their alerts", n_rules),
        Done(PLACE, "alerts that named what was erased, without their words", n_alerts),
        Done(PLACE, "names of rules and errors of messages that quoted it", n_names),
        Done(PLACE, "entries of the audit log that quoted it", n_entries),
    ]


def _rules(connection: Connection, project_id: str, words: Words) -> int:
    """Remove rules that are about a field which only what was erased had; return how many."""
    rows = connection.execute(
        select(ALERT_RULES.c.rule_id, ALERT_RULES.c.filters).where(ALERT_RULES.c.project_id == project_id)
    ).all()
    quoting = words.are_in_json([row.filters for row in rows])
    gone = [row.rule_id for row, quotes in zip(rows, quoting, strict=True) if quotes]
    connection.execute(delete(ALERT_RULES).where(ALERT_RULES.c.rule_id.in_(gone)))
    return len(gone)


def _alerts(connection: Connection, erased: Erased, words: Words, texts: list[frozenset[str]]) -> int:
    n = 0
    rows = connection.execute(select(ALERTS).where(ALERTS.c.project_id == erased.project_id)).all()
    for row in rows:
        finding = msgspec.json.decode(row.finding)
        named = [finding[name] for name in _NAMES if isinstance(finding.get(name), str)]
        if (
            any(words.are_in([row.sentence, row.finding, *named]))
            or any(each in erased.texts for each in named)
            or any(_is_made_of(each, texts) for each in named)
        ):
            gone = {name: None for name in _NAMES if name in finding} | (
                {"sentence": ERASED} if "sentence" in finding else {}
            )
            new = {"sentence": ERASED, "finding": msgspec.json.encode(_without(finding | gone, words)).decode()}
            connection.execute(update(ALERTS).where(ALERTS.c.alert_id == row.alert_id).values(new))
            n += 1
    return n


def _is_made_of(label: str, texts: list[frozenset[str]]) -> bool:
    """Whether all words of a label stand in one of the texts."""
    wanted = frozenset(_WORD.findall(label.casefold()))
    return bool(wanted) and any(wanted <= text for text in texts)


def _names(connection: Connection, project_id: str, words: Words) -> int:
    n = 0
    for table, key, column, new in (
        (ALERT_RULES, ALERT_RULES.c.rule_id, ALERT_RULES.c.name, ERASED),
        (ALERT_DELIVERIES, ALERT_DELIVERIES.c.delivery_id, ALERT_DELIVERIES.c.error, ERASED),
    ):
        rows = connection.execute(
            select(key, column).where(table.c.project_id == project_id, column.is_not(None))
        ).all()
        for (found, _), quotes in zip(rows, words.are_in([row[1] for row in rows]), strict=True):
            if quotes:
                connection.execute(update(table).where(key == found).values({column.name: new}))
                n += 1
    return n


def _audit(connection: Connection, project_id: str, words: Words) -> int:
    n = 0
    rows = connection.execute(select(AUDIT.c.audit_id, AUDIT.c.about).where(AUDIT.c.project_id == project_id)).all()
    for (audit_id, about), quotes in zip(rows, words.are_in_json([row[1] for row in rows]), strict=True):
        if quotes:
            new = msgspec.json.encode(_without(msgspec.json.decode(about), words)).decode()
            connection.execute(update(AUDIT).where(AUDIT.c.audit_id == audit_id).values(about=new))
            n += 1
    return n


def _without(said: Any, words: Words) -> Any:
    """Return a JSON value in which texts that quote one of the words say only that they were erased."""
    if isinstance(said, dict):
        return {name: _without(value, words) for name, value in said.items()}
    if isinstance(said, list):
        return [_without(each, words) for each in said]
    return ERASED if isinstance(said, str) and words.are_in([said])[0] else said
