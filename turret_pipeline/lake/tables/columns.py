"""Columns that tables of more than one subject have."""

from __future__ import annotations

import polars as pl

from turret_pipeline.lake.schema import TIME, Column

PROJECT = Column("project_id", pl.String, "the tenant")
RECEIVED_DATE = Column("received_date", pl.Date, "UTC day of receipt")
FIELD = Column("field", pl.String, "key of the event's metadata")
TEXT_ID = Column("text_id", pl.String, "hash of the text: 32 hexadecimal digits of BLAKE2b; `gone-…`: it is gone")
OF_EVENT = (
    Column("event_id", pl.String, "the event's id, unique in its project"),
    Column("session_id", pl.String, "the session the event belongs to"),
    Column("user_id", pl.String, "who did it"),
    Column("name", pl.String, "the event's name"),
    Column("timestamp", TIME, "when it happened"),
    Column("received_at", TIME, "when the collector took it"),
    Column("seq", pl.Int64, "order of receipt within its part"),
)
