"""Tests and intervals: against tables that are known, and against what they promise on data without a difference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, fisher_exact

from turret_api.read.statistics import difference_of_shares, p_values, q_values


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
    assert (q_values(p_values(k_a, 300, k_b, 500)) <= 0.05).sum() == 0


def test_false_discoveries_are_controlled_as_by_benjamini_and_hochberg() -> None:
    p = np.random.default_rng(1).uniform(0, 1, 50) ** 3
    assert q_values(p) == pytest.approx(false_discovery_control(p))
    assert q_values(np.array([])).size == 0
