"""Where sessions begin and end among their visits, as row numbers.

Visits are those of `field_visits`: session after session, each in order.
"""

from __future__ import annotations

import numpy as np
import polars as pl


def session_bounds(session: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return for each session the row of its first visit, and the row behind its last."""
    first = np.flatnonzero(first_of_each(session.to_numpy()))
    return first, np.append(first[1:], session.len())[: first.size]


def rows_of(visits: pl.DataFrame, topic: str) -> np.ndarray:
    """Return the rows of the visits to the topic, in order: int64."""
    return visits.select((pl.col("topic_id") == topic).arg_true()).to_series().to_numpy().astype(np.int64)


def first_of_each(session: np.ndarray) -> np.ndarray:
    """Return whether a row is the first of its session, of rows session after session."""
    first = np.ones(session.size, dtype=bool)
    first[1:] = session[1:] != session[:-1]
    return first
