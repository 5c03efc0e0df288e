"""Those units of a pool that have a thing against those that do not, for many things at once.

All things share one pool, so values are ranked once, and the side without a thing is never gathered: its sums are the
pool's less those of the side with it, and so are its order statistics (`_Order`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from turret_api.read.questions.journeys.statistics import (
    LEAST_UNITS,
    Z_95,
    difference_of_shares,
    p_values,
    variance_of_median,
)

CONTRAST = pl.Schema(
    {
        "n_with": pl.Int64(),
        "n_without": pl.Int64(),
        "value_with": pl.Float64(),
        "value_without": pl.Float64(),
        "difference": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "superiority": pl.Float64(),
        "p_value": pl.Float64(),
    }
)
"""What is told of a thing. n_with, n_without: units of either side, together the pool. value_with, value_without: share
or median, null of no units. difference: of the two, with its 95% interval. superiority: the probability that a unit
with it has a larger value than one without, ties counted half. p_value: that the sides are alike, two-sided; null where
one of them has fewer than `LEAST_UNITS` units: what so few can show lies within chance, and untested they cost the
other tests nothing (which are tested follows from the counts alone, not from the values)."""


def contrasts_of_shares(thing: np.ndarray, unit: np.ndarray, values: np.ndarray, n_things: int) -> pl.DataFrame:
    """Return the contrast (`CONTRAST`) of each thing: the share of its units with value 1 less that of the others.

    thing, unit: int64 of shape (n_pairs,), which unit has which thing, each pair once, units as places in `values`.
    values: float64 of shape (n_units,), each 0 or 1. Newcombe's interval, Fisher's mid-p.
    """
    n, k = _counted(thing, n_things), _counted(thing, n_things, values[unit])
    n_other, k_other = values.size - n, np.sum(values) - k
    found, tested = _blank(n, n_other), _tested(n, n_other)
    found["value_with"], found["value_without"] = _ratio(k, n), _ratio(k_other, n_other)
    both = (n > 0) & (n_other > 0)
    sides = (k[both], n[both], k_other[both], n_other[both])
    for name, ends in zip(("difference", "low", "high"), difference_of_shares(*sides), strict=True):
        found[name][both] = ends
    found["superiority"][both] = 0.5 + found["difference"][both] / 2
    counts = (each[tested].astype(np.int64) for each in (k, n, k_other, n_other))
    found["p_value"][tested] = p_values(*counts)
    return _framed(found)


def contrasts_of_medians(thing: np.ndarray, unit: np.ndarray, values: np.ndarray, n_things: int) -> pl.DataFrame:
    """Return the contrast of each thing as `contrasts_of_shares` does, of any `values`: medians and their difference.

    The interval is that of Bonett and Price, null where nothing is tested, the p-value that of the test of Mann and
    Whitney with ties and continuity corrected for (as `statistics.differences_of_medians`).
    """
    from scipy.special import ndtr

    n = _counted(thing, n_things)
    n_other = values.size - n
    found, tested = _blank(n, n_other), _tested(n, n_other)
    order = _Order.of(thing, unit, values, n)
    cuts = []
    for name, size, at in (("value_with", n, order.of_those), ("value_without", n_other, order.of_the_others)):
        there = np.flatnonzero(size > 0)
        middle = size[there] - 1
        found[name][there] = (at(there, middle // 2) + at(there, middle - middle // 2)) / 2
        sizes = size[tested].astype(np.float64)
        cut = np.maximum(np.floor((sizes + 1) / 2 - np.sqrt(sizes) + 0.5), 1).astype(np.int64)
        rows = np.flatnonzero(tested)
        width = at(rows, size[tested] - cut) - at(rows, cut - 1)
        cuts.append(variance_of_median(width, cut.astype(np.float64), sizes))
    found["difference"] = found["value_with"] - found["value_without"]
    half = Z_95 * np.sqrt(cuts[0] + cuts[1])
    found["low"][tested] = found["difference"][tested] - half
    found["high"][tested] = found["difference"][tested] + half
    ranks = pl.Series(values).rank("average").to_numpy()
    above = _counted(thing, n_things, ranks[unit]) - n * (n + 1) / 2
    both = (n > 0) & (n_other > 0)
    found["superiority"][both] = (above / np.maximum(n * n_other, 1))[both]
    total = values.size
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    tied = np.sum(ties**3 - ties)
    spread = np.sqrt(n * n_other / 12 * np.maximum(total + 1 - tied / max(total * (total - 1), 1), 0))
    off = np.maximum(np.abs(above - n * n_other / 2) - 0.5, 0)
    p = np.clip(2 * ndtr(-_ratio(off, spread, default=0.0)), 0, 1)
    found["p_value"][tested] = p[tested]
    return _framed(found)


@dataclass(frozen=True)
class _Order:
    """The pool in order of its values, and where in it the units of each thing stand.

    ordered: float64 of shape (n_units,). starts: int64 of shape (n_things,), where the thing's units begin in `places`.
    places: int64 of shape (n_pairs,), places in `ordered` of each thing's units, thing by thing, rising. before: the
    same length, thing times `width` plus how many of the others stand before each of these; so it rises as a whole.
    """

    ordered: np.ndarray
    starts: np.ndarray
    places: np.ndarray
    before: np.ndarray
    width: int

    @classmethod
    def of(cls, thing: np.ndarray, unit: np.ndarray, values: np.ndarray, n: np.ndarray) -> _Order:
        by_value = np.argsort(values, kind="stable")
        place = np.empty(values.size, dtype=np.int64)
        place[by_value] = np.arange(values.size)
        width = values.size + 1
        packed = np.sort(thing * width + place[unit])
        starts = np.cumsum(n) - n
        thing, places = packed // width, packed % width
        before = thing * width + places - (np.arange(packed.size) - starts[thing])
        return cls(values[by_value], starts, places, before, width)

    def of_those(self, thing: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return the `at`-th smallest value (from 0) of the units that have the thing, of each of `thing`."""
        found: np.ndarray = self.ordered[self.places[self.starts[thing] + at]]
        return found

    def of_the_others(self, thing: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return the `at`-th smallest value (from 0) of the units that do not have it, of each of `thing`."""
        passed = np.searchsorted(self.before, thing * self.width + at, side="right") - self.starts[thing]
        found: np.ndarray = self.ordered[at + passed]
        return found


def _counted(thing: np.ndarray, n_things: int, weights: np.ndarray | None = None) -> np.ndarray:
    return np.bincount(thing, weights=weights, minlength=n_things)


def _tested(n: np.ndarray, n_other: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.minimum(n, n_other) >= LEAST_UNITS
    return found


def _ratio(above: np.ndarray, below: np.ndarray, default: float = np.nan) -> np.ndarray:
    found: np.ndarray = np.divide(above, below, out=np.full(above.shape, default), where=below > 0)
    return found


def _blank(n: np.ndarray, n_other: np.ndarray) -> dict[str, np.ndarray]:
    rest = {name: np.full(n.shape, np.nan) for name, dtype in CONTRAST.items() if dtype == pl.Float64}
    return {"n_with": n, "n_without": n_other, **rest}


def _framed(found: dict[str, np.ndarray]) -> pl.DataFrame:
    columns = [pl.Series(name, found[name]).cast(dtype) for name, dtype in CONTRAST.items()]
    return pl.DataFrame(columns).with_columns(pl.selectors.float().fill_nan(None))
