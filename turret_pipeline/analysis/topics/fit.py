"""Topics of one text field: found rarely by a fit, given to new texts always.

`fit_topics` groups the field's distinct texts into topics and the topics into themes, names them and puts them on a
map; `assign_texts` gives new texts the topics of the last fit, which costs one matrix product; `refit_reason` says when
a fit is due. Pure functions: frames in, frames out; the same frames and seed give the same result, in whatever order
the rows come. How topics are found stands in `topics.clusters`, how they are named in `labels`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from turret_pipeline.analysis.labels.language_model import Asked, Suggest
from turret_pipeline.analysis.labels.names import Embed, Namer, clean_keywords
from turret_pipeline.analysis.topics.ids import carry_ids, topic_id
from turret_pipeline.analysis.topics.map import find_themes, place_texts, place_topics
from turret_pipeline.analysis.topics.refit import centroids_of, keep_topics, radius_of
from turret_pipeline.analysis.topics.rows import (
    N_EXAMPLES,
    count_messages,
    kept_labels,
    kept_places,
    lost_topics,
    place_rows,
    split_members,
    theme_ids_of,
    theme_rows,
    topic_rows,
)
from turret_pipeline.lake.tables import TOPICS

MIN_TEXTS = 20
"""Distinct texts below which there are no topics: fewer would be invention."""

MAX_FIT_TEXTS = 200_000
"""Distinct texts past which a fit takes a sample and assigns the rest."""

_LEFT_TO_CALLER = ("project_id", "field", "model_version")
TOPIC_SCHEMA = pl.Schema({name: dtype for name, dtype in TOPICS.schema.items() if name not in _LEFT_TO_CALLER})
ASSIGNMENT_SCHEMA = pl.Schema(
    {"text_id": pl.String, "topic_id": pl.String, "similarity": pl.Float64, "x": pl.Float32, "y": pl.Float32}
)
"""topic_id: null for none. similarity: cosine to the (nearest) topic's centroid. x, y: place of the text on the map,
outside the nearest topic where it has none; null where there are no topics."""


@dataclass(frozen=True)
class TopicFit:
    """The outcome of a fit.

    topics: one row a topic (level 0) or theme (level 1), as `TOPICS` without project_id, field and model_version.
    assignments: as `ASSIGNMENT_SCHEMA`; one row a distinct text of the fit, by text_id.
    """

    topics: pl.DataFrame
    assignments: pl.DataFrame


def fit_topics(
    texts: pl.DataFrame,
    *,
    previous_topics: pl.DataFrame | None = None,
    previous_assignments: pl.DataFrame | None = None,
    held: Collection[str] = (),
    given_labels: Collection[str] = (),
    seed: int = 0,
    embed: Embed | None = None,
    suggest: Suggest | None = None,
) -> TopicFit:
    """Return the topics of `texts` and the topic of each; topics, ids and labels of the last fit stay where they can.

    texts: text_id, text, vector (unit length), n_messages; one row a distinct text.
    previous_topics, previous_assignments: what the last fit left, or None for the first. Texts that came since are
        best left out of the assignments: a topic is born only from texts that are not in them or have none there.
    held: old topics that go on whatever is found: with id and label, most of their texts, and if need be with none.
    given_labels: labels that people gave, which are not given again.
    embed: the model behind the vectors, as `Embedder.embed`: labels are better with it. suggest: a language model that
        may give new topics other names (`labels.language_model`).
    """
    texts = texts.unique("text_id").sort("text_id")
    usable = texts.filter(pl.col("text").str.strip_chars() != "")
    # text_id is a hash, so the first rows in its order are a random sample, and nearly the same one at the next fit.
    sample = usable.head(MAX_FIT_TEXTS)
    nothing = TopicFit(TOPIC_SCHEMA.to_frame(), _unassigned(texts["text_id"]))
    if sample.height < MIN_TEXTS:
        return nothing

    from turret_pipeline.analysis.topics.bertopic import find_topics
    from turret_pipeline.analysis.topics.clusters import cluster_texts
    from turret_pipeline.analysis.topics.neighbours import count_terms

    vectors = unit_matrix(sample["vector"])
    words = sample["text"].to_list()
    terms = count_terms(words)
    old, old_ids = _old_clusters(sample, previous_assignments)
    old_held = [number for number, name in enumerate(old_ids) if name in held]

    def find(rows: np.ndarray) -> np.ndarray:
        fresh = cluster_texts(terms, rows, seed=seed)
        return _without_outliers(fresh.clusters if old is None else keep_topics(fresh, rows, old, old_held), rows)

    clusters, keywords = find_topics(terms, vectors, find)
    n_topics = len(keywords)
    if n_topics == 0:
        return nothing
    centroids = centroids_of(vectors, clusters, n_topics)
    members = sample.select("text_id", "text", "n_messages").with_columns(
        pl.Series("cluster", clusters), pl.Series("similarity", _own_cosine(vectors, centroids, clusters))
    )
    placed = members.filter(pl.col("cluster") >= 0).select("text_id", "cluster")
    fresh_ids = [topic_id(part["text_id"]) for part in split_members(members, n_topics)]
    ids = carry_ids(placed, fresh_ids, previous_assignments, held)
    kept = kept_labels(ids, previous_topics)
    lost = lost_topics(ids, previous_topics, held)
    namer = Namer(words, vectors, clusters, centroids, embed, taken=[*given_labels, *lost["label"]])
    labels = namer.topics(kept)
    keywords = [clean_keywords(found) for found in keywords]
    if suggest is not None:
        parts = split_members(members, n_topics)
        new = [topic for topic in range(n_topics) if topic not in kept]
        asked = [Asked(topic, keywords[topic], parts[topic]["text"].head(N_EXAMPLES).to_list()) for topic in new]
        labels = namer.renamed(labels, suggest(asked, [*given_labels, *lost["label"], *labels]))

    themes = find_themes(centroids)
    rows = topic_rows(members, ids, labels, keywords, centroids)
    theme_ids = theme_ids_of(themes, ids, previous_topics)
    theme_labels = namer.themes(themes, labels, kept_labels(theme_ids, previous_topics, level=1))
    rows += theme_rows(rows, themes, centroids, theme_ids, theme_labels)
    rows = place_rows(rows, place_topics(centroids, themes, kept_places(ids, previous_topics)))
    topics = pl.concat([pl.DataFrame(rows, schema=TOPIC_SCHEMA), lost.select(TOPIC_SCHEMA.names())])
    topics = topics.with_columns(fitted_texts=pl.lit(usable.height, dtype=pl.Int64))

    assignments = _assignments(sample["text_id"], vectors, clusters, topics.filter(pl.col("level") == 0))
    left_over = texts.join(sample.select("text_id"), on="text_id", how="anti")
    assignments = pl.concat([assignments, assign_texts(left_over, topics)]).sort("text_id")
    return TopicFit(count_messages(topics, assignments, texts), assignments)


def assign_texts(texts: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
    """Return text_id, topic_id, similarity for `texts`: the topic with the nearest centroid, null outside its radius.

    texts: text_id, text, vector (unit length). topics: rows of TOPICS; themes are left out.
    """
    leaves = topics.filter(pl.col("level") == 0).sort("topic_id")
    if texts.height == 0 or leaves.height == 0:
        return _unassigned(texts["text_id"])
    centroids, radius = unit_matrix(leaves["centroid"]), leaves["radius"].to_numpy()
    frames = []
    for block in texts.iter_slices(50_000):
        vectors = unit_matrix(block["vector"])
        cosine = vectors @ centroids.T
        nearest = cosine.argmax(axis=1)
        fits = (cosine.max(axis=1) >= radius[nearest]) & (block["text"].str.strip_chars() != "").to_numpy()
        frames.append(_assignments(block["text_id"], vectors, np.where(fits, nearest, -1), leaves))
    return pl.concat(frames)


def refit_reason(n_texts: int, n_unassigned: int, topics: pl.DataFrame) -> str | None:
    """Return why a fit is due, in words, or None when assigning is enough.

    n_texts: distinct texts of the field now. n_unassigned: of them, without a topic or not yet assigned.
    topics: the field's rows of TOPICS, empty before the first fit.
    """
    if n_texts < MIN_TEXTS:
        return None
    if topics.height == 0:
        return "the field has no topics yet"
    fitted = int(topics["fitted_texts"].max() or 0)  # type: ignore[arg-type]
    if n_texts >= 1.2 * fitted + MIN_TEXTS:
        return f"distinct texts grew from {fitted} to {n_texts}"
    if n_unassigned >= max(MIN_TEXTS, 0.02 * n_texts):
        return f"{n_unassigned} of {n_texts} distinct texts fit no topic"
    return None


def unit_matrix(vectors: pl.Series) -> np.ndarray:
    """Return a list column as float32 of shape (n_rows, n_dims) with rows of unit length (zero rows stay zero)."""
    flat = vectors.explode(empty_as_null=False, keep_nulls=False).to_numpy().astype(np.float32, copy=False)
    matrix = flat.reshape(len(vectors), -1) if len(vectors) else np.zeros((0, 1), dtype=np.float32)
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.divide(matrix, length, out=np.zeros_like(matrix), where=length > 0)


def _old_clusters(sample: pl.DataFrame, previous: pl.DataFrame | None) -> tuple[np.ndarray | None, list[str]]:
    """Return the topic that each text had, -1 for none, as its place in the list; None where no text had one."""
    if previous is None or previous.height == 0:
        return None, []
    known = previous.select("text_id", "topic_id").unique("text_id", keep="last")
    old = sample.select("text_id").join(known, on="text_id", how="left", maintain_order="left")["topic_id"]
    names = old.drop_nulls().unique().sort()
    if len(names) == 0:
        return None, []
    numbers = pl.DataFrame({"topic_id": names, "number": np.arange(len(names))})
    joined = old.to_frame("topic_id").join(numbers, on="topic_id", how="left", maintain_order="left")
    return joined["number"].fill_null(-1).to_numpy().astype(np.int64), names.to_list()


def _own_cosine(vectors: np.ndarray, centroids: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Return each text's cosine to its centroid, to the nearest where it has no topic: float64 of shape (n_texts,)."""
    cosine = np.einsum("ij,ij->i", vectors, centroids[np.maximum(clusters, 0)]).astype(np.float64)
    free = clusters < 0
    cosine[free] = (vectors[free] @ centroids.T).max(axis=1)
    return cosine


def _without_outliers(clusters: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the clusters less the texts outside their radius, which are -1."""
    n_topics = int(clusters.max(initial=-1)) + 1
    if n_topics == 0:
        return clusters
    cosine = _own_cosine(vectors, centroids_of(vectors, clusters, n_topics), clusters)
    found = clusters.copy()
    for cluster in range(n_topics):
        members = clusters == cluster
        if members.any():
            found[members & (cosine < radius_of(cosine[members]))] = -1
    return found


def _assignments(text_ids: pl.Series, vectors: np.ndarray, clusters: np.ndarray, topics: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of these texts; clusters: row of `topics` that each belongs to, -1 for none."""
    centroids = unit_matrix(topics["centroid"])
    nearest = clusters.copy()
    free = clusters < 0
    nearest[free] = (vectors[free] @ centroids.T).argmax(axis=1)
    middles, sizes = topics.select("x", "y").to_numpy(), topics["n_texts"].to_numpy()
    places = place_texts(vectors, nearest, ~free, centroids, middles, sizes)
    own = pl.Series(np.where(free, 0, clusters))
    return pl.DataFrame(
        {
            "text_id": text_ids,
            "topic_id": pl.select(pl.when(pl.Series(~free)).then(topics["topic_id"].gather(own))).to_series(),
            "similarity": np.einsum("ij,ij->i", vectors, centroids[nearest]).astype(np.float64),
            "x": places[:, 0],
            "y": places[:, 1],
        },
        schema=ASSIGNMENT_SCHEMA,
    )


def _unassigned(text_ids: pl.Series) -> pl.DataFrame:
    return text_ids.to_frame("text_id").with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in ASSIGNMENT_SCHEMA.items() if name != "text_id"
    )
