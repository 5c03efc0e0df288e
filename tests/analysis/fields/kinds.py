"""Kinds of columns as people have them: a maker of values each, and what type Turret finds for its field."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from random import Random

import polars as pl

from turret_pipeline.analysis.fields.detect import detect_types, profile_fields
from turret_pipeline.lake.tables import FIELD_OVERRIDES, TIME

SIZES = (1, 10, 100, 1_000)
"""Numbers of events after which a kind is judged."""

Maker = Callable[[Random, int], object]


def found(field: str, make: Maker, n: int) -> dict[str, object]:
    """The field's row of `field_types` after `n` events, with its summary."""
    random = Random(f"{field} {n}")
    metadata = [json.dumps({field: make(random, i)}) for i in range(n)]
    at = [dt.datetime(2026, 3, 1, tzinfo=dt.UTC)] * n
    events = pl.DataFrame({"metadata": metadata, "timestamp": at}, schema={"metadata": pl.String, "timestamp": TIME})
    profiles = profile_fields(events).with_columns(received_date=pl.lit(dt.date(2026, 3, 1)))
    row = detect_types(profiles, None, FIELD_OVERRIDES.empty()).types.row(0, named=True)
    return {**row, "summary": json.loads(row["summary"])}
