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

from turret_pipeline.analysis.labels import Embed, Namer, clean_keywords
from turret_pipeline.analysis.topics_ids import carry_ids, theme_id, topic_id
from turret_pipeline.analysis.topics_map import find_themes, place_on_map
from turret_pipeline.analysis.topics_refit import centroids_of, keep_topics, radius_of
from turret_pipeline.lake.tables import TOPICS

MIN_TEXTS = 20
"""Distinct texts below which there are no topics: fewer would be invention."""

MAX_FIT_TEXTS = 100_000
"""Distinct texts past which a fit takes a sample and assigns the rest."""

N_EXAMPLES = 8

_LEFT_TO_CALLER = ("project_id", "field", "model_version")
TOPIC_SCHEMA = pl.Schema({name: dtype for name, dtype in TOPICS.schema.items() if name not in _LEFT_TO_CALLER})
_MEMBER = {"text_id": pl.String, "cluster": pl.Int64}
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
    embed: Embed | None = None,
) -> TopicFit:
    """Return the topics of `texts` and the topic of each; topics, ids and labels of the last fit stay where they can.

    texts: text_id, text, vector (unit length), n_messages; one row a distinct text.
    previous_topics, previous_assignments: what the last fit left, or None for the first. Texts that came since are
        best left out of the assignments: a topic is born only from texts that are not in them or have none there.
    embed: the model behind the vectors, as `Embedder.embed`: labels are better with it.
    """
    texts = texts.unique("text_id").sort("text_id")
    usable = texts.filter(pl.col("text").str.strip_chars() != "")
    # text_id is a hash, so the first rows in its order are a random sample, and nearly the same one at the next fit.
    sample = usable.head(MAX_FIT_TEXTS)
    nothing = TopicFit(TOPIC_SCHEMA.to_frame(), _assignments(texts["text_id"], [None] * texts.height, None))
    if sample.height < MIN_TEXTS:
        return nothing

    from turret_pipeline.analysis.topics_bertopic import find_topics
    from turret_pipeline.analysis.topics_clusters import cluster_texts

    vectors = unit_matrix(sample["vector"])
    words = sample["text"].to_list()
    old = _old_clusters(sample, previous_assignments)

    def find(rows: np.ndarray) -> np.ndarray:
        fresh = cluster_texts(words, rows, seed=seed)
        return _without_outliers(fresh.clusters if old is None else keep_topics(fresh, rows, old), rows)

    clusters, keywords = find_topics(words, vectors, find)
    n_topics = len(keywords)
    if n_topics == 0:
        return nothing
    centroids = centroids_of(vectors, clusters, n_topics)
    members = sample.select("text_id", "text", "n_messages").with_columns(
        pl.Series("cluster", clusters), pl.Series("similarity", _own_cosine(vectors, centroids, clusters))
    )
    placed = members.filter(pl.col("cluster") >= 0).select("text_id", "cluster")
    fresh_ids = [topic_id(part["text_id"]) for part in _parts(members, n_topics)]
    ids = carry_ids(placed, fresh_ids, previous_assignments)
    kept = _kept_labels(ids, previous_topics)
    namer = Namer(words, vectors, clusters, centroids, embed)
    labels = namer.topics(kept)
    keywords = [clean_keywords(found) for found in keywords]

    themes = find_themes(centroids, np.bincount(clusters[clusters >= 0], minlength=n_topics))
    rows = _topic_rows(members, ids, labels, keywords, centroids)
    theme_ids = _theme_ids(themes, ids, previous_topics)
    theme_labels = namer.themes(themes, labels, _kept_labels(theme_ids, previous_topics, level=1))
    rows += _theme_rows(rows, themes, centroids, theme_ids, theme_labels)
    places = place_on_map(np.asarray([row["centroid"] for row in rows], dtype=np.float32))
    for row, (x, y) in zip(rows, places, strict=True):
        row |= {"x": float(x), "y": float(y), "fitted_texts": usable.height}
    topics = pl.DataFrame(rows, schema=TOPIC_SCHEMA)

    chosen = [ids[cluster] if cluster >= 0 else None for cluster in clusters]
    assignments = _assignments(sample["text_id"], chosen, members["similarity"].to_numpy())
    left_over = texts.join(sample.select("text_id"), on="text_id", how="anti")
    assignments = pl.concat([assignments, assign_texts(left_over, topics)]).sort("text_id")
    return TopicFit(_count_messages(topics, assignments, texts), assignments)


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


def _old_clusters(sample: pl.DataFrame, previous: pl.DataFrame | None) -> np.ndarray | None:
    """Return the topic that each text had, numbered from 0, -1 for none; None where no text had one."""
    if previous is None or previous.height == 0:
        return None
    known = previous.select("text_id", "topic_id").unique("text_id", keep="last")
    old = sample.select("text_id").join(known, on="text_id", how="left", maintain_order="left")["topic_id"]
    names = old.drop_nulls().unique().sort()
    if len(names) == 0:
        return None
    numbers = pl.DataFrame({"topic_id": names, "number": np.arange(len(names))})
    joined = old.to_frame("topic_id").join(numbers, on="topic_id", how="left", maintain_order="left")
    return joined["number"].fill_null(-1).to_numpy().astype(np.int64)


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


def _kept_labels(ids: list[str], previous: pl.DataFrame | None, level: int = 0) -> dict[int, str]:
    """Return the labels of those topics, or themes (level 1), that the last fit had too."""
    if previous is None or previous.height == 0:
        return {}
    labels = dict(previous.filter(pl.col("level") == level).select("topic_id", "label").iter_rows())
    return {cluster: labels[name] for cluster, name in enumerate(ids) if name in labels}


def _count_messages(topics: pl.DataFrame, assignments: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Return the topics with the counts of all their texts, those outside the sample too."""
    if assignments["topic_id"].drop_nulls().len() == topics.filter(pl.col("level") == 0)["n_texts"].sum():
        return topics
    counted = assignments.join(texts.select("text_id", "n_messages"), on="text_id").drop_nulls("topic_id")
    counted = counted.join(topics.select("topic_id", "parent_id"), on="topic_id")
    totals = pl.concat(
        counted.group_by(pl.col(level).alias("topic_id")).agg(
            pl.col("n_messages").sum().cast(pl.Int64).alias("all_messages"), pl.len().cast(pl.Int64).alias("all_texts")
        )
        for level in ("topic_id", "parent_id")
    ).drop_nulls("topic_id")
    joined = topics.join(totals, on="topic_id", how="left", maintain_order="left")
    return joined.with_columns(
        pl.col("all_messages").fill_null(0).alias("n_messages"), pl.col("all_texts").fill_null(0).alias("n_texts")
    ).select(topics.columns)


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
                "radius": radius_of(part["similarity"].to_numpy()),
            }
        )
    return rows


def _theme_ids(themes: np.ndarray, ids: list[str], previous: pl.DataFrame | None) -> list[str]:
    """Return the id of each theme: that of the old theme with which it shares most topics, else its own."""
    topics = pl.DataFrame({"text_id": ids if len(themes) else [], "cluster": themes}, schema_overrides=_MEMBER)
    fresh = [theme_id(part["text_id"]) for _, part in topics.sort("cluster").group_by("cluster", maintain_order=True)]
    leaves = None if previous is None else previous.filter(pl.col("level") == 0)
    return carry_ids(topics, fresh, None if leaves is None else leaves.select(text_id="topic_id", topic_id="parent_id"))


def _theme_rows(
    topics: list[dict[str, object]], themes: np.ndarray, centroids: np.ndarray, ids: list[str], labels: list[str]
) -> list[dict[str, object]]:
    """Return one row a theme, made from its topics, and name it as parent of these topics."""
    rows: list[dict[str, object]] = []
    for theme in range(int(themes.max()) + 1 if len(themes) else 0):
        parts = [topics[i] for i in np.flatnonzero(themes == theme)]
        parts.sort(key=lambda row: (-int(row["n_messages"]), str(row["topic_id"])))  # type: ignore[call-overload]
        name = ids[theme]
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
                "label": labels[theme],
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
