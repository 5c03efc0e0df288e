"""Our parts are parts of BERTopic: a plain BERTopic takes them, and others take their place.

What loads BERTopic is imported in the tests: it takes seconds, and every process of a run reads every file of tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from tests.analysis.topics.test_fit import THEMES, agreement, leaves, texts_of
from turret_pipeline.analysis.topics.fit import fit_topics, unit_matrix
from turret_pipeline.analysis.topics.last_fit import LastFit

if TYPE_CHECKING:
    from turret_pipeline.analysis.labels.representation import TopicLabels
    from turret_pipeline.analysis.topics.bertopic import TopicModel

pytestmark = pytest.mark.filterwarnings("ignore")  # of BERTopic's own making
PETS_AND_PIZZA = ["lost my card", "card lost today", "where is my card", "pizza my way", "pizza today"]


class Given:
    """A cluster model whose clusters are given."""

    def __init__(self, labels: list[int]) -> None:
        self.labels_ = np.array(labels)

    def fit(self, vectors: np.ndarray, y: np.ndarray | None = None) -> Given:
        return self


def documents(texts: list[str]) -> tuple[pl.DataFrame, np.ndarray]:
    """Return the texts as `TopicLabels` takes them, and vectors of them."""
    vectors = np.random.default_rng(0).normal(size=(len(texts), 8)).astype(np.float32)
    ids = [str(number) for number in range(len(texts))]
    return pl.DataFrame({"text_id": ids, "text": texts, "n_messages": [1] * len(texts)}), vectors


def fitted(texts: list[str], clusters: Any) -> tuple[TopicModel, TopicLabels]:
    from turret_pipeline.analysis.labels.representation import TopicLabels
    from turret_pipeline.analysis.topics.bertopic import topic_model
    from turret_pipeline.analysis.topics.neighbours import count_terms

    frame, vectors = documents(texts)
    labels = TopicLabels(frame, vectors, LastFit())
    return topic_model(count_terms(texts), clusters, labels).fit(texts, vectors), labels


@pytest.mark.parametrize("text", ["message a{}", "{} b{}", "!{}?"])
def test_texts_with_one_word_in_common_or_none_are_fitted(text: str) -> None:
    model, labels = fitted([text.format(n, n) for n in range(6)], Given([0, 0, 0, 1, 1, 1]))
    assert model.c_tf_idf_.shape == (2, 2)
    assert {word for words in labels.keywords_ for word in words} <= {"message"}
    assert len(set(labels.labels_)) == 2 and all(labels.labels_)


def test_keywords_are_the_words_that_tell_a_topic_from_the_others_largest_first() -> None:
    model, labels = fitted(PETS_AND_PIZZA, Given([1, 1, 1, 0, 0]))
    assert model.topics_ == [0, 0, 0, 1, 1]
    assert labels.keywords_[0][0] in ("card", "lost")
    assert labels.keywords_[1][0] == "pizza"
    assert "pizza" not in labels.keywords_[0]
    assert [word for word, _ in model.get_topic(1)] == labels.keywords_[1]
    assert sorted(model.get_representative_docs(1)) == PETS_AND_PIZZA[3:]


def test_topics_of_texts_without_a_common_word_have_no_keywords_and_a_name_all_the_same() -> None:
    model, labels = fitted(["one", "two"], Given([0, -1]))
    assert model.topics_ == [0, -1]
    assert labels.keywords_ == [[]]
    assert labels.labels_ == ["one"]
    assert model.get_topic_info()["Count"].to_list() == [1, 1]


def test_words_counted_before_give_what_bertopic_counts_itself() -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    from turret_pipeline.analysis.labels.representation import TopicLabels
    from turret_pipeline.analysis.topics.bertopic import topic_model
    from turret_pipeline.analysis.topics.neighbours import count_terms
    from turret_pipeline.analysis.topics.words import WORD

    counted, _ = fitted(PETS_AND_PIZZA * 2, Given([1, 1, 1, 0, 0] * 2))
    terms = count_terms(PETS_AND_PIZZA * 2)
    frame, vectors = documents(PETS_AND_PIZZA * 2)
    plain = topic_model(terms, Given([1, 1, 1, 0, 0] * 2), TopicLabels(frame, vectors, LastFit()))
    plain.vectorizer_model = CountVectorizer(token_pattern=WORD)
    plain.fit(PETS_AND_PIZZA * 2, vectors)
    for topic in (0, 1):
        assert dict(counted.get_topic(topic)) == pytest.approx(dict(plain.get_topic(topic)))


def test_a_plain_bertopic_takes_our_clusters_and_labels() -> None:
    from turret_pipeline.analysis.labels.representation import TopicLabels
    from turret_pipeline.analysis.topics.bertopic import (
        BaseDimensionalityReduction,
        BaseEmbedder,
        BERTopic,
        ClassTfidfTransformer,
    )
    from turret_pipeline.analysis.topics.clusters import GraphClusters
    from turret_pipeline.analysis.topics.neighbours import count_terms
    from turret_pipeline.analysis.topics.refit import SteadyClusters

    texts = texts_of(list(THEMES), 40).unique("text_id").sort("text_id")
    said, vectors = texts["text"].to_list(), unit_matrix(texts["vector"])
    labels = TopicLabels(texts, vectors, LastFit())
    model = BERTopic(
        embedding_model=BaseEmbedder(),
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=SteadyClusters(GraphClusters(count_terms(said))),
        ctfidf_model=ClassTfidfTransformer(bm25_weighting=True, reduce_frequent_words=True),
        representation_model=labels,
    )
    found, _ = model.fit_transform(said, vectors)
    assert len(set(found)) == len(labels.labels_) == len(THEMES)
    again, _ = model.transform(said[:50], vectors[:50])
    assert again == found[:50]


def test_clusters_of_scikit_learn_take_the_place_of_ours() -> None:
    from sklearn.cluster import KMeans

    from turret_pipeline.analysis.labels.representation import TopicLabels
    from turret_pipeline.analysis.topics.bertopic import topic_model
    from turret_pipeline.analysis.topics.neighbours import count_terms
    from turret_pipeline.analysis.topics.refit import SteadyClusters

    texts = texts_of(list(THEMES), 40).unique("text_id").sort("text_id")
    said, vectors = texts["text"].to_list(), unit_matrix(texts["vector"])
    labels = TopicLabels(texts, vectors, LastFit())
    clusters = SteadyClusters(KMeans(len(THEMES), n_init=10, random_state=0))
    topic_model(count_terms(said), clusters, labels).fit(said, vectors)
    assert len(labels.ids_) == len(set(labels.labels_)) == len(THEMES)


@pytest.mark.long
def test_the_clusters_of_hdbscan_find_planted_themes_and_give_the_same_again() -> None:
    texts = texts_of(list(THEMES), 60)
    first, second = (fit_topics(texts, clusters="hdbscan") for _ in range(2))
    assert agreement(first, texts) > 0.95
    assert leaves(first).height == len(THEMES)
    assert second.topics.equals(first.topics)


@pytest.mark.long
def test_a_refit_by_hdbscan_keeps_topics_and_few_texts_are_no_trouble() -> None:
    texts = texts_of(list(THEMES), 40)
    graph = fit_topics(texts)
    dense = fit_topics(texts, clusters="hdbscan", previous_topics=graph.topics, previous_assignments=graph.assignments)
    assert dense.assignments.select("text_id", "topic_id").equals(graph.assignments.select("text_id", "topic_id"))
    few = fit_topics(texts_of(["gift card", "cancel order"], 10), clusters="hdbscan")
    assert 1 <= leaves(few).height <= 2
