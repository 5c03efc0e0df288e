"""Events by name and by day of receipt: what a project sends, whatever becomes of it."""

from __future__ import annotations

from typing import Any

import polars as pl

from turret_api.read.snapshot import Snapshot
from turret_pipeline.lake.tables import EVENTS


def names_and_days(snapshot: Snapshot) -> dict[str, Any]:
    """Return the names of the project's events, most common first, and how many came on each UTC day."""
    counted = snapshot.remember(
        "event_names",
        (EVENTS,),
        lambda: (
            snapshot.scan(EVENTS)
            .group_by("received_date", "name")
            .agg(
                pl.len().cast(pl.Int64).alias("count"),
                pl.col("timestamp").min().alias("first_seen"),
                pl.col("timestamp").max().alias("last_seen"),
            )
            .collect()
        ),
    )
    names = counted.group_by("name").agg(pl.col("count").sum(), pl.col("first_seen").min(), pl.col("last_seen").max())
    days = counted.group_by(pl.col("received_date").alias("date")).agg(pl.col("count").sum())
    return {
        "data": names.sort(["count", "name"], descending=[True, False]).to_dicts(),
        "n_events": int(counted["count"].sum()),
        "received_per_day": days.sort("date").to_dicts(),
    }
