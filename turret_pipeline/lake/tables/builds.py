"""What building the tables came to: what was brought up to date, and which fields failed."""

from __future__ import annotations

import polars as pl

from turret_pipeline.lake.schema import TIME, Column, Table
from turret_pipeline.lake.tables.columns import FIELD, PROJECT

FIELD_FAILURES = Table(
    "field_failures",
    "One field that a table could not be brought up to date for, while all else was; gone once it can be.",
    ("project_id", "table", "field", "received_date"),
    (
        PROJECT,
        Column("table", pl.String, "name of the table"),
        FIELD,
        Column("received_date", pl.Date, "UTC day of receipt that it failed on; null: all", nullable=True),
        Column("reason", pl.String, "what went wrong, in words"),
        Column("n_messages", pl.Int64, "messages that the field had at the last try; 0 where they do not matter"),
        Column("tried_with", pl.String, "fingerprint of the method and settings of the last try"),
    ),
    made_with="field_failures",
)

BUILDS = Table(
    "builds",
    "One table brought up to date for one project (and one day, where that is done by day).",
    ("project_id", "stage", "received_date", "built_at"),
    (
        PROJECT,
        Column("stage", pl.String, "name of the table"),
        Column("received_date", pl.Date, "UTC day of receipt; null where the whole project was", nullable=True),
        Column("built_at", TIME, "when that was finished"),
        Column("inputs", pl.String, "fingerprint of what the rows were made from"),
        Column("n_rows", pl.Int64, "rows that were added or replaced"),
        Column("seconds", pl.Float64, "how long it took"),
    ),
    log_kept_h=1,
    made_with="builds",
)
