"""Messages: the values of text fields, taken out of the events."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from turret_pipeline.lake.tables import MESSAGES
from turret_pipeline.semantics.gone import NO_VALUE, is_gone
from turret_pipeline.semantics.values import field_values, text_id

SCHEMA = pl.Schema({name: dtype for name, dtype in MESSAGES.schema.items() if name != "project_id"})


def extract_messages(events: pl.DataFrame, text_fields: Sequence[str]) -> pl.DataFrame:
    """Return one row a message: columns of `MESSAGES` without `project_id`, field after field, events in their order.

    An event gives no message in a field that it lacks, or whose value is null, not a text, or blank. The text stays as
    it was sent; `text_id` is the BLAKE2b hash of it, so that the same words have one id whatever field they are in. Of
    a message that is gone (`semantics.gone`) the text is null, and the mark that stands for it is the `text_id`.
    """
    fields = list(dict.fromkeys(text_fields))
    values = field_values(events["metadata"].to_list(), fields)
    frames = [SCHEMA.to_frame()]
    for field in fields:
        texts = pl.Series("text", [value if type(value) is str else None for value in values[field]], dtype=pl.String)
        rows = events.with_columns(texts, field=pl.lit(field))
        # A text of blanks alone has no meaning to group by.
        frames.append(rows.filter(pl.col("text").str.strip_chars().str.len_bytes() > 0, pl.col("text") != NO_VALUE))
    found = pl.concat([frame.select(name for name in SCHEMA if name != "text_id") for frame in frames])
    distinct = found.select(pl.col("text").unique(maintain_order=True))
    ids = [text if is_gone(text) else text_id(text) for text in distinct["text"].to_list()]
    distinct = distinct.with_columns(pl.Series("text_id", ids, dtype=pl.String))
    found = found.join(distinct, on="text", how="left", maintain_order="left")
    is_left = pl.col("text") != pl.col("text_id")
    return found.with_columns(text=pl.when(is_left).then("text")).select(SCHEMA.names())
