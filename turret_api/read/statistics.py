"""Tests and intervals for shares of independent units, vectorised over many questions at once."""

from __future__ import annotations

import numpy as np

Z_95 = 1.959963984540054


def difference_of_shares(
    k_a: np.ndarray, n_a: int, k_b: np.ndarray, n_b: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return k_a/n_a - k_b/n_b and the ends of its 95% confidence interval.

    Newcombe's hybrid score interval (Statistics in Medicine 17, 1998, p. 876, method 10), which holds its level for
    small counts and shares of 0 and 1 too.
    """
    p_a, low_a, high_a = _wilson(k_a, n_a)
    p_b, low_b, high_b = _wilson(k_b, n_b)
    difference = p_a - p_b
    low = difference - np.sqrt((p_a - low_a) ** 2 + (high_b - p_b) ** 2)
    high = difference + np.sqrt((high_a - p_a) ** 2 + (p_b - low_b) ** 2)
    return difference, low, high


def p_values(k_a: np.ndarray, n_a: int, k_b: np.ndarray, n_b: int) -> np.ndarray:
    """Return for each pair of counts the two-sided mid-p value of Fisher's exact test that the shares are equal.

    Twice the smaller tail, with half of the probability of what was seen (Agresti, Categorical Data Analysis, 3.5.5).
    """
    from scipy.stats import hypergeom  # half a second to import, and few answers need it

    of = (n_a + n_b, k_a + k_b, n_a)
    below = hypergeom.cdf(k_a - 1, *of) + hypergeom.pmf(k_a, *of) / 2
    above = hypergeom.sf(k_a, *of) + hypergeom.pmf(k_a, *of) / 2
    return np.clip(2 * np.minimum(below, above), 0, 1)


def q_values(p: np.ndarray) -> np.ndarray:
    """Return `p` adjusted, so that of those up to q a share of q is expected to be false (Benjamini-Hochberg 1995)."""
    order = np.argsort(p)
    stepped = p[order] * p.size / np.arange(1, p.size + 1)
    found = np.empty(p.size)
    found[order] = np.minimum.accumulate(stepped[::-1])[::-1]
    return np.minimum(found, 1)


def _wilson(k: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return k/n and the ends of Wilson's 95% interval."""
    p = k / n
    middle = p + Z_95**2 / (2 * n)
    half = Z_95 * np.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n * n))
    scale = 1 + Z_95**2 / n
    return p, np.clip((middle - half) / scale, 0, p), np.clip((middle + half) / scale, p, 1)
