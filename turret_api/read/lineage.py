"""What became of topics at the fits, as the pipeline wrote it down."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import polars as pl

from turret_api.read.snapshot import Snapshot
from turret_pipeline.lake.tables import TOPIC_FITS, TOPIC_LINEAGE

CARRY = "carry"
WAY = ("model_version", "kind", "from_topic", "from_label", "to_topic", "to_label", "n_texts", "share")


def ways(snapshot: Snapshot, field: str) -> dict[str, list[dict[str, Any]]]:
    """Return for each topic of the field what it came from and what came from it, newest fit first.

    That it carried on at a fit is left out.
    """
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    rows = _lineage(snapshot).filter(pl.col("field") == field)
    for row in rows.select(WAY).iter_rows(named=True):
        for name in {row["from_topic"], row["to_topic"]} - {None}:
            found[name].append(row)
    return found


def became(snapshot: Snapshot, topic_id: str) -> str:
    """Return what is to be said of a topic that there is not (any more)."""
    last = _lineage(snapshot).filter(pl.col("from_topic") == topic_id).head(1)
    if last.is_empty():
        return "GET /v1/topics lists them"
    row = last.row(0, named=True)
    if row["to_topic"] is None:
        return f"it ended at fit {row['model_version']}"
    return f"most of it became {row['to_topic']} ({row['to_label']}) at fit {row['model_version']}"


def list_fits(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return all fits of the project's fields, newest first."""
    rows = snapshot.scan(TOPIC_FITS).drop("project_id").collect()
    return rows.sort(["seen_until", "field", "model_version"], descending=[True, False, True]).to_dicts()


def _lineage(snapshot: Snapshot) -> pl.DataFrame:
    """Return all fields' rows but those of what carried on; the newest fit first, then most of a topic first."""

    def compute() -> pl.DataFrame:
        rows = snapshot.scan(TOPIC_LINEAGE).filter(pl.col("kind") != CARRY).drop("project_id").collect()
        return rows.sort(["model_version", "share", "kind", "to_topic"], descending=[True, True, False, False])

    return snapshot.remember("lineage", (TOPIC_LINEAGE,), compute)
