"""BERTopic with our parts in it, each of which can be exchanged for any other that BERTopic takes.

| part of BERTopic | here | instead, for example |
| --- | --- | --- |
| `embedding_model` | none: the vectors are given | |
| `umap_model` | none: clusters are found in all dimensions | `umap.UMAP`, `sklearn.decomposition.PCA` |
| `hdbscan_model` | `SteadyClusters` around `GraphClusters` or `DensityClusters` | `sklearn.cluster.KMeans` |
| `vectorizer_model` | `CountedWords`: the graph has counted them already | `sklearn`'s `CountVectorizer` |
| `ctfidf_model` | BERTopic's own, with BM25 weights | |
| `representation_model` | `labels.representation.TopicLabels` | `bertopic.representation.KeyBERTInspired` |

Importing this module imports BERTopic, which takes seconds; so `topics.fit` does it inside the fit. Its pictures are
loaded when one is asked for, and the representations that need transformers are left out: they would take as long again
and 230 MB, for plotly, umap, numba and transformers.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

from turret_pipeline.analysis.topics.neighbours import Terms
from turret_pipeline.analysis.topics.words import WORD


class _AtFirstUse(ModuleType):
    """A module that is imported when a function of it is first asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # whoever looks through all modules
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


_LEFT_OUT: dict[str, ModuleType | None] = {
    "bertopic.backend._multimodal": None,
    "bertopic.plotting": _AtFirstUse("bertopic.plotting"),
    "bertopic.representation._textgeneration": None,
    "bertopic.representation._visual": None,
    "bertopic.representation._zeroshot": None,
}
"""What BERTopic finds in the place of its modules; None: it finds one not installed, which it puts up with."""


@contextmanager
def _without_what_nobody_asks_for() -> Iterator[None]:
    """Leave out the modules of `_LEFT_OUT` that are not there yet; behind the block they can be imported as ever."""
    hidden = {name: module for name, module in _LEFT_OUT.items() if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with warnings.catch_warnings(), _without_what_nobody_asks_for():
    warnings.simplefilter("ignore")  # BERTopic changes the process's warning filters when imported
    from bertopic import BERTopic
    from bertopic._bertopic import TopicMapper
    from bertopic.backend import BaseEmbedder
    from bertopic.dimensionality import BaseDimensionalityReduction
    from bertopic.representation import BaseRepresentation
    from bertopic.vectorizers import ClassTfidfTransformer


__all__ = ["BERTopic", "BaseEmbedder", "BaseRepresentation", "CountedWords", "TopicMapper", "TopicModel", "topic_model"]

NO_WORDS = ["", " "]
"""What fills up where texts have fewer words in common: c-TF-IDF fails on one column or none; these stay empty."""


class CountedWords(CountVectorizer):  # type: ignore[misc, unused-ignore]
    """BERTopic's `vectorizer_model` for texts whose words are counted already: it adds them up by topic."""

    def __init__(self, terms: Terms) -> None:
        self._names = [*terms.words, *NO_WORDS[len(terms.words) :]]
        super().__init__(token_pattern=WORD, vocabulary=self._names)
        self.terms = terms

    def of_topics(self, topics: Sequence[int]) -> sp.csr_matrix:
        """Return how often the texts of each topic have each word: (n_topics, n_words), topics in order of number.

        topics: of each text that `terms` are of.
        """
        numbers = np.unique(topics, return_inverse=True)[1]
        shape = int(numbers.max()) + 1, len(numbers)
        member = sp.csr_matrix((np.ones(len(numbers)), (numbers, np.arange(len(numbers)))), shape)
        counts = sp.csr_matrix(member @ self.terms.of_words)
        counts.resize(shape[0], len(self._names))
        return counts

    def get_feature_names_out(self, input_features: None = None) -> list[str]:
        """Return the words, in the order of the counts' columns."""
        return self._names


class TopicModel(BERTopic):  # type: ignore[misc, unused-ignore]
    """BERTopic without what our parts have done already, and with one slow loop made fast."""

    def _reduce_dimensionality(
        self, embeddings: np.ndarray, y: np.ndarray | None = None, partial_fit: bool = False
    ) -> np.ndarray:
        """Return the vectors as they are: BERTopic's own copies them, which for many texts is half a gigabyte."""
        if type(self.umap_model) is not BaseDimensionalityReduction:
            reduced: np.ndarray = super()._reduce_dimensionality(embeddings, y, partial_fit)
            return reduced
        return embeddings

    def _c_tf_idf(
        self, documents_per_topic: pd.DataFrame, fit: bool = True, partial_fit: bool = False
    ) -> tuple[sp.csr_matrix, list[str]]:
        """Return c-TF-IDF of each topic, and its words: from the counts that there are, where they are of all texts."""
        if not (fit and isinstance(self.vectorizer_model, CountedWords)):
            found: tuple[sp.csr_matrix, list[str]] = super()._c_tf_idf(documents_per_topic, fit, partial_fit)
            return found
        counts = self.vectorizer_model.of_topics(self.topics_)
        return self.ctfidf_model.fit(counts).transform(counts), self.vectorizer_model.get_feature_names_out()

    def _save_representative_docs(self, documents: pd.DataFrame) -> None:
        """Find typical texts, which takes half of BERTopic's time, unless the representation model has done so."""
        if not self.representative_docs_:
            super()._save_representative_docs(documents)

    @staticmethod
    def _top_n_values_sparse(matrix: sp.csr_matrix, indices: np.ndarray) -> np.ndarray:
        """Return the values at `indices` (n_topics, n_words; None for none), a row at a time.

        BERTopic's own takes each value by itself, a third of a second for a hundred topics.
        """
        places, there = np.where(indices == None, 0, indices).astype(np.int64), indices != None  # noqa: E711
        values = np.array([matrix[[row]].toarray()[0][found] for row, found in enumerate(places)])
        shown: np.ndarray = values * there
        return shown


def topic_model(terms: Terms, clusters: Any, representation: BaseRepresentation) -> TopicModel:
    """Return a model that `fit(texts, vectors)` fits to the distinct texts, none of them blank, that `terms` are of.

    clusters: a cluster model that takes vectors of all dimensions. representation: what names the topics found.
    """
    return TopicModel(
        embedding_model=BaseEmbedder(),
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=clusters,
        vectorizer_model=CountedWords(terms),
        ctfidf_model=ClassTfidfTransformer(bm25_weighting=True, reduce_frequent_words=True),
        representation_model=representation,
    )
