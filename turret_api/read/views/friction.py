"""Signs of friction beside the steps of journeys: which signs each step has, as bits, in the order of the steps."""

from __future__ import annotations

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.values import read_steps
from turret_pipeline.lake.tables import FRICTION, JOURNEY_STEPS
from turret_pipeline.semantics.friction import SIGNS

FRICTION_SOURCES = (FRICTION, JOURNEY_STEPS)

BIT = {sign: 1 << place for place, sign in enumerate(SIGNS)}
"""By sign the bit that says that a step has it."""


def has_sign(friction: str) -> pl.Expr:
    """Return whether a step's `signs` have the sign `friction`, or (`any`) one of them."""
    signs = pl.col("signs")
    return signs != 0 if friction == "any" else (signs & BIT[friction]) != 0


def signs_of(snapshot: Snapshot, field: str) -> pl.Series:
    """Return for each step of the field which signs it has: uint8, the sum of their bits, 0 for most."""

    def compute() -> pl.DataFrame:
        found = snapshot.scan(FRICTION).filter(pl.col("field") == field)
        bit = pl.col("sign").replace_strict(BIT, return_dtype=pl.UInt8)
        of_event = found.group_by("event_id").agg(signs=bit.sum().cast(pl.UInt8)).collect()
        # By event, not by place: while a build has written the steps and not yet the signs, a place may be another's.
        steps = read_steps(snapshot, field, "event_id").select("event_id")
        beside = steps.join(of_event, on="event_id", how="left", maintain_order="left")
        return beside.select(pl.col("signs").fill_null(0))

    return snapshot.remember(("signs", field), FRICTION_SOURCES, compute)["signs"]
