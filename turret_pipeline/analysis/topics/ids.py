"""Names of topics that outlive a refit.

A new topic is called after the texts that it was born with; at a refit it takes over the id of the old topic with
which it shares most texts, one to one, so that ids keep their meaning though boundaries move.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment

MIN_SHARED = 0.3
"""Least Jaccard index of old and new topic, over texts that both fits saw, for the id to go on."""


def topic_id(text_ids: Iterable[str]) -> str:
    """Return the id of a topic born with these texts: `t_` and 12 hexadecimal digits."""
    return f"t_{_digest(text_ids)}"


def theme_id(topic_ids: Iterable[str]) -> str:
    """Return the id of a theme over these topics: `theme_` and 12 hexadecimal digits."""
    return f"theme_{_digest(topic_ids)}"


def carry_ids(
    members: pl.DataFrame, fresh: list[str], previous: pl.DataFrame | None, held: Collection[str] = ()
) -> list[str]:
    """Return the id of each cluster: the old topic's that it continues, else its own of `fresh`.

    members: text_id, cluster (0 to n-1). previous: text_id, topic_id of the last assignments, or None. held: old topics
    whose ids go on in any case, to the cluster that has most of their texts.
    """
    if previous is None or previous.height == 0 or not fresh:
        return fresh
    both = members.join(previous.drop_nulls("topic_id").select("text_id", "topic_id"), on="text_id")
    if both.height == 0:
        return fresh
    old = both["topic_id"].unique().sort()
    table = np.zeros((len(fresh), len(old)))
    rows, columns = both["cluster"].to_numpy(), old.search_sorted(both["topic_id"]).to_numpy()
    np.add.at(table, (rows, columns), 1)
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0, keepdims=True) - table
    ids = list(fresh)
    taken: set[int] = set()
    free = table.copy()
    for column, name in enumerate(old):
        if name in held and free[:, column].any():
            row = int(free[:, column].argmax())
            ids[row] = name
            taken.add(row)
            free[row], free[:, column] = 0, 0
    for row, column in zip(*linear_sum_assignment(-free), strict=True):
        if free[row, column] >= MIN_SHARED * union[row, column] and free[row, column] > 0:
            ids[row] = old[int(column)]
            taken.add(row)
    old_ids = set(previous["topic_id"].drop_nulls())
    for row, name in enumerate(ids):
        if row not in taken and name in old_ids:  # born with the very texts of an old topic that lives on elsewhere
            ids[row] = f"{name.partition('_')[0]}_{_digest([name, str(row)])}"
    return ids


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(sorted(parts)).encode(), digest_size=6).hexdigest()
