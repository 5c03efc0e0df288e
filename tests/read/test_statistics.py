"""Tests and intervals: against tables that are known, and against what they promise on data without a difference."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import false_discovery_control, fisher_exact, mannwhitneyu

from turret_api.read.questions.journeys.statistics import (
    LEAST_UNITS,
    difference_of_shares,
    differences_of_medians,
    p_values,
)


@pytest.mark.parametrize(
    ("k_a", "n_a", "k_b", "n_b", "low", "high"),
    [
        # Newcombe 1998, table II, method 10.
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (10, 10, 0, 10, 0.6075, 1.0),
    ],
)
def test_the_interval_of_a_difference_is_that_of_the_source(
    k_a: int, n_a: int, k_b: int, n_b: int, low: float, high: float
) -> None:
    found = difference_of_shares(np.array([k_a]), n_a, np.array([k_b]), n_b)
    assert [float(each[0]) for each in found] == pytest.approx([k_a / n_a - k_b / n_b, low, high], abs=5e-5)


def test_a_p_value_is_below_that_of_the_exact_test_and_near_it() -> None:
    for k_a, k_b in ((3, 9), (20, 31), (0, 5), (12, 12)):
        exact = fisher_exact([[k_a, 50 - k_a], [k_b, 60 - k_b]]).pvalue
        mid = p_values(np.array([k_a]), 50, np.array([k_b]), 60)[0]
        assert exact / 4 <= mid <= max(exact, 1e-12) * 1.3


def test_where_nothing_differs_as_few_tests_reject_as_they_may_and_intervals_hold_nothing() -> None:
    random = np.random.default_rng(0)
    shares = random.uniform(0, 1, 4000)
    k_a, k_b = random.binomial(300, shares), random.binomial(500, shares)
    assert (p_values(k_a, 300, k_b, 500) <= 0.05).mean() <= 0.055
    _, low, high = difference_of_shares(k_a, 300, k_b, 500)
    assert 0.94 <= ((low <= 0) & (high >= 0)).mean() <= 0.97
    assert (false_discovery_control(p_values(k_a, 300, k_b, 500)) <= 0.05).sum() == 0


def sides(a: list[np.ndarray], b: list[np.ndarray]) -> pl.DataFrame:
    """The values of both sides, a group for each pair of arrays."""
    frames = [
        pl.DataFrame({"group": [group] * each.size, "is_a": [is_a] * each.size, "value": each.astype(float)})
        for is_a, side in ((True, a), (False, b))
        for group, each in enumerate(side)
    ]
    return pl.concat(frames).sample(fraction=1, shuffle=True, seed=0)


def test_the_test_of_medians_is_that_of_mann_and_whitney_with_ties_and_without() -> None:
    random = np.random.default_rng(2)
    a = [random.exponential(3, 40), random.integers(0, 4, 9), np.ones(6), np.arange(30.0), np.arange(4.0)]
    b = [random.exponential(5, 25), random.integers(0, 5, 30), np.ones(7), np.arange(30.0) + 100, np.arange(9.0)]
    found = differences_of_medians(sides(a, b), ["group"]).sort("group")
    assert found["group"].to_list() == [0, 1, 2, 3]  # of the last there are too few
    assert len(a[4]) < LEAST_UNITS
    for group, difference, low, high, p in found.iter_rows():
        assert difference == np.median(a[group]) - np.median(b[group])
        assert low <= difference <= high
        expected = mannwhitneyu(a[group], b[group], method="asymptotic").pvalue if group != 2 else 1
        assert p == pytest.approx(expected)


def test_the_interval_of_medians_holds_their_difference_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    a, b = list(random.lognormal(1, 1, (2000, 60))), list(random.lognormal(2, 1, (2000, 25)))
    found = differences_of_medians(sides(a, b), ["group"])
    true = float(np.exp(1) - np.exp(2))
    assert 0.93 <= ((found["low"] <= true) & (found["high"] >= true)).to_numpy().mean() <= 0.98
    same = differences_of_medians(sides(a, list(random.lognormal(1, 1, (2000, 25)))), ["group"])
    assert (same["p_value"] <= 0.05).to_numpy().mean() <= 0.06
