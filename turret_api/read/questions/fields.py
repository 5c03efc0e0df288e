"""Fields: the type of each, what shows it, and how it came to be."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
import polars as pl
from typing_extensions import TypedDict

from turret_api.errors import NotFoundError
from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import OF_TEXTS, Answer, BuiltAt, Meaning, Next, documented
from turret_api.read.questions.pages import Listed
from turret_api.read.views.messages import choose_field
from turret_api.read.views.numbers import Bin
from turret_api.read.views.outcomes import OutcomeOfField, described, marked_outcomes
from turret_api.read.views.overrides import FieldType, overrides_of
from turret_pipeline.lake.tables import (
    FIELD_FAILURES,
    FIELD_HISTORY,
    FIELD_OUTCOMES,
    FIELD_OVERRIDES,
    FIELD_TYPES,
    LEFT_OUT_FIELDS,
)
from turret_pipeline.semantics.failures import failed_fields
from turret_pipeline.semantics.outcomes import Outcome


class ValueCount(TypedDict):
    """How many events have a value."""

    value: str
    count: int


@documented
class FieldRow(TypedDict):
    """A metadata field with its type, and what shows it."""

    field: str
    type: Annotated[FieldType, Meaning("in force: chosen by a person, else detected")]
    detected_type: FieldType
    overridden: bool
    pending: Annotated[bool, Meaning("whether a person's override waits for the next build to take effect everywhere")]
    confidence: Annotated[float, Meaning("0 to 1")]
    reason: Annotated[str | None, OF_TEXTS]
    failure: Annotated[str | None, Meaning("why a build could not profile, embed or fit it; null: it could"), OF_TEXTS]
    personal: Annotated[bool, Meaning("whether the values are names, postal or e-mail addresses of people")]
    outcome: Annotated[
        OutcomeOfField | None, Meaning("how it tells how well a session went; null: it is not marked"), OF_TEXTS
    ]
    n_events: Annotated[int | None, OF_TEXTS]
    n_null: Annotated[int | None, OF_TEXTS]
    n_distinct: Annotated[int | None, OF_TEXTS]
    examples: Annotated[list[str] | None, Meaning("of text and other"), OF_TEXTS]
    values: Annotated[list[ValueCount] | None, Meaning("of an enum: its values, most common first"), OF_TEXTS]
    n_rest: Annotated[int | None, Meaning("of an enum: events with a value that is not listed"), OF_TEXTS]
    min: Annotated[float | None, OF_TEXTS]
    max: Annotated[float | None, OF_TEXTS]
    mean: Annotated[float | None, OF_TEXTS]
    quantiles: Annotated[dict[str, float] | None, Meaning("of a number: by share, from 0.05 to 0.95"), OF_TEXTS]
    bins: Annotated[list[Bin] | None, Meaning("of a number: about a tenth of them each; together all"), OF_TEXTS]


class LeftOut(TypedDict):
    """Fields without a type: a project has more than Turret tells apart, and those in most events have one."""

    most: Annotated[int, Meaning("fields that have a type; beyond them only those whose type a person chose")]
    n_fields: Annotated[int, Meaning("fields that have none, at least")]
    examples: Annotated[list[str], Meaning("names of some of them, in most events first")]


@dataclass(frozen=True)
class Fields(Answer):
    """Every field of a project that has a type, in order of its name."""

    data: list[FieldRow] = dataclasses.field(default_factory=list)
    default_field: Annotated[
        str | None, Meaning("the text field that answers are about where a request names none; null: there is none yet")
    ] = None
    left_out: Annotated[LeftOut | None, Meaning("fields without a type; null: every field has one"), OF_TEXTS] = None
    built_at: BuiltAt = None
    next: Next = None


class FieldChange(TypedDict):
    """A type that a field was found to have, or that a person chose."""

    at: Annotated[dt.datetime, Meaning("when it was chosen; of detection: the last day that it was judged by")]
    by: Literal["detection", "person"]
    type: Annotated[FieldType | None, Meaning("null: a person's override taken back")]
    confidence: Annotated[float | None, Meaning("of detection, 0 to 1")]
    reason: str


@dataclass(frozen=True)
class FieldHistory(Answer):
    """How a field's type came to be, newest first."""

    field: str
    data: list[FieldChange] = dataclasses.field(default_factory=list)
    built_at: BuiltAt = None
    next: Next = None


@dataclass(frozen=True)
class AllFields(Listed):
    """Which fields does the project have, and of which type is each?"""

    tables = (FIELD_TYPES, FIELD_OVERRIDES, FIELD_OUTCOMES, FIELD_FAILURES, LEFT_OUT_FIELDS)
    answers = Fields
    is_open = True

    def answer(self, snapshot: Snapshot) -> Fields:
        """Return a page of the fields."""
        data, following = self.page(list_fields(snapshot))
        default = choose_field(snapshot, None)
        return Fields(data, default, left_out(snapshot), snapshot.built_at(FIELD_TYPES), following)

    def queries(self, snapshot: Snapshot) -> Queries:
        """Return the SQL of the fields: their types, their counts, and what the pipeline found in their values."""
        chosen = {
            "chosen": (
                "the type that a person chose for a field, last",
                """
SELECT field, type FROM field_overrides
QUALIFY row_number() OVER (PARTITION BY field ORDER BY decided_at DESC) = 1 AND type IS NOT NULL""",
            )
        }
        data = f"""
SELECT field_types.field, coalesce(chosen.type, detected_type) AS type, detected_type,
    chosen.type IS NOT NULL AS overridden,
    coalesce(chosen.type, detected_type) <> field_types.type
        OR (chosen.type IS NOT NULL) <> field_types.overridden AS pending,
    confidence, reason, coalesce((summary -> '$.personal')::BOOLEAN, false) AS personal,
    n_events, n_null, n_distinct,
    summary -> '$.examples' AS examples, summary -> '$.values' AS values, (summary -> '$.n_rest')::BIGINT AS n_rest,
    (summary -> '$.min')::DOUBLE AS min, (summary -> '$.max')::DOUBLE AS max, (summary -> '$.mean')::DOUBLE AS mean,
    summary -> '$.quantiles' AS quantiles, summary -> '$.bins' AS bins
FROM field_types LEFT JOIN chosen ON chosen.field = field_types.field
ORDER BY field_types.field LIMIT {self.limit} OFFSET {self.offset}"""
        left_out = "SELECT most, n_fields, examples FROM left_out_fields"
        return Queries({"data": data, "left_out": left_out}, chosen)


@dataclass(frozen=True)
class HistoryOfField(Listed):
    """What type was a field found to be, or chosen to be, when and why?"""

    field: str = ""

    tables = (FIELD_TYPES, FIELD_HISTORY, FIELD_OVERRIDES, LEFT_OUT_FIELDS)
    answers = FieldHistory

    def answer(self, snapshot: Snapshot) -> FieldHistory:
        """Return a page of the history; raise `NotFoundError` if the project has no such field."""
        data, following = self.page(_history(snapshot, self.field))
        return FieldHistory(self.field, data, snapshot.built_at(FIELD_TYPES), following)

    def queries(self, snapshot: Snapshot) -> Queries:
        """Return the SQL of the history; raise `NotFoundError` if the project has no such field."""
        find_field(snapshot, self.field)
        data = f"""
SELECT seen_to::TIMESTAMPTZ AS at, 'detection' AS by, type, confidence, reason
FROM field_history WHERE field = {literal(self.field)}
UNION ALL
SELECT decided_at, 'person', type, NULL,
    CASE WHEN type IS NULL THEN 'a person took the choice back' ELSE 'a person chose it' END
FROM field_overrides WHERE field = {literal(self.field)}
ORDER BY 1 DESC LIMIT {self.limit} OFFSET {self.offset}"""
        return Queries({"data": data})


def list_fields(snapshot: Snapshot) -> list[FieldRow]:
    """Return every field in order of its name; an override shows at once, `pending` until the tables follow it."""
    chosen, outcomes = overrides_of(snapshot), marked_outcomes(snapshot)
    found = snapshot.scan(FIELD_TYPES).sort("field").collect().iter_rows(named=True)
    failures = failures_of(snapshot)
    names = ((each, each["field"]) for each in found)
    return [field_row(each, chosen.get(name), failures.get(name), outcomes.get(name)) for each, name in names]


def left_out(snapshot: Snapshot) -> LeftOut | None:
    """Return which fields have no type, being too many; None: every field has one."""
    found = snapshot.scan(LEFT_OUT_FIELDS).collect()
    if found.is_empty():
        return None
    row = found.row(0, named=True)
    return {"most": row["most"], "n_fields": row["n_fields"], "examples": orjson.loads(row["examples"])}


def failures_of(snapshot: Snapshot) -> dict[str, str]:
    """Return by field why a build could not do it, of those that failed."""
    found: dict[str, str] = {}
    for each in failed_fields(snapshot.scan(FIELD_FAILURES).collect()):
        found[each.field] = f"{found[each.field]}; {each.words}" if each.field in found else each.words
    return found


def find_field(snapshot: Snapshot, field: str) -> dict[str, Any]:
    """Return the field's row of `FIELD_TYPES`; raise `NotFoundError` if the project has no such field."""
    found = snapshot.scan(FIELD_TYPES).filter(pl.col("field") == field).collect()
    if found.is_empty():
        rest = left_out(snapshot)
        beyond = f", or it is one of those beyond the {rest['most']:,} that most events have" if rest else ""
        raise NotFoundError(f"There is no field {field!r}{beyond}; GET /v1/fields lists them.", field="field")
    return found.row(0, named=True)


def field_row(
    found: Mapping[str, Any],
    override: FieldType | None,
    failure: str | None = None,
    outcome: Outcome | None = None,
) -> FieldRow:
    """Return what is shown of a row of `FIELD_TYPES` while `override` is in force (None: no override).

    failure: as in the row. outcome: as which it is marked.
    """
    summary = orjson.loads(found["summary"])
    in_force = override or found["detected_type"]
    return {
        "field": found["field"],
        "type": in_force,
        "detected_type": found["detected_type"],
        "overridden": override is not None,
        "pending": in_force != found["type"] or (override is not None) != found["overridden"],
        "confidence": found["confidence"],
        "reason": found["reason"],
        "failure": failure,
        "personal": summary.get("personal", False),
        "outcome": None if outcome is None else described(outcome, in_force, found["summary"]),
        "n_events": found["n_events"],
        "n_null": found["n_null"],
        "n_distinct": found["n_distinct"],
        "examples": summary.get("examples"),
        "values": summary.get("values"),
        "n_rest": summary.get("n_rest"),
        "min": summary.get("min"),
        "max": summary.get("max"),
        "mean": summary.get("mean"),
        "quantiles": summary.get("quantiles"),
        "bins": summary.get("bins"),
    }


def _history(snapshot: Snapshot, field: str) -> list[FieldChange]:
    """Return what the field's values showed and what people chose, newest first.

    A type that was detected stands at the beginning of the last day that it was judged by.
    """
    find_field(snapshot, field)
    found = snapshot.scan(FIELD_HISTORY).filter(pl.col("field") == field).sort("n", descending=True).collect()
    detected: list[FieldChange] = [
        {
            "at": dt.datetime.combine(each["seen_to"], dt.time(), dt.UTC),
            "by": "detection",
            "type": each["type"],
            "confidence": each["confidence"],
            "reason": each["reason"],
        }
        for each in found.iter_rows(named=True)
    ]
    overrides = snapshot.scan(FIELD_OVERRIDES).filter(pl.col("field") == field).sort("decided_at", descending=True)
    chosen: list[FieldChange] = [
        {
            "at": each["decided_at"],
            "by": "person",
            "type": each["type"],
            "confidence": None,
            "reason": "a person chose it" if each["type"] else "a person took the choice back",
        }
        for each in overrides.collect().iter_rows(named=True)
    ]
    return sorted([*chosen, *detected], key=lambda each: each["at"], reverse=True)
