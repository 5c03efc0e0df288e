"""Rows of `TOPICS` from the clusters of a fit: what is counted, kept and shown of each topic and theme."""

from __future__ import annotations

import numpy as np
import polars as pl

from turret_pipeline.analysis.topics.centroids import radius_of
from turret_pipeline.analysis.topics.ids import carry_ids, theme_id

N_EXAMPLES = 8

_MEMBER = {"text_id": pl.String, "cluster": pl.Int64}


def place_rows(rows: list[dict[str, object]], places: np.ndarray) -> list[dict[str, object]]:
    """Return the rows with x and y: topics, which come first, at their places, and themes amid their topics' texts."""
    topics = [row | {"x": float(x), "y": float(y)} for row, (x, y) in zip(rows[: len(places)], places, strict=True)]
    placed = list(topics)
    for theme in rows[len(places) :]:
        below = [row for row in topics if row["parent_id"] == theme["topic_id"]]
        weights = [float(row["n_texts"]) for row in below]  # type: ignore[arg-type]
        x, y = (float(np.average([float(row[axis]) for row in below], weights=weights)) for axis in ("x", "y"))  # type: ignore[arg-type]
        placed.append(theme | {"x": x, "y": y})
    return placed


def count_messages(topics: pl.DataFrame, assignments: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
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


def split_members(members: pl.DataFrame, n_topics: int) -> list[pl.DataFrame]:
    """Split `members` by cluster, most typical texts first."""
    ordered = members.sort(["cluster", "similarity", "text_id"], descending=[False, True, False])
    by_cluster = ordered.partition_by("cluster", as_dict=True)
    return [by_cluster[(cluster,)] for cluster in range(n_topics)]


def topic_rows(
    members: list[pl.DataFrame],
    ids: list[str],
    labels: list[str],
    summaries: list[str],
    keywords: list[list[str]],
    centroids: np.ndarray,
) -> list[dict[str, object]]:
    """Return one row a topic; members: of each, as `split_members`."""
    rows: list[dict[str, object]] = []
    for cluster, part in enumerate(members):
        rows.append(
            {
                "topic_id": ids[cluster],
                "level": 0,
                "parent_id": None,
                "label": labels[cluster],
                "summary": summaries[cluster],
                "keywords": keywords[cluster],
                "examples": part["text"].head(N_EXAMPLES).to_list(),
                "n_messages": int(part["n_messages"].sum()),
                "n_texts": part.height,
                "centroid": centroids[cluster].tolist(),
                "radius": radius_of(part["similarity"].to_numpy()),
            }
        )
    return rows


def theme_ids_of(themes: np.ndarray, ids: list[str], previous: pl.DataFrame | None) -> list[str]:
    """Return the id of each theme: that of the old theme with which it shares most topics, else its own."""
    topics = pl.DataFrame({"text_id": ids if len(themes) else [], "cluster": themes}, schema_overrides=_MEMBER)
    fresh = [theme_id(part["text_id"]) for _, part in topics.sort("cluster").group_by("cluster", maintain_order=True)]
    leaves = None if previous is None else previous.filter(pl.col("level") == 0)
    return carry_ids(topics, fresh, None if leaves is None else leaves.select(text_id="topic_id", topic_id="parent_id"))


def theme_rows(
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
                "summary": None,
                "keywords": list(dict.fromkeys(keywords))[:10],
                "examples": [str(row["examples"][0]) for row in parts][:N_EXAMPLES],  # type: ignore[index]
                "n_messages": sum(int(row["n_messages"]) for row in parts),  # type: ignore[call-overload]
                "n_texts": int(weights.sum()),
                "centroid": (centroid / np.linalg.norm(centroid)).tolist(),
                "radius": 1.0,
            }
        )
    return rows
