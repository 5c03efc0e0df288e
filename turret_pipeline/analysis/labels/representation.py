"""BERTopic's `representation_model` that gives our topics their ids, labels and keywords.

Importing this module imports BERTopic, which takes seconds; so `topics.fit` does it inside the fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import polars as pl
import scipy.sparse as sp

from turret_pipeline.analysis.labels.language_model import NameRequest, Suggest
from turret_pipeline.analysis.labels.names import Embed, Namer, clean_keywords
from turret_pipeline.analysis.topics.bertopic import BaseRepresentation, BERTopic
from turret_pipeline.analysis.topics.centroids import centroids_of, own_cosine
from turret_pipeline.analysis.topics.ids import carry_ids, topic_id
from turret_pipeline.analysis.topics.last_fit import LastFit
from turret_pipeline.analysis.topics.neighbours import Terms
from turret_pipeline.analysis.topics.rows import N_EXAMPLES, split_members


class TopicLabels(BaseRepresentation):  # type: ignore[misc, unused-ignore]
    """Names the topics that a `BERTopic` has found, each by its number there; topics that go on keep their names.

    After the fit, by topic: `ids_`, `labels_`, `summaries_`, `keywords_` (lists of words), `centroids_` (float32
    (n_topics, n_dims), unit rows) and `members_` (text_id, text, n_messages, similarity of its texts, most typical
    first); and by text `clusters_`, int64 (n_texts,), -1 for none. `lost_` has the rows of held topics that none of
    these continues.
    """

    def __init__(
        self,
        texts: pl.DataFrame,
        vectors: np.ndarray,
        last: LastFit,
        embed: Embed | None = None,
        suggest: Suggest | None = None,
        terms: Terms | None = None,
        said_in: Sequence[str] | None = None,
    ) -> None:
        """Take what names are made from.

        texts: text_id, text, n_messages of the documents of the fit, in their order. vectors: of them, float32 of shape
        (n_texts, n_dims), unit rows. embed, suggest: as `topics.fit.fit_topics`. terms, said_in: words and languages
        of the texts, where they are known already.
        """
        self.terms, self.said_in = terms, said_in
        self.texts, self.vectors, self.last, self.embed, self.suggest = texts, vectors, last, embed, suggest

    def extract_topics(
        self,
        topic_model: BERTopic,
        documents: pd.DataFrame,
        c_tf_idf: sp.csr_matrix,
        topics: dict[int, list[tuple[str, float]]],
    ) -> dict[int, list[tuple[str, float]]]:
        """Return the keywords of each topic with their c-TF-IDF; after this call the topics have names.

        documents: with the column `Topic`. topics: the words of each topic, strongest first, with their c-TF-IDF.
        """
        self.clusters_ = documents["Topic"].to_numpy(dtype=np.int64)
        n_topics = int(self.clusters_.max(initial=-1)) + 1
        words = {topic: clean_keywords([word for word, _ in found]) for topic, found in topics.items()}
        self.keywords_ = [words[topic] for topic in range(n_topics)]
        self.centroids_ = centroids_of(self.vectors, self.clusters_, n_topics)
        self.members_: list[pl.DataFrame] = []
        self.ids_: list[str] = []
        self.labels_: list[str] = []
        self.summaries_: list[str] = []
        if n_topics:
            self._name()
            topic_model.representative_docs_ = {
                topic: part["text"].head(N_EXAMPLES).to_list() for topic, part in enumerate(self.members_)
            }
        weights = {topic: dict(found) for topic, found in topics.items()}
        return {
            topic: [(word, weights[topic][word]) for word in found] or [("", 0.0)] for topic, found in words.items()
        }

    def _name(self) -> None:
        members = self.texts.select("text_id", "text", "n_messages").with_columns(
            cluster=pl.Series(self.clusters_),
            similarity=pl.Series(own_cosine(self.vectors, self.centroids_, self.clusters_)),
        )
        self.members_ = split_members(members, len(self.centroids_))
        fresh = [topic_id(part["text_id"]) for part in self.members_]
        placed = members.filter(pl.col("cluster") >= 0).select("text_id", "cluster")
        self.ids_ = carry_ids(placed, fresh, self.last.assignments, self.last.held)
        self.lost_ = self.last.lost_topics(self.ids_)
        taken = [*self.last.given_labels, *self.lost_["label"]]
        texts = self.texts["text"].to_list()
        counts = self.texts["n_messages"].to_numpy()
        self.namer_ = Namer(
            *(texts, self.vectors, self.clusters_, self.centroids_, self.embed),
            n_messages=counts,
            terms=self.terms,
            said_in=self.said_in,
            taken=taken,
        )
        kept = self.last.labels(self.ids_)
        self.labels_ = self.namer_.topics(kept, [n for n, name in enumerate(self.ids_) if name in self.last.held])
        told: dict[int, str] = {}
        if self.suggest is not None:
            requests = [
                NameRequest(topic, self.keywords_[topic], part["text"].head(N_EXAMPLES).to_list())
                for topic, part in enumerate(self.members_)
                if topic not in kept
            ]
            suggested = self.suggest(requests, [*taken, *self.labels_])
            fitting = {topic: one for topic, one in suggested.items() if self.namer_.fits(topic, one.name)}
            self.labels_ = self.namer_.renamed(self.labels_, {topic: one.name for topic, one in fitting.items()})
            told = {topic: one.summary for topic, one in fitting.items() if self._may_say(topic, one.summary)}
        # A topic whose label is another than at the last fit is told anew.
        before = self.last.summaries(self.ids_)
        told |= {topic: before[topic] for topic in before if self.labels_[topic] == kept.get(topic)}
        self.summaries_ = self.namer_.summaries(self.labels_, told)

    def _may_say(self, topic: int, summary: str) -> bool:
        return bool(summary) and self.namer_.fits(topic, summary)
