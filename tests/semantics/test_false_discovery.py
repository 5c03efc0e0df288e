"""Shares of false alarms are those that scipy tells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.stats import false_discovery_control

from turret_pipeline.semantics.false_discovery import adjusted


@given(some.lists(some.floats(0, 1), min_size=1, max_size=200))
def test_they_are_those_of_scipy(p_values: list[float]) -> None:
    assert adjusted(np.array(p_values)).tolist() == pytest.approx(false_discovery_control(p_values).tolist(), abs=1e-15)


def test_of_no_tests_there_are_none() -> None:
    assert adjusted(np.array([])).tolist() == []
