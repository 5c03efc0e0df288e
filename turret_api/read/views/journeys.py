"""The edges of journeys: how often sessions move from topic to topic.

The pipeline keeps those of topics without filters as a table; all others are counted here from the steps of the
messages that pass, by the same functions (`semantics.visits`).
"""

from __future__ import annotations

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.filters import Filters
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import field_visits, numbered
from turret_api.read.views.topics import edits_of
from turret_pipeline.lake.tables import JOURNEY_EDGES
from turret_pipeline.semantics.visits import journey_edges

JOURNEY_SOURCES = (*SOURCES, JOURNEY_EDGES)
"""Tables that answers about journeys follow from."""

EDGE = ("from_topic", "to_topic", "count", "sessions", "probability", "median_gap_s")
"""Columns of `turret export journeys`."""


def graph_edges(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the edges (columns `EDGE` and the further ones of `GAPS`) of the journeys of the messages that pass."""
    if not filters and not filters.has_moves and level == 0 and not edits_of(snapshot, field).merged:
        return snapshot.remember(
            ("edges", field),
            (JOURNEY_EDGES,),
            lambda: snapshot.scan(JOURNEY_EDGES).filter(pl.col("field") == field).drop("project_id", "field").collect(),
        )

    def compute() -> pl.DataFrame:
        return journey_edges(numbered(field_visits(snapshot, field, filters, level)))

    return snapshot.remember(("edges", field, filters, level), SOURCES, compute)
