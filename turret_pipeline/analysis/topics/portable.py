"""A field's topics as a model of plain BERTopic, to take along: what `BERTopic.load` needs, and no more."""

from __future__ import annotations

import numpy as np
import polars as pl

from turret_pipeline.analysis.topics.bertopic import BaseEmbedder, BERTopic, TopicMapper

NO_TOPIC = "unassigned"


def portable_model(topics: pl.DataFrame, of_messages: pl.Series) -> BERTopic:
    """Return the model whose documents are the messages, and whose topics are ours, numbered from the largest.

    Each topic has its label (`custom_labels_`), keywords and centroid; the aspects `Topic_ID` and `Examples` tell which
    of ours it is, and typical messages. -1 is for messages without a topic. As the model has no clusters, `transform`
    gives the topic with the nearest centroid, never -1. Weights of keywords say their order only.

    topics: topic_id, label, keywords, examples, centroid. of_messages: the topic_id of each message, null for none.
    """
    sizes = of_messages.drop_nulls().value_counts().rename({of_messages.name: "topic_id", "count": "size"})
    topics = topics.join(sizes, on="topic_id", how="left").with_columns(pl.col("size").fill_null(0))
    topics = topics.sort("size", "topic_id", descending=[True, False])
    has_none = of_messages.null_count() > 0
    numbers = list(range(-1 if has_none else 0, topics.height))
    model = BERTopic(embedding_model=BaseEmbedder())
    found = of_messages.replace_strict(topics["topic_id"], pl.Series(range(topics.height)), return_dtype=pl.Int64)
    model.topics_ = found.fill_null(-1).to_list()
    model.topic_mapper_ = TopicMapper(numbers)

    def by_number(of_topics: list[list[str]], of_none: str = "") -> dict[int, list[tuple[str, float]]]:
        """Return the words or texts as BERTopic has them, with weights that fall from 1 towards 0."""
        rows = [[of_none], *of_topics] if has_none else of_topics
        return {
            number: [(word, 1 - place / len(words)) for place, word in enumerate(words)] or [("", 0.0)]
            for number, words in zip(numbers, rows, strict=True)
        }

    none = [of_messages.null_count()] if has_none else []
    model.topic_sizes_ = dict(zip(numbers, [*none, *topics["size"]], strict=True))
    model.topic_representations_ = by_number(topics["keywords"].to_list())
    model.topic_aspects_ = {
        "Topic_ID": by_number([[name] for name in topics["topic_id"]]),
        "Examples": by_number(topics["examples"].to_list()),
    }
    model.custom_labels_ = [*([NO_TOPIC] if has_none else []), *topics["label"]]
    centroids = np.array(topics["centroid"].to_list(), dtype=np.float32)
    # A vector of zeros is never the nearest.
    model.topic_embeddings_ = np.vstack([np.zeros((int(has_none), centroids.shape[1]), np.float32), centroids])
    return model
