"""Fields: the type of each, what shows it, and the decision of a person that wins over it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import orjson
import polars as pl

from turret_api.errors import NotFoundError
from turret_api.read.snapshot import Snapshot
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_HISTORY, FIELD_OVERRIDES, FIELD_TYPES

COUNTS = ("n_events", "n_null", "n_distinct")
BY_TYPE = ("examples", "values", "n_rest", "min", "max", "mean", "quantiles", "bins")


def list_fields(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return every field in order of its name; a decision shows at once, `pending` until the tables follow it."""
    decided = latest_decisions(snapshot.scan(FIELD_OVERRIDES).collect())
    rows = snapshot.scan(FIELD_TYPES).sort("field").collect().iter_rows(named=True)
    return [_field(row, decided.get(row["field"])) for row in rows]


def history(snapshot: Snapshot, field: str) -> list[dict[str, Any]]:
    """Return what the field's type came to be and why, newest first: what its values showed, and what people decided.

    A type that was detected stands at the beginning of the last day that it was judged by. Raise `NotFoundError` if the
    project has no such field.
    """
    if snapshot.scan(FIELD_TYPES).filter(pl.col("field") == field).limit(1).collect().is_empty():
        raise NotFoundError(f"There is no field {field!r}; GET /v1/fields lists them.", field="field")
    found = snapshot.scan(FIELD_HISTORY).filter(pl.col("field") == field).sort("n", descending=True).collect()
    detected = [
        {
            "at": dt.datetime.combine(row["seen_to"], dt.time(), dt.UTC),
            "by": "detection",
            **{name: row[name] for name in ("type", "confidence", "reason")},
        }
        for row in found.iter_rows(named=True)
    ]
    chosen = snapshot.scan(FIELD_OVERRIDES).filter(pl.col("field") == field).sort("decided_at", descending=True)
    decided = [
        {
            "at": row["decided_at"],
            "by": "person",
            "type": row["type"],
            "confidence": None,
            "reason": "a person chose it" if row["type"] else "a person took the choice back",
        }
        for row in chosen.collect().iter_rows(named=True)
    ]
    return sorted([*decided, *detected], key=lambda each: each["at"], reverse=True)


def decide(lake: Lake, snapshot: Snapshot, field: str, chosen: str | None) -> dict[str, Any]:
    """After this call `field` has the type `chosen` by decision of a person, or by detection again (None).

    Return the field as it now is. Raise `NotFoundError` if the project has no such field.
    """
    known = snapshot.scan(FIELD_TYPES).filter(pl.col("field") == field).collect()
    if known.is_empty():
        raise NotFoundError(f"There is no field {field!r}; GET /v1/fields lists them.", field="field")
    row = {"project_id": snapshot.project_id, "field": field, "decided_at": dt.datetime.now(dt.UTC), "type": chosen}
    store.append(lake, FIELD_OVERRIDES, pl.DataFrame([row], schema=FIELD_OVERRIDES.schema))
    return _field(known.row(0, named=True), chosen)


def latest_decisions(overrides: pl.DataFrame) -> dict[str, str | None]:
    """Return the last decision about each field: a type, or None where it was taken back."""
    last = overrides.sort("decided_at", maintain_order=True).unique("field", keep="last", maintain_order=True)
    return dict(last.select("field", "type").iter_rows())


def _field(row: dict[str, Any], chosen: str | None) -> dict[str, Any]:
    summary = orjson.loads(row["summary"])
    in_force = chosen or row["detected_type"]
    return {
        "field": row["field"],
        "type": in_force,
        "detected_type": row["detected_type"],
        "overridden": chosen is not None,
        "pending": in_force != row["type"] or (chosen is not None) != row["overridden"],
        "confidence": row["confidence"],
        "reason": row["reason"],
        "personal": summary.get("personal", False),
        **{name: row[name] for name in COUNTS},
        **{name: summary.get(name) for name in BY_TYPE},
    }
