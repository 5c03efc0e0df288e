"""A topic is born where texts without one lie close together; not from noise, nor from more of the same."""

from __future__ import annotations

import numpy as np
import pytest

from turret_pipeline.analysis.topics.density import dense_groups
from turret_pipeline.analysis.topics.refit import keep_topics

N_DIMS = 64
DRAW = np.random.default_rng(0)
MIDDLES = DRAW.normal(size=(4, N_DIMS))


def around(kind: int, n: int, spread: float = 0.4) -> np.ndarray:
    """Return n unit vectors around the middle of a kind."""
    return unit(MIDDLES[kind] + spread * DRAW.normal(size=(n, N_DIMS)))


def noise(n: int) -> np.ndarray:
    return unit(DRAW.normal(size=(n, N_DIMS)))


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_dense_groups_are_found_among_noise_and_few_texts_have_none() -> None:
    groups = dense_groups(np.vstack([noise(100), around(2, 30), around(3, 30)]), 10)
    first, second = groups[100:130], groups[130:]
    assert len({*first} - {-1}) == len({*second} - {-1}) == 1
    assert {*first} & {*second} <= {-1}
    assert (groups[100:] >= 0).mean() > 0.8
    assert dense_groups(noise(15), 10).tolist() == [-1] * 15


@pytest.mark.parametrize(
    ("news", "n_born"),
    [
        ([around(3, 15), around(1, 15), noise(40)], 1),
        ([noise(60)], 0),
        ([around(0, 40), around(1, 40), around(2, 40)], 0),
        ([around(0, 40), around(3, 15), around(2, 40)], 1),
        ([around(3, 9)], 0),
    ],
    ids=["new and noise", "noise", "more of the same", "new among more of the same", "too few"],
)
def test_what_is_dense_and_new_is_born_though_no_fresh_cluster_shows_it(news: list[np.ndarray], n_born: int) -> None:
    vectors = np.vstack([around(0, 60), around(1, 60), around(2, 60), *news])
    old = np.concatenate([np.repeat([0, 1, 2], 60), np.full(len(vectors) - 180, -1)])
    kept = keep_topics(old, vectors, old)  # fresh clusters that leave out all that is new
    assert kept.max() == 2 + n_born
    assert kept[:180].tolist() == old[:180].tolist()
    if n_born:
        assert 12 <= (kept == 3).sum() <= 25
