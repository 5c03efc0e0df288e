"""Which level of the merges is kept: that of topics, not of sentences that many texts repeat in other languages."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from turret_pipeline.analysis.topics.apart import Apartness
from turret_pipeline.analysis.topics.neighbours import neighbour_graph

N_TOPICS, N_SENTENCES, N_LANGUAGES = 4, 53, 16


@pytest.fixture(scope="module")
def apart() -> Apartness:
    """Of 3,392 texts by their sentences, each in 16 languages."""
    draw = np.random.default_rng(0)
    topics = draw.normal(size=(N_TOPICS, 64))
    sentences = np.repeat(topics, N_SENTENCES, axis=0) + 0.9 * draw.normal(size=(N_TOPICS * N_SENTENCES, 64))
    texts = np.repeat(sentences, N_LANGUAGES, axis=0)
    vectors = (texts + 0.3 * draw.normal(size=texts.shape)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = draw.permutation(len(vectors))
    vectors, sentence = vectors[order], np.repeat(np.arange(len(sentences)), N_LANGUAGES)[order]
    no_words = sp.csr_matrix((len(vectors), 0), dtype=np.float32)
    languages = np.tile(np.arange(N_LANGUAGES), len(sentences))[order]
    return Apartness(vectors, neighbour_graph(no_words, vectors), sentence, languages)


SENTENCES = np.arange(N_TOPICS * N_SENTENCES)
TOPICS = SENTENCES // N_SENTENCES


def test_topics_are_further_apart_than_the_sentences_that_they_are_of(apart: Apartness) -> None:
    assert apart.of_level(TOPICS) > 0.1 > apart.of_level(SENTENCES)


def test_a_level_with_a_sentence_in_the_wrong_topic_is_worse(apart: Apartness) -> None:
    wrong = TOPICS.copy()
    wrong[0] = TOPICS[-1]
    assert apart.of_level(TOPICS) > apart.of_level(wrong)


def test_topics_cut_in_halves_or_joined_are_worse(apart: Apartness) -> None:
    assert apart.of_level(TOPICS) > apart.of_level(TOPICS // 2)
    assert apart.of_level(TOPICS) > apart.of_level(np.where(SENTENCES % 2, TOPICS, TOPICS + N_TOPICS))
    assert apart.of_level(np.zeros_like(TOPICS)) == 0.0
