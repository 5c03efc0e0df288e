"""Which shared frames messages have: what a reader may fold, as it says nothing of this message."""

from __future__ import annotations

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_pipeline.lake.tables import SHARED_FRAMES
from turret_pipeline.semantics.prompts.frames import Frames

SAID = "passages of the text that many messages share, but for names, dates and the like; topics leave them out"


def with_frames(snapshot: Snapshot, messages: pl.DataFrame) -> pl.DataFrame:
    """Return `messages` (with `text`) with the column `frames`: the shared frames in each, in order."""
    shared = Frames(snapshot.scan(SHARED_FRAMES).select("text").collect()["text"].to_list())
    found = [[] if text is None else shared.split(text)[1] for text in messages["text"]]
    return messages.with_columns(frames=pl.Series(found, dtype=pl.List(pl.String)))
