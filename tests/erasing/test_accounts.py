"""Alerts, rules and the audit log say nothing any more of what was erased, and all else that they said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from turret_api.accounts import Accounts, NewProject
from turret_api.accounts.audit import entries, record
from turret_api.alerts.book import AlertBook
from turret_api.alerts.rules import Filters, Found
from turret_api.alerts.store import AlertStore
from turret_api.erasing.accounts import erase_from_accounts
from turret_api.erasing.erased import Erased
from turret_api.erasing.words import words_of

NOW = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)


def found(label: str, **more: str) -> Found:
    finding = {"kind": "topic", "field": "prompt", "label": label, "to_label": None, "now": 7, **more}
    return Found(label, f"“{label}” is new", {**finding, "sentence": f"“{label}” is new"})


def test_alerts_of_labels_and_values_that_were_erased_lose_their_words(
    accounts: Accounts, new_project: Callable[..., NewProject]
) -> None:
    project = new_project().project_id
    store, book = AlertStore(accounts), AlertBook(accounts)
    rule = store.add_rule(project, "zq-canary-71 grows", "new_topic", Filters(), None, urgent=False)
    gone = store.add_rule(project, "by field", "new_topic", Filters(field="zq-canary-key"), None, urgent=False)
    things = [found("Refund of Canaries"), found("Cheapest flights"), found("Late", value="zq"), found("zq-canary-71")]
    book.note(project, [rule, gone], {rule.rule_id: things, gone.rule_id: [found("x")]}, NOW)
    record(accounts, project, "command:me", "import", {"file": "zq-canary-71.csv", "rows": 3})
    record(accounts, project, "command:me", "import", {"file": "other.csv", "rows": 4})
    erased = Erased(
        project_id=project,
        kind="user",
        values=frozenset(["ada"]),
        texts=frozenset(["I want a refund of two canaries", "zq", "zq-canary-71", "zq-canary-key"]),
    )
    done = {each.what: each.n for each in erase_from_accounts(accounts, erased, words_of(erased))}
    assert list(done.values()) == [1, 3, 1, 1]
    alerts = {alert.subject: alert for alert in book.alerts(project)}
    assert alerts["Cheapest flights"].sentence == "“Cheapest flights” is new"
    for subject in ("Refund of Canaries", "Late", "zq-canary-71"):
        assert alerts[subject].sentence == alerts[subject].finding["sentence"] == "(erased)"
        assert alerts[subject].finding["label"] is None and alerts[subject].finding["now"] == 7
    assert [each.name for each in store.rules(project)] == ["(erased)"]
    assert [each.about["file"] for each in entries(accounts, project)] == ["other.csv", "(erased)"]
