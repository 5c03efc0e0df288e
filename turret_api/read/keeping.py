"""For how many days a project keeps what people wrote: its rules, and what was removed by them.

As with edits of topics (`changes`), each decision is one row of a table (`retention_rules`). What is over goes at the
next daily run, not at once: so a rule that was a slip can be taken back.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, cast

import polars as pl
from typing_extensions import TypedDict

from turret_api.auth import Principal
from turret_api.errors import NotFoundError, invalid
from turret_api.read.changes import append
from turret_api.read.engine.library import Library, Snapshot
from turret_api.read.engine.question import Meaning
from turret_pipeline.lake.tables import EVENTS, FIELD_TYPES, REMOVALS, RETENTION_RULES
from turret_pipeline.semantics.retention import Rules, rules_of

SHOWN = 100
"""Removals that are listed, the latest first."""


class Removal(TypedDict):
    """What one run removed."""

    removed_at: dt.datetime
    field: Annotated[str | None, Meaning("text field; null: of all fields, and ids too")]
    days: Annotated[int, Meaning("days for which the rule kept it")]
    from_date: Annotated[dt.date, Meaning("first UTC day of receipt of what was removed")]
    until_date: dt.date
    n_events: Annotated[int, Meaning("events that lost something")]
    n_messages: Annotated[int, Meaning("messages whose text went")]


class Keeping(TypedDict):
    """The rules in force, and what was removed."""

    days: Annotated[int | None, Meaning("days since receipt for which everything is kept; null: for ever")]
    fields: Annotated[dict[str, int], Meaning("days for which the texts of single fields are kept, by field")]
    n_due: Annotated[int, Meaning("events, received on days that are over, that the next daily run looks at")]
    removals: Annotated[list[Removal], Meaning(f"the latest {SHOWN}, latest first")]


def keeping_of(library: Library, project_id: str) -> Keeping:
    """Return the project's rules, and what was removed."""
    snapshot = library.snapshot(project_id)
    return _shown(snapshot, _rules(snapshot))


def change_keeping(library: Library, who: Principal, days: int | None, fields: dict[str, int]) -> Keeping:
    """After this call these rules are in force, and no others; return them.

    Raise `NotFoundError` where the project has no such field, and an `ApiError` where the field is no text or its rule
    would keep it for longer than the project keeps everything.
    """
    snapshot = library.snapshot(who.project_id)
    before, types = _rules(snapshot), dict(snapshot.scan(FIELD_TYPES).select("field", "type").collect().iter_rows())
    for name, of_field in fields.items():
        if name in before.fields and of_field == before.fields[name]:
            continue
        if name not in types:
            raise NotFoundError(f"There is no field {name!r}; GET /v1/fields lists them.", field="fields")
        if types[name] in ("enum", "number"):
            words = f"The field {name!r} is of type {types[name]}: its values are counted, and stay. Mask them instead."
            raise invalid(words, field="fields")
    if days is not None and (longer := sorted(name for name, of_field in fields.items() if of_field > days)):
        words = f"{longer[0]!r} cannot be kept for {fields[longer[0]]} days: after {days} days all texts are removed."
        raise invalid(words, field="fields")
    at = dt.datetime.now(dt.UTC)
    names: list[str | None] = [None, *sorted({*before.fields, *fields})]
    for place, field in enumerate(names):
        kept, known = (days, before.days) if field is None else (fields.get(field), before.fields.get(field))
        if kept != known:
            row = {"project_id": who.project_id, "field": field, "days": kept, "author": who.name}
            append(library, RETENTION_RULES, row | {"decided_at": at + dt.timedelta(microseconds=place)})
    return keeping_of(library, who.project_id)


def _rules(snapshot: Snapshot) -> Rules:
    return rules_of(snapshot.scan(RETENTION_RULES).collect())


def _shown(snapshot: Snapshot, rules: Rules) -> Keeping:
    removals = snapshot.scan(REMOVALS).sort("removed_at", descending=True).head(SHOWN).collect()
    return {
        "days": rules.days,
        "fields": rules.fields,
        "n_due": _n_due(snapshot, rules),
        "removals": cast(list[Removal], removals.select(*Removal.__annotations__).to_dicts()),
    }


def _n_due(snapshot: Snapshot, rules: Rules) -> int:
    """Return how many events are of days that are past a rule and that no run has removed anything of yet."""
    last = rules.newest_due(dt.datetime.now(dt.UTC).date())
    if last is None:
        return 0
    due = snapshot.scan(EVENTS).filter(pl.col("received_date") <= last).group_by("received_date").agg(n=pl.len())
    done = snapshot.scan(REMOVALS).select(pl.col("until_date").max()).collect().item()
    found = due.collect()
    return int((found if done is None else found.filter(pl.col("received_date") > done))["n"].sum())
