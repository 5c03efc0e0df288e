"""Topics of one text field: found rarely by a fit, given to new texts always.

`fit_topics` groups the field's distinct texts into topics and the topics into themes, names them and puts them on a
map; `assign_texts` gives new texts the topics of the last fit, which costs one matrix product; `refit_reason` says when
a fit is due. Pure functions: frames in, frames out; the same frames and seed give the same result, in whatever order
the rows come. How topics are found stands in `topics_clusters`, how they are named in `labels`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from turret_pipeline.analysis.topics_ids import carry_ids, theme_id, topic_id
from turret_pipeline.analysis.topics_map import find_themes, place_on_map
from turret_pipeline.lake.tables import TOPICS

MIN_TEXTS = 20
"""Distinct texts below which there are no topics: fewer would be invention."""

MAX_FIT_TEXTS = 200_000
"""Distinct texts past which a fit takes a sample and assigns the rest."""

N_EXAMPLES = 8

_LEFT_TO_CALLER = ("project_id", "field", "model_version")
TOPIC_SCHEMA = pl.Schema({name: dtype for name, dtype in TOPICS.schema.items() if name not in _LEFT_TO_CALLER})
ASSIGNMENT_SCHEMA = pl.Schema({"text_id": pl.String, "topic_id": pl.String, "similarity": pl.Float64})


@dataclass(frozen=True)
class TopicFit:
    """The outcome of a fit.

    topics: one row a topic (level 0) or theme (level 1), as `TOPICS` without project_id, field and model_version.
    assignments: text_id, topic_id (null: none), similarity; one row a distinct text of the fit, by text_id.
    """

    topics: pl.DataFrame
    assignments: pl.DataFrame


def fit_topics(
    texts: pl.DataFrame,
    *,
    previous_topics: pl.DataFrame | None = None,
    previous_assignments: pl.DataFrame | None = None,
    seed: int = 0,
) -> TopicFit:
    """Return the topics of `texts` and the topic of each; ids go on from the previous fit by shared texts.

    texts: text_id, text, vector (unit length), n_messages; one row a distinct text.
    previous_topics, previous_assignments: what the last fit and the assignments since left, or None for the first.
    """
    texts = texts.unique("text_id").sort("text_id")
    usable = texts.filter(pl.col("text").str.strip_chars() != "")
    # text_id is a hash, so the first rows in its order are a random sample, and nearly the same one at the next fit.
    sample = usable.head(MAX_FIT_TEXTS)
    if sample.height < MIN_TEXTS:
        return TopicFit(TOPIC_SCHEMA.to_frame(), _assignments(texts["text_id"], [None] * texts.height, None))

    from turret_pipeline.analysis.topics_bertopic import find_topics

    vectors = unit_matrix(sample["vector"])
    found = find_topics(sample["text"].to_list(), vectors, seed=seed)
    n_topics = len(found.labels)
    if n_topics == 0:
        return TopicFit(TOPIC_SCHEMA.to_frame(), _assignments(texts["text_id"], [None] * texts.height, None))
    centroids = topic_centroids(vectors, found.clusters, n_topics)
    similarity = np.einsum("ij,ij->i", vectors, centroids[np.maximum(found.clusters, 0)]).astype(np.float64)
    members = sample.select("text_id", "text", "n_messages").with_columns(
        pl.Series("cluster", found.clusters), pl.Series("similarity", similarity)
    )
    ids = carry_ids(
        members.filter(pl.col("cluster") >= 0).select("text_id", "cluster"),
        [topic_id(part["text_id"]) for part in _parts(members, n_topics)],
        previous_assignments,
    )
    themes = find_themes(centroids, found.sizes)
    rows = _topic_rows(members, ids, found.labels, found.keywords, centroids)
    rows += _theme_rows(rows, themes, centroids)
    places = place_on_map(np.asarray([row["centroid"] for row in rows], dtype=np.float32))
    for row, (x, y) in zip(rows, places, strict=True):
        row |= {"x": float(x), "y": float(y), "fitted_texts": usable.height}
    topics = pl.DataFrame(rows, schema=TOPIC_SCHEMA)

    chosen = [ids[cluster] if cluster >= 0 else None for cluster in found.clusters]
    assignments = _assignments(sample["text_id"], chosen, similarity)
    left_over = texts.join(assignments, on="text_id", how="anti")
    assignments = pl.concat([assignments, assign_texts(left_over, topics)]).sort("text_id")
    return TopicFit(topics, assignments)


def assign_texts(texts: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
    """Return text_id, topic_id, similarity for `texts`: the topic with the nearest centroid, null outside its radius.

    texts: text_id, text, vector (unit length). topics: rows of TOPICS; themes are left out.
    """
    leaves = topics.filter(pl.col("level") == 0).sort("topic_id")
    if texts.height == 0 or leaves.height == 0:
        return _assignments(texts["text_id"], [None] * texts.height, None)
    centroids = unit_matrix(leaves["centroid"])
    radius = leaves["radius"].to_numpy()
    nearest = np.empty(texts.height, dtype=np.int64)
    similarity = np.empty(texts.height, dtype=np.float64)
    for start in range(0, texts.height, 20_000):
        block = unit_matrix(texts["vector"].slice(start, 20_000)) @ centroids.T
        nearest[start : start + len(block)] = block.argmax(axis=1)
        similarity[start : start + len(block)] = block.max(axis=1)
    names = leaves["topic_id"].to_numpy()
    has_topic = (similarity >= radius[nearest]) & (texts["text"].str.strip_chars() != "").to_numpy()
    chosen = [str(names[i]) if has else None for i, has in zip(nearest, has_topic, strict=True)]
    return _assignments(texts["text_id"], chosen, similarity)


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


def topic_centroids(vectors: np.ndarray, clusters: np.ndarray, n_topics: int) -> np.ndarray:
    """Return the mean direction of each cluster's vectors: float32 of shape (n_topics, n_dims), unit rows."""
    sums = np.zeros((n_topics, vectors.shape[1]), dtype=np.float64)
    for cluster in range(n_topics):
        sums[cluster] = vectors[clusters == cluster].sum(axis=0, dtype=np.float64)
    return (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)


def _parts(members: pl.DataFrame, n_topics: int) -> list[pl.DataFrame]:
    """Split `members` by cluster, most typical texts first."""
    ordered = members.sort(["cluster", "similarity", "text_id"], descending=[False, True, False])
    by_cluster = ordered.partition_by("cluster", as_dict=True)
    return [by_cluster[(cluster,)] for cluster in range(n_topics)]


def _topic_rows(
    members: pl.DataFrame, ids: list[str], labels: list[str], keywords: list[list[str]], centroids: np.ndarray
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for cluster, part in enumerate(_parts(members, len(ids))):
        rows.append(
            {
                "topic_id": ids[cluster],
                "level": 0,
                "parent_id": None,
                "label": labels[cluster],
                "keywords": keywords[cluster],
                "examples": part["text"].head(N_EXAMPLES).to_list(),
                "n_messages": int(part["n_messages"].sum()),
                "n_texts": part.height,
                "centroid": centroids[cluster].tolist(),
                "radius": float(part["similarity"].quantile(0.01, "lower") or 0.0),
            }
        )
    return rows


def _theme_rows(topics: list[dict[str, object]], themes: np.ndarray, centroids: np.ndarray) -> list[dict[str, object]]:
    """Return one row a theme, made from its topics, and name it as parent of these topics."""
    rows: list[dict[str, object]] = []
    for theme in range(int(themes.max()) + 1 if len(themes) else 0):
        parts = [topics[i] for i in np.flatnonzero(themes == theme)]
        parts.sort(key=lambda row: (-int(row["n_messages"]), str(row["topic_id"])))  # type: ignore[call-overload]
        name = theme_id([str(row["topic_id"]) for row in parts])
        weights = np.asarray([row["n_texts"] for row in parts], dtype=np.float64)
        centroid = np.average(centroids[np.flatnonzero(themes == theme)], axis=0)
        for row in parts:
            row["parent_id"] = name
        keywords = [word for words in zip(*(row["keywords"] for row in parts), strict=False) for word in words]
        rows.append(
            {
                "topic_id": name,
                "level": 1,
                "parent_id": None,
                "label": " / ".join(str(row["label"]) for row in parts[:2]) + (" …" if len(parts) != 2 else ""),
                "keywords": list(dict.fromkeys(keywords))[:10],
                "examples": [str(row["examples"][0]) for row in parts][:N_EXAMPLES],  # type: ignore[index]
                "n_messages": sum(int(row["n_messages"]) for row in parts),  # type: ignore[call-overload]
                "n_texts": int(weights.sum()),
                "centroid": (centroid / np.linalg.norm(centroid)).tolist(),
                "radius": 1.0,
            }
        )
    return rows


def _assignments(text_ids: pl.Series, chosen: list[str | None], similarity: np.ndarray | None) -> pl.DataFrame:
    values = [None] * len(text_ids) if similarity is None else similarity.tolist()
    return pl.DataFrame({"text_id": text_ids, "topic_id": chosen, "similarity": values}, schema=ASSIGNMENT_SCHEMA)
