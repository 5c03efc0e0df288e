"""Merging and settling: clusters that share links and words go together, texts go where they belong."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from turret_pipeline.analysis.topics.clusters import GraphClusters
from turret_pipeline.analysis.topics.judge import Judge
from turret_pipeline.analysis.topics.levels import merge_order, settle
from turret_pipeline.analysis.topics.neighbours import count_terms, neighbour_graph

SAYINGS = ["reset my password", "cancel the order", "track a parcel"]
EACH, N_DIMS = 60, 32


def said(n_kinds: int, each: int = EACH) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return texts, unit vectors and kinds of `each` texts of so many kinds."""
    draw = np.random.default_rng(0)
    kinds = np.repeat(np.arange(n_kinds), each)
    vectors = draw.normal(size=(n_kinds, N_DIMS))[kinds] + 0.3 * draw.normal(size=(len(kinds), N_DIMS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [f"{SAYINGS[kind % 3]} {'now' if row % 2 else 'please'} {row}" for row, kind in enumerate(kinds)]
    return texts, vectors.astype(np.float32), kinds


def graph_and_words(texts: list[str], vectors: np.ndarray) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    terms = count_terms(texts)
    words = terms.of_words
    words.data[:] = 1
    return neighbour_graph(terms.counts, vectors), words


def test_parts_of_a_kind_merge_before_kinds_do() -> None:
    texts, vectors, kinds = said(3)
    parts = kinds * 2 + np.arange(len(kinds)) % 2
    merges = merge_order(*graph_and_words(texts, vectors), parts)
    assert {tuple(merge // 2) for merge in merges[:3]} == {(0, 0), (1, 1), (2, 2)}
    assert sorted({*merges.ravel()}) == list(range(6))


def test_clusters_that_no_link_joins_merge_by_their_words() -> None:
    texts, vectors, kinds = said(6)  # kinds 0 and 3, 1 and 4, 2 and 5 say the same
    merges = merge_order(*graph_and_words(texts, vectors), kinds)
    assert {tuple(merge) for merge in merges[:3].tolist()} == {(0, 3), (1, 4), (2, 5)}


def test_a_text_on_the_wrong_side_settles_where_its_words_and_neighbours_are() -> None:
    texts, vectors, kinds = said(3)
    wrong = kinds.copy()
    wrong[::10] = (wrong[::10] + 1) % 3
    assert np.array_equal(settle(*graph_and_words(texts, vectors), wrong), kinds)


def test_one_cluster_has_nothing_to_merge_and_stays_one() -> None:
    texts, vectors, kinds = said(1)
    graph, words = graph_and_words(texts, vectors)
    assert merge_order(graph, words, kinds).shape == (0, 2)
    assert not settle(graph, words, kinds).any()


@pytest.mark.parametrize("n_kinds", [2, 5])
def test_large_tight_kinds_are_found_whole(n_kinds: int) -> None:
    texts, vectors, kinds = said(n_kinds, each=500)
    terms = count_terms([f"{text} {kind}" for text, kind in zip(texts, kinds, strict=True)])
    found = GraphClusters(terms).fit(vectors).labels_
    assert len(set(found)) == n_kinds
    assert len({*zip(kinds.tolist(), found.tolist(), strict=True)}) == n_kinds


def test_texts_without_a_common_word_and_pure_noise_are_clustered_without_fuss() -> None:
    vectors = np.random.default_rng(0).normal(size=(200, N_DIMS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = GraphClusters(count_terms([f"w{row}" for row in range(200)])).fit(vectors).labels_
    assert len(found) == 200
    assert Judge(vectors).quality(found) < 0.2
