"""What must be true of every fit, whatever the texts: the last look before its rows are kept."""

from __future__ import annotations

import numpy as np
import polars as pl

UNIT_TOLERANCE = 1e-3


class UnsoundFitError(ValueError):
    """A fit found what no table may hold."""


def refuse_unsound(topics: pl.DataFrame, assignments: pl.DataFrame) -> None:
    """Raise `UnsoundFitError` unless numbers are finite, labels printable and unique, and counts add up.

    topics: as `TOPICS`, themes among them. assignments: as `topics.fit.ASSIGNMENT_SCHEMA`, of the texts that count.
    """
    labels = topics["label"].to_list()
    if not all(label.strip() and label.isprintable() for label in labels):
        raise UnsoundFitError("a topic's name is blank or not printable")
    if topics.select("level", "label").is_duplicated().any():
        raise UnsoundFitError("two topics have the same name")
    numbers = pl.concat([topics.select("x", "y", "radius").unpivot()["value"], _numbers(assignments)])
    if not numbers.drop_nulls().is_finite().all():
        raise UnsoundFitError("a place or a similarity is not a finite number")
    centroids = topics["centroid"].explode(empty_as_null=False, keep_nulls=False).to_numpy()
    if topics.height:
        lengths = np.linalg.norm(centroids.reshape(topics.height, -1), axis=1)
        if not (np.abs(lengths - 1) <= UNIT_TOLERANCE).all():
            raise UnsoundFitError("a topic's centroid is not finite or not of unit length")
    counted = assignments.drop_nulls("topic_id").group_by("topic_id").agg(n=pl.len().cast(pl.Int64))
    leaves = topics.filter(pl.col("level") == 0).select("topic_id", "n_texts")
    met = leaves.join(counted, on="topic_id", how="full", coalesce=True)
    if (met["n_texts"].fill_null(-1) != met["n"].fill_null(0)).any():
        raise UnsoundFitError("a topic does not have as many texts as are assigned to it")


def _numbers(assignments: pl.DataFrame) -> pl.Series:
    return assignments.select(pl.col("similarity", "x", "y").cast(pl.Float64)).unpivot()["value"]
