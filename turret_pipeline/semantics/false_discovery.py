"""How many of the findings that are called sure may be false alarms: the procedure of Benjamini and Hochberg (1995).

scipy has it too, in `scipy.stats`, whose import takes half a second and 46 MiB of each process that answers questions.
"""

from __future__ import annotations

import numpy as np


def adjusted(p_values: np.ndarray) -> np.ndarray:
    """Return for each test the share of false alarms among those that are as sure, 0 to 1.

    p_values: float64 of shape (n_tests,), 0 to 1, without NaN.
    """
    order = np.argsort(p_values)
    scaled = p_values[order] * (p_values.size / np.arange(1, p_values.size + 1))
    found = np.empty_like(p_values)
    found[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    bounded: np.ndarray = np.clip(found, 0, 1)
    return bounded
