"""Tests and intervals for shares and medians of independent units, vectorised over many questions at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from turret_pipeline.semantics.false_discovery import adjusted

Z_95 = 1.959963984540054
LEAST_UNITS = 5
"""Units on either side below which nothing is said of medians: the normal law of ranks does not hold yet."""


def difference_of_shares(
    k_a: np.ndarray, n_a: int | np.ndarray, k_b: np.ndarray, n_b: int | np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return k_a/n_a - k_b/n_b and the ends of its 95% confidence interval.

    Newcombe's hybrid score interval (Statistics in Medicine 17, 1998, p. 876, method 10), which holds its level for
    small counts and shares of 0 and 1 too.
    """
    p_a, low_a, high_a = wilson_intervals(k_a, n_a)
    p_b, low_b, high_b = wilson_intervals(k_b, n_b)
    difference = p_a - p_b
    low = difference - np.sqrt((p_a - low_a) ** 2 + (high_b - p_b) ** 2)
    high = difference + np.sqrt((high_a - p_a) ** 2 + (p_b - low_b) ** 2)
    return difference, low, high


def p_values(k_a: np.ndarray, n_a: int | np.ndarray, k_b: np.ndarray, n_b: int | np.ndarray) -> np.ndarray:
    """Return for each pair of counts the two-sided mid-p value of Fisher's exact test that the shares are equal.

    Twice the smaller tail, with half of the probability of what was seen (Agresti, Categorical Data Analysis, 3.5.5).
    The tail is summed from there outwards, term by term for all pairs at once: scipy's hypergeometric distribution
    takes half a millisecond a value where there are up to 100,000 units.
    """
    from scipy.special import gammaln

    k, n, other = (np.asarray(each, dtype=np.float64) for each in np.broadcast_arrays(k_a, n_a, n_b))
    hits = k + k_b
    misses = n + other - hits
    # Below the mean the tail is of fewer hits of a, above it of fewer misses of a.
    is_low = k * (n + other) <= hits * n
    k, hits, misses = np.where(is_low, k, n - k), np.where(is_low, hits, misses), np.where(is_low, misses, hits)

    def ways(total: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        found: np.ndarray = gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1)
        return found

    term = np.exp(ways(hits, k) + ways(misses, n - k) - ways(n + other, n))
    tail, left = term / 2, k.copy()
    while (term > tail * 1e-17).any():
        term = term * left * (misses - n + left) / ((hits - left + 1) * (n - left + 1))
        tail, left = tail + term, left - 1
    found: np.ndarray = np.clip(2 * np.minimum(tail, 1 - tail), 0, 1)
    return found


def q_values(p_values: pl.Series, family: np.ndarray | None = None) -> pl.Series:
    """Return for each test the share of false alarms among those as sure (Benjamini and Hochberg 1995); null: no test.

    family: for each test the part of the whole that it belongs to; each part has an equal share of the alarms, however
    many tests it has (weights of Genovese, Roeder and Wasserman, Biometrika 93, 2006). None: there is one part.
    """
    known = p_values.is_not_null().to_numpy()
    p_value, found = p_values.to_numpy()[known], np.full(len(p_values), np.nan)
    if p_value.size and family is not None:
        _, part, n_of_part = np.unique(family[known], return_inverse=True, return_counts=True)
        p_value = np.minimum(p_value / (p_value.size / len(n_of_part) / n_of_part[part]), 1.0)
    if p_value.size:
        found[known] = adjusted(p_value)
    return pl.Series(found, dtype=pl.Float64).fill_nan(None)


def differences_of_medians(values: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return by group the median of side a less that of b, its 95% interval, and how sure it is that the sides differ.

    Columns `by`, `difference`, `low`, `high`, `p_value`, of the groups with `LEAST_UNITS` or more on each side. The
    interval is that of Bonett and Price (Psychological Methods 7, 2002), the two-sided p-value that of the test of Mann
    and Whitney, with ties and continuity corrected for.

    values: the columns `by`, `is_a` (whether of side a) and `value`, one row a unit.
    """
    from scipy.special import ndtr

    side = [*by, "is_a"]
    n, cut = pl.len().over(side), (pl.col("n") + 1) / 2 - pl.col("n").sqrt()
    ordered = values.sort(*side, "value").with_columns(
        n=n.cast(pl.Int64),
        place=pl.int_range(pl.len()).over(side),
        rank=pl.col("value").rank("average").over(by),
        ties=pl.len().over([*by, "value"]).cast(pl.Float64),
    )
    ordered = ordered.with_columns(cut=pl.max_horizontal(cut.round().cast(pl.Int64), 1))
    value, place = pl.col("value"), pl.col("place")
    upper, lower = (value.filter(place == at).first() for at in (pl.col("n") - pl.col("cut"), pl.col("cut") - 1))
    sides = ordered.group_by(side).agg(
        pl.col("n", "cut").first(),
        pl.col("rank").sum(),
        median=value.median(),
        width=upper - lower,
        tied=(pl.col("ties") ** 2 - 1).sum(),
    )
    a, b = (sides.filter("is_a").drop("is_a"), sides.filter(~pl.col("is_a")).drop("is_a"))
    met = a.join(b, on=by, suffix="_b").filter(pl.min_horizontal("n", "n_b") >= LEAST_UNITS)
    column = {name: met[name].to_numpy().astype(float) for name in met.columns if name not in by}
    error = np.zeros(met.height)
    for end in ("", "_b"):
        error += variance_of_median(column[f"width{end}"], column[f"cut{end}"], column[f"n{end}"])
    n_a, n_b = column["n"], column["n_b"]
    total, tied = n_a + n_b, column["tied"] + column["tied_b"]
    above = column["rank"] - n_a * (n_a + 1) / 2
    spread = np.sqrt(n_a * n_b / 12 * (total + 1 - tied / (total * (total - 1))))
    off = np.maximum(np.abs(above - n_a * n_b / 2) - 0.5, 0)
    p_value = np.clip(2 * ndtr(-np.divide(off, spread, out=np.zeros(met.height), where=spread > 0)), 0, 1)
    difference, half = column["median"] - column["median_b"], Z_95 * np.sqrt(error)
    found = {"difference": difference, "low": difference - half, "high": difference + half, "p_value": p_value}
    return met.select(by).with_columns(**{name: pl.Series(array) for name, array in found.items()})


def variance_of_median(width: np.ndarray, cut: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the variance of the median of `n` values, told by `width`: from the `cut`-th value to the `cut`-th last.

    See Bonett and Price (2002); n and cut are whole numbers.
    """
    from scipy.special import bdtr, ndtri

    found: np.ndarray = (width / (2 * ndtri(1 - bdtr(cut - 1, n.astype(int), 0.5)))) ** 2
    return found


def wilson(k: float, n: int) -> tuple[float, float]:
    """Return the ends of Wilson's 95% interval of k/n."""
    _, low, high = wilson_intervals(np.array([float(k)]), n)
    return float(low[0]), float(high[0])


def wilson_intervals(k: np.ndarray, n: int | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return k/n and the ends of Wilson's 95% interval."""
    p = k / n
    middle = p + Z_95**2 / (2 * n)
    half = Z_95 * np.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n * n))
    scale = 1 + Z_95**2 / n
    return p, np.clip((middle - half) / scale, 0, p), np.clip((middle + half) / scale, p, 1)


def share_of_groups(groups: pl.DataFrame, of: str) -> pl.DataFrame:
    """Return for each value of the column `of` which share of its rows have what is asked for, in no order.

    groups: a row for each value and group: `of`, `n` (rows of the group, one at least), `n_with` (those that have it).

    Columns: `of`, `n`, `n_with`, `n_groups_with` (groups with such a row), `share` (0 to 1), and `low` and `high`, the
    ends of its 95% confidence interval: Wilson's, with as many rows as would, drawn one by one, vary as a share does
    whose rows are drawn in groups (Kish, Survey Sampling, 1965, chapter 5; never more than there are). Groups are
    independent, rows within one are not. A share of 0 or 1, or a single group, does not say how rows vary: each group
    counts once there.
    """
    n, n_with = pl.col("n").cast(pl.Int64), pl.col("n_with").cast(pl.Int64)
    found = groups.group_by(of).agg(
        n.sum(),
        n_with.sum(),
        n_groups=pl.len().cast(pl.Int64),
        n_groups_with=(n_with > 0).sum().cast(pl.Int64),
        with_with=(n_with**2).sum(),
        with_n=(n_with * n).sum(),
        n_n=(n**2).sum(),
    )
    k, size, n_groups = (found[name].to_numpy().astype(float) for name in ("n_with", "n", "n_groups"))
    share = k / size
    scatter = (
        found["with_with"].to_numpy() - 2 * share * found["with_n"].to_numpy() + share**2 * found["n_n"].to_numpy()
    )
    variance = np.divide(n_groups, n_groups - 1, out=np.zeros(size.shape), where=n_groups > 1) * scatter / size**2
    alone = share * (1 - share)
    known = (variance > 0) & (alone > 0)
    effective = np.where(known, np.minimum(size, np.divide(alone, variance, out=size.copy(), where=known)), n_groups)
    share, low, high = wilson_intervals(share * effective, effective)
    columns = {"share": share, "low": low, "high": high}
    return found.select(of, "n", "n_with", "n_groups_with").with_columns(
        **{name: pl.Series(array) for name, array in columns.items()}
    )
