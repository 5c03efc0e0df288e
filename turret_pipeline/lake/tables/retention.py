"""How long what people wrote is kept, and what was let go of."""

from __future__ import annotations

import polars as pl

from turret_pipeline.lake.schema import TIME, Column, Table
from turret_pipeline.lake.tables.columns import PROJECT

RETENTION_RULES = Table(
    "retention_rules",
    "One rule: for how many days what people wrote is kept; the latest of a field, or of the project, counts.",
    ("project_id", "field", "decided_at"),
    (
        PROJECT,
        Column("field", pl.String, "text field; null: the rule is for all of the project's events", nullable=True),
        Column("decided_at", TIME, "when"),
        Column("days", pl.Int64, "days since receipt; null: the rule is taken back", nullable=True),
        Column("author", pl.String, "name of the key with which it was made; null: it had none", nullable=True),
    ),
    is_kept=True,
)

REMOVALS = Table(
    "removals",
    "What one run of the retention let go of, of one project or of one of its fields.",
    ("project_id", "removed_at", "field"),
    (
        PROJECT,
        Column("removed_at", TIME, "when"),
        Column("field", pl.String, "text field; null: of all fields, and ids too", nullable=True),
        Column("days", pl.Int64, "days for which the rule keeps things"),
        Column("from_date", pl.Date, "first UTC day of receipt of what was let go of"),
        Column("until_date", pl.Date, "last of these days"),
        Column("n_events", pl.Int64, "events that lost something"),
        Column("n_messages", pl.Int64, "messages whose text went"),
    ),
    is_kept=True,
)
