"""What the metadata fields of a project hold, and of which type that makes them."""

from __future__ import annotations

import polars as pl

from turret_pipeline.lake.schema import STRINGS, TIME, Column, Table
from turret_pipeline.lake.tables.columns import FIELD, PROJECT, RECEIVED_DATE

FIELD_PROFILES = Table(
    "field_profiles",
    "What one field held in the events of one month that were received on one day: counts that add up.",
    ("project_id", "received_date", "month", "field"),
    (
        PROJECT,
        RECEIVED_DATE,
        Column("month", pl.Date, "first day of the month in which the events happened (UTC)"),
        FIELD,
        Column("n_events", pl.Int64, "events that have the field"),
        Column("n_values", pl.Int64, "of them, with a value that is neither null nor blank"),
        Column("evidence", pl.String, "mergeable counts, a JSON object; see `analysis.fields.detect`"),
    ),
    ("project_id", "received_date"),
)

FIELD_TOTALS = Table(
    "field_totals",
    "What one field held on all days of receipt but the newest: the sum of `field_profiles`.",
    ("project_id", "field"),
    (PROJECT, FIELD, Column("evidence", pl.String, "mergeable counts, a JSON object; see `analysis.fields.detect`")),
    made_with="field_types",
)

FIELD_TYPES = Table(
    "field_types",
    "One metadata field with the type that its values show, or that a person chose.",
    ("project_id", "field"),
    (
        PROJECT,
        FIELD,
        Column("type", pl.String, "text, enum, number or other: what is in force"),
        Column("detected_type", pl.String, "text, enum, number or other: what the values show"),
        Column("overridden", pl.Boolean, "whether a person chose `type`"),
        Column("confidence", pl.Float64, "of `detected_type`, 0 to 1"),
        Column("reason", pl.String, "why, in words"),
        Column("n_events", pl.Int64, "events that have the field"),
        Column("n_null", pl.Int64, "of them, with the value null"),
        Column("n_distinct", pl.Int64, "distinct values (an estimate past some thousands)"),
        Column("summary", pl.String, "examples; or values with counts; or min, max, mean, quantiles: a JSON object"),
        Column("seen_to", pl.Date, "last day whose events the type was judged by"),
    ),
)

LEFT_OUT_FIELDS = Table(
    "left_out_fields",
    "How many fields of a project have no type, because it has more than Turret tells apart; no row: all have one.",
    ("project_id",),
    (
        PROJECT,
        Column("most", pl.Int64, "fields that have a type"),
        Column("n_fields", pl.Int64, "fields that have none, at least"),
        Column("examples", pl.String, "names of some of these, in most events first: a JSON list"),
    ),
    made_with="field_types",
)

FIELD_HISTORY = Table(
    "field_history",
    "One type that a field's values came to show; what people chose stands in `field_overrides`.",
    ("project_id", "field", "n"),
    (
        PROJECT,
        FIELD,
        Column("n", pl.Int64, "1 for the first type that was found, and so on"),
        Column("type", pl.String, "text, enum, number or other: what the values show from then on"),
        Column("seen_to", pl.Date, "last day whose events it was judged by"),
        Column("confidence", pl.Float64, "of `type`, 0 to 1"),
        Column("reason", pl.String, "why, in words"),
    ),
    made_with="field_types",
)

FIELD_OVERRIDES = Table(
    "field_overrides",
    "One override: the type that a person chose for a field; the latest counts.",
    ("project_id", "field", "decided_at"),
    (
        PROJECT,
        FIELD,
        Column("decided_at", TIME, "when"),
        Column("type", pl.String, "text, enum or number; null takes the override back", nullable=True),
    ),
    is_kept=True,
)

FIELD_OUTCOMES = Table(
    "field_outcomes",
    "One decision: whether a field tells how well sessions went, and which values are good; the latest counts.",
    ("project_id", "field", "decided_at"),
    (
        PROJECT,
        FIELD,
        Column("decided_at", TIME, "when"),
        Column("better", pl.String, "of a number: higher or lower, whichever is better; else null", nullable=True),
        Column(
            "good", STRINGS, "of an enum: its good values; else null. Both null: no outcome any more", nullable=True
        ),
    ),
    is_kept=True,
)
