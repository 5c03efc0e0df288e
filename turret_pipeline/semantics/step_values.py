"""How the values of a metadata field lie beside the steps of journeys, for the pipeline and the read API alike.

Beside, not in the rows of steps or of events: a question about one field reads the places of its values, a few bits a
step, and joins nothing. That these places are of just these steps is not taken on trust: `order_of` both must agree.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from turret_pipeline.semantics.values import number_column

NONE = -1
"""Place of a step whose event has no value."""


def order_of(steps: pl.DataFrame) -> int:
    """Return a fingerprint of `steps` (`place`, `timestamp`) in their order: equal for the same steps alone.

    A step that comes or goes shifts the places and times behind it.
    """
    digest = hashlib.blake2b(digest_size=8)
    for name in ("place", "timestamp"):
        digest.update(steps[name].to_physical().to_numpy().tobytes())
    return int.from_bytes(digest.digest(), "big") >> 2


def packed(fields: pl.DataFrame) -> pl.DataFrame:
    """Return each column of `fields` (text, null: none) as a row: `values`, `numbers` and `places`, in their order."""
    distinct = [values.drop_nulls().unique().sort() for values in fields]
    # All at once: reading ten texts as numbers takes as long as reading a thousand.
    numbers = number_column(pl.concat([pl.Series(dtype=pl.String), *distinct]))
    ends = np.cumsum([len(each) for each in distinct], dtype=np.int64).tolist()
    of_each = [numbers[end - len(each) : end] for each, end in zip(distinct, ends, strict=True)]
    places = [
        values.cast(pl.Enum(each)).to_physical().cast(pl.Int32).fill_null(NONE)
        for values, each in zip(fields, distinct, strict=True)
    ]
    schema = {"values": pl.List(pl.String), "numbers": pl.List(pl.Float64), "places": pl.List(pl.Int32)}
    return pl.DataFrame({"values": distinct, "numbers": of_each, "places": places}, schema=schema)


def unpacked(rows: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray]:
    """Return what `packed` made of several runs of steps, in the order of `rows`.

    First `value` and `number` of each value (one may be there several times), then for each step, int32, in which row
    of these its own is, or `NONE`.
    """
    known = pl.DataFrame(
        {
            "value": rows["values"].explode(empty_as_null=False, keep_nulls=False),
            "number": rows["numbers"].explode(empty_as_null=False, keep_nulls=False),
        },
        schema={"value": pl.String, "number": pl.Float64},
    )
    before = rows["values"].list.len().cast(pl.Int32)
    before = before.cum_sum() - before
    places = [
        np.where(places >= 0, places + start, NONE)
        for start, places in zip(before, (each.to_numpy() for each in rows["places"]), strict=True)
    ]
    return known, np.concatenate([np.zeros(0, dtype=np.int32), *places])
