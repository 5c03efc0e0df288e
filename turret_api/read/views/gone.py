"""What is said of a message whose text is gone: when it went, and by which rule (`removals`)."""

from __future__ import annotations

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_pipeline.lake.tables import REMOVALS
from turret_pipeline.semantics.gone import IS_GONE

GONE = "null: it is there; else when its text was removed, and why: `2026-10-01, after 90 days`, or `erased`"

ERASED = "erased"


def with_gone(snapshot: Snapshot, field: str, messages: pl.DataFrame) -> pl.DataFrame:
    """Return `messages` (`text_id`, `message_date`) in their order with `gone`: null where the text is there."""
    days = messages.filter(IS_GONE).select("message_date").unique()
    if days.is_empty():
        return messages.with_columns(gone=pl.lit(None, dtype=pl.String))
    of_field = pl.col("field").is_null() | (pl.col("field") == field)
    removals = snapshot.scan(REMOVALS).filter(of_field).collect()
    met = days.join_where(
        removals, pl.col("message_date") >= pl.col("from_date"), pl.col("message_date") <= pl.col("until_date")
    )
    first = met.sort("removed_at").unique("message_date", keep="first")
    words = pl.format("{}, after {} days", pl.col("removed_at").dt.date().cast(pl.String), "days")
    said = first.select("message_date", words.alias("said"))
    found = messages.join(said, on="message_date", how="left", maintain_order="left")
    gone = pl.when(IS_GONE).then(pl.col("said").fill_null(ERASED))
    return found.with_columns(gone=gone).drop("said")
