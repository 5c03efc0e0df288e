"""Events, and what people said in them."""

from __future__ import annotations

import polars as pl

from turret_pipeline.lake.schema import Column, Table
from turret_pipeline.lake.tables.columns import FIELD, OF_EVENT, PROJECT, RECEIVED_DATE, TEXT_ID

EVENTS = Table(
    "events",
    "One accepted event, once, whatever number of times it was sent.",
    ("project_id", "event_id"),
    (
        PROJECT,
        RECEIVED_DATE,
        *OF_EVENT,
        Column("metadata", pl.String, "the event's metadata, a JSON object"),
        Column("part", pl.String, "file name of the raw part it came in"),
    ),
    ("project_id", "received_date"),
)

MESSAGES = Table(
    "messages",
    "One message: the value of a text field in one event.",
    ("project_id", "field", "event_id"),
    (
        PROJECT,
        RECEIVED_DATE,
        FIELD,
        *OF_EVENT,
        TEXT_ID,
        Column("text", pl.String, "the message, as it was sent; null: it is gone, its days are over", nullable=True),
    ),
    ("project_id", "received_date"),
)
