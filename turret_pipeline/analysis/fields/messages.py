"""Messages: the values of text fields, taken out of the events."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from turret_pipeline.lake.tables import MESSAGES
from turret_pipeline.semantics.values import field_values, text_id

SCHEMA = pl.Schema({name: dtype for name, dtype in MESSAGES.schema.items() if name != "project_id"})


def extract_messages(events: pl.DataFrame, text_fields: Sequence[str]) -> pl.DataFrame:
    """Return one row a message: columns of `MESSAGES` without `project_id`, field after field, events in their order.

    An event gives no message in a field that it lacks, or whose value is null, not a text, or blank. The text stays as
    it was sent; `text_id` is the BLAKE2b hash of it, so that the same words have one id whatever field they are in.
    """
    fields = list(dict.fromkeys(text_fields))
    values = field_values(events["metadata"].to_list(), fields)
    frames = [SCHEMA.to_frame()]
    for field in fields:
        texts = pl.Series("text", [value if type(value) is str else None for value in values[field]], dtype=pl.String)
        rows = events.with_columns(texts, field=pl.lit(field))
        # A text of blanks alone has no meaning to group by.
        frames.append(rows.filter(pl.col("text").str.strip_chars().str.len_bytes() > 0))
    found = pl.concat([frame.select(name for name in SCHEMA if name != "text_id") for frame in frames])
    distinct = found.select(pl.col("text").unique(maintain_order=True))
    ids = pl.Series("text_id", [text_id(text) for text in distinct["text"].to_list()], dtype=pl.String)
    return found.join(distinct.with_columns(ids), on="text", how="left", maintain_order="left").select(SCHEMA.names())
