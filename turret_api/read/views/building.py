"""How far a project's events have come on their way into the tables, in counts."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_pipeline.lake import parts
from turret_pipeline.lake.tables import EMBEDDINGS, EVENTS, MESSAGES

SOURCES = (EVENTS, MESSAGES, EMBEDDINGS)


@dataclass(frozen=True)
class Progress:
    """Counts of events and of the distinct texts in them."""

    n_received: int
    """Events in the lake, sent or imported."""
    n_events: int
    """Of them, in the table of events."""
    n_texts: int
    """Distinct texts of these events' text fields."""
    n_embedded: int
    """Of these texts, with a vector."""

    @property
    def is_done(self) -> bool:
        """Whether every event is in its table and every text has its vector."""
        return self.n_events == self.n_received and self.n_embedded == self.n_texts


def progress_of(snapshot: Snapshot, *, do_parts_wait: bool) -> Progress:
    """Return how far the project's events have come.

    do_parts_wait: whether parts may be there that no build has seen. A part that was looked at and brought nothing
    new looks the same.
    """

    def compute() -> pl.DataFrame:
        said = snapshot.scan(MESSAGES).select("text_id").unique()
        embedded = said.join(snapshot.scan(EMBEDDINGS).select("text_id"), on="text_id", how="semi")
        counts = [rows.select(pl.len()) for rows in (snapshot.scan(EVENTS), said, embedded)]
        return pl.concat(pl.collect_all(counts))

    n_events, n_texts, n_embedded = snapshot.remember("progress", SOURCES, compute)["len"]
    n_new = sum(parts.count_rows(snapshot.library.lake, _new_parts(snapshot))) if do_parts_wait else 0
    return Progress(n_events + n_new, n_events, n_texts, n_embedded)


def _new_parts(snapshot: Snapshot) -> list[parts.Part]:
    def compute() -> pl.DataFrame:
        return snapshot.scan(EVENTS).select(pl.col("part").unique()).collect()

    known = set(snapshot.remember("parts", (EVENTS,), compute)["part"])
    return [part for part in parts.list_parts(snapshot.library.lake, snapshot.project_id) if part.name not in known]
