"""Field types: text, enum, number or other, from what a project's events hold.

Evidence is counted once a day of receipt (`profile_fields`) and adds up (`field_types_evidence`). A field's type
follows from its newest days, as many as hold `ENOUGH_VALUES` values, so that a field that changes is noticed while one
that does not is judged on plenty (`field_types_verdict`). A type that was found stays until another is clearly better;
what a person chose wins over both. Counts and summaries are over all days. No language model is asked.
"""

from __future__ import annotations

import orjson
import polars as pl

from turret_pipeline.analysis import field_types_shapes as shape
from turret_pipeline.analysis.field_types_evidence import Evidence, merge, observe
from turret_pipeline.analysis.field_types_messages import extract_messages, text_id
from turret_pipeline.analysis.field_types_verdict import ENUM, NUMBER, TEXT, Verdict, judge
from turret_pipeline.lake.tables import FIELD_TYPES
from turret_pipeline.lake.values import all_values

__all__ = ["detect_types", "extract_messages", "profile_fields", "text_id"]

ENOUGH_VALUES = 1_000
SURE = 0.75
MARGIN = 0.1
"""Another type is taken when its confidence reaches `SURE`, or is `MARGIN` above that of the type in place."""

SUMMARY_VALUES = 100
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

PROFILES = pl.Schema({"field": pl.String(), "n_events": pl.Int64(), "evidence": pl.String()})
TYPES_SCHEMA = pl.Schema({name: dtype for name, dtype in FIELD_TYPES.schema.items() if name != "project_id"})


def profile_fields(events: pl.DataFrame) -> pl.DataFrame:
    """Return what each metadata field of `events` (rows of `EVENTS`) held: `PROFILES`, in order of the field."""
    found = all_values(events["metadata"].to_list())
    rows = [(field, len(values), observe(values).to_json()) for field, values in sorted(found.items())]
    return pl.DataFrame(rows, schema=PROFILES, orient="row")


def detect_types(profiles: pl.DataFrame, previous: pl.DataFrame | None, overrides: pl.DataFrame) -> pl.DataFrame:
    """Return every field with its type: columns of `FIELD_TYPES` without `project_id`, in order of the field.

    profiles: `received_date`, `field`, `n_events`, `evidence` of all days; one row a day and field.
    previous: what this function returned last time (None: never), which steadies the types.
    overrides: rows of `FIELD_OVERRIDES`; the latest of a field counts, and null takes the earlier back.
    """
    decided = _latest(overrides)
    before = {} if previous is None else {row["field"]: row for row in previous.iter_rows(named=True)}
    days: dict[str, list[Evidence]] = {}
    for field, evidence in profiles.sort("field", "received_date").select("field", "evidence").iter_rows():
        days.setdefault(field, []).append(Evidence.from_json(evidence))
    rows = []
    for field, seen in days.items():
        found = _steady(judge(field, merge(_newest(seen))), before.get(field))
        whole = merge(seen)
        chosen = decided.get(field)
        in_force = chosen or found.type
        rows.append(
            {
                "field": field,
                "type": in_force,
                "detected_type": found.type,
                "overridden": chosen is not None,
                "confidence": found.confidence,
                "reason": found.reason,
                "n_events": whole.n,
                "n_null": whole.kinds["null"],
                "n_distinct": whole.n_distinct,
                "summary": orjson.dumps(summarise(in_force, whole)).decode(),
            }
        )
    return pl.DataFrame(rows, schema=TYPES_SCHEMA)


def summarise(type_in_force: str, seen: Evidence) -> dict[str, object]:
    """Return what `/v1/fields` shows of a field of this type.

    enum: `values` (each `value`, `count`; most common first) and `n_rest`, the events with values not listed. number:
    `min`, `max`, `mean`, `quantiles` by share, each null without numbers. Otherwise: `examples`, `mean_chars`.
    """
    if type_in_force == ENUM:
        known = sorted((-v.count, v.text) for v in seen.values.values() if v.text is not None)[:SUMMARY_VALUES]
        n_values = seen.n - seen.kinds["null"] - seen.kinds["list"] - seen.kinds["object"] - seen.shapes[shape.BLANK]
        listed = [{"value": text, "count": -count} for count, text in known]
        return {"values": listed, "n_rest": n_values + sum(count for count, _ in known)}
    if type_in_force == NUMBER:
        quantiles = seen.quantiles(QUANTILES)
        return {
            "min": seen.least,
            "max": seen.greatest,
            "mean": seen.total / seen.n_numbers if seen.n_numbers else None,
            "quantiles": dict(zip(map(str, QUANTILES), quantiles, strict=True)) if quantiles else None,
        }
    return {"examples": seen.examples, "mean_chars": seen.chars / seen.kinds[TEXT] if seen.kinds[TEXT] else None}


def _newest(days: list[Evidence]) -> list[Evidence]:
    """Return the newest of `days` (in order of time) that hold `ENOUGH_VALUES`, or all."""
    found: list[Evidence] = []
    n = 0
    for day in reversed(days):
        found.append(day)
        n += day.n - day.kinds["null"] - day.shapes[shape.BLANK]
        if n >= ENOUGH_VALUES:
            break
    return found


def _steady(found: Verdict, before: dict[str, object] | None) -> Verdict:
    """Return `found`, or the type in place while `found` is not clearly better than it.

    What is kept is kept as it was, so that judging the same evidence again changes nothing.
    """
    if before is None or before["detected_type"] == found.type:
        return found
    confidence = float(str(before["confidence"]))
    if found.confidence >= SURE or found.confidence >= confidence + MARGIN:
        return found
    return Verdict(str(before["detected_type"]), confidence, str(before["reason"]))


def _latest(overrides: pl.DataFrame) -> dict[str, str | None]:
    latest = overrides.sort("decided_at", maintain_order=True).unique("field", keep="last", maintain_order=True)
    return dict(latest.select("field", "type").iter_rows())
