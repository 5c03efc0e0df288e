"""Neighbours are the nearest by meaning, however they are searched; words and their pairs are counted."""

from __future__ import annotations

import numpy as np
import pytest

from turret_pipeline.analysis.topics import neighbours
from turret_pipeline.analysis.topics.neighbours import count_terms, nearest_neighbours


def around(n_middles: int, each: int, n_dims: int = 48) -> np.ndarray:
    draw = np.random.default_rng(0)
    rows = np.repeat(draw.normal(size=(n_middles, n_dims)), each, axis=0)
    rows += 0.7 * draw.normal(size=rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def found_of_nearest(vectors: np.ndarray, rows: np.ndarray, k: int) -> float:
    """Return the share of each row's true k nearest others that are among its `rows`."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2.0)
    nearest = np.argsort(-cosines, axis=1)[:, :k]
    return float(np.mean([np.isin(true, found).mean() for true, found in zip(nearest, rows, strict=True)]))


@pytest.mark.parametrize(("exact_up_to", "least"), [(30_000, 0.999), (500, 0.9)])
def test_the_nearest_are_found_among_all_and_by_cells(
    monkeypatch: pytest.MonkeyPatch, exact_up_to: int, least: float
) -> None:
    monkeypatch.setattr(neighbours, "EXACT_UP_TO", exact_up_to)
    vectors = around(40, 50)
    rows, cosines = nearest_neighbours(vectors, 30)
    assert found_of_nearest(vectors, rows, 10) >= least
    assert not (rows == np.arange(len(vectors))[:, None]).any()
    assert (np.diff(cosines, axis=1) <= 0).all()
    assert np.abs(cosines - np.einsum("ijk,ik->ij", vectors[rows], vectors)).max() < 0.01


def test_words_and_pairs_that_stand_in_two_texts_are_counted() -> None:
    terms = count_terms(["Lost card lost", "the LOST card", "card", ""])
    assert sorted(terms.words) == ["card", "lost"]
    counts = {word: terms.of_words[:, place].toarray().ravel().tolist() for place, word in enumerate(terms.words)}
    assert counts == {"lost": [2, 1, 0, 0], "card": [1, 1, 1, 0]}
    assert terms.counts[:, 2:].toarray().ravel().tolist() == [1, 1, 0, 0]  # "lost card"
    assert count_terms(["a", "\U0001f600"]).words == []


def test_words_of_scripts_without_spaces_are_counted_one_by_one() -> None:
    terms = count_terms(["我想预订机票", "请预订机票吧", "book a flight", "a flight to 北京"])
    assert {"预订", "机票", "flight", "a"} <= set(terms.words)
    assert not any(len(word) > 3 for word in terms.words if not word.isascii())
