"""Which texts a defined topic takes: the rule that follows from its examples and from the found topics around them.

Everything is measured in the space that makes the found topics alike spread in all directions (linear discriminant
analysis, Fisher 1936): in what differs between all topics anyway two texts are less alike than in what is rare. The
covariance is that of the found topics' centroids, each as good as another, with a ridge of `RIDGE` mean variances. So a
rule follows from the rows of `TOPICS` and the examples alone, whatever other definitions there are, and stays as it is
from one fit to the next.

A text is taken where all of this is true:

- It is close enough to the mean of the examples: `REACH` of what an example is to the mean of the others. Few examples
  tell that closeness badly; it is drawn to what texts of the found topics have (`typical_closeness`), as if
  `PRIOR_EXAMPLES` more examples had it. No cosine of any model is part of this.
- No found topic is nearer, of those that have none of the examples.
- No counter-example is nearer than the nearest example.

Vectors are of 8 bits (`semantics.vectors`) on both sides, so that what is tried in the API is what a build does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from turret_pipeline.semantics.definitions import DEFINED, Definition
from turret_pipeline.semantics.values import text_id

REACH = 0.7
"""Of the closeness of an example to the others. On the labelled sets 0.65 to 0.8 are best, whatever the model."""

RIDGE = 10.0
"""Of the mean variance; 3 and 30 are 0.01 to 0.04 worse, none is as bad as plain cosine."""

PRIOR_EXAMPLES = 3

SAMPLED_TOPICS, SAMPLED_TEXTS = 100, 20
"""Found topics, and texts of each, that say how close texts of one topic are."""

_LEAST = 1e-9


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Return rows (any number type, (n, n_dims)) as float32 of unit length; zero rows stay zero."""
    rows = vectors.astype(np.float32)
    found: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _LEAST)
    return found


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The found topics of a field.

    centroids: float32 (n_topics, n_dims), unit rows; there may be none. radius: least cosine of a text of each topic.
    """

    centroids: np.ndarray
    radius: np.ndarray

    @cached_property
    def middle(self) -> np.ndarray:
        """Mean of the centroids: float64 (n_dims,)."""
        if not len(self.centroids):
            return np.zeros(self.centroids.shape[1])
        found: np.ndarray = self.centroids.mean(axis=0, dtype=np.float64)
        return found

    @cached_property
    def metric(self) -> np.ndarray:
        """The inverse covariance, up to a factor: float64 (n_dims, n_dims)."""
        n_dims = self.centroids.shape[1]
        if len(self.centroids) < 2:
            return np.eye(n_dims)
        apart = self.centroids - self.middle
        covariance = apart.T @ apart / len(apart)
        variance = max(float(np.trace(covariance)) / n_dims, _LEAST)
        found: np.ndarray = np.linalg.inv(covariance / variance + RIDGE * np.eye(n_dims))
        return found

    def holding(self, vectors: np.ndarray) -> np.ndarray:
        """Return the numbers of the topics that some of these texts (unit rows) would be assigned to."""
        if not len(self.centroids) or not len(vectors):
            return np.zeros(0, dtype=np.int64)
        cosine = vectors @ self.centroids.T
        nearest = cosine.argmax(axis=1)
        found: np.ndarray = np.unique(nearest[cosine.max(axis=1) >= self.radius[nearest]])
        return found

    def own_closeness(self, examples: np.ndarray) -> np.ndarray:
        """Return how close each example (unit rows, two or more) is to the mean of the others: float64 (n,)."""
        apart = examples - self.middle
        products = apart @ self.metric @ apart.T
        found = np.zeros(len(examples))
        for i in range(len(examples)):
            others = np.delete(np.arange(len(examples)), i)
            length = np.sqrt(max(float(products[np.ix_(others, others)].mean()), _LEAST))
            found[i] = products[i, others].mean() / length
        return found

    def typical_closeness(self, members: Sequence[np.ndarray], n_examples: int) -> float | None:
        """Return what `own_closeness` is for so many texts of one found topic on average; None where it is unknown.

        members: texts (unit rows) of each of some topics.
        """
        enough = [each[:n_examples] for each in members if len(each) >= min(n_examples, 10)]
        return float(np.mean([self.own_closeness(each).mean() for each in enough])) if enough else None


@dataclass(frozen=True, eq=False)
class Rule:
    """Which texts one defined topic takes.

    examples, counter_examples: unit rows. reach: least closeness of a text that is taken.
    """

    around: Surroundings
    examples: np.ndarray
    counter_examples: np.ndarray
    reach: float

    @classmethod
    def of(
        cls, around: Surroundings, examples: np.ndarray, counter_examples: np.ndarray, members: Sequence[np.ndarray]
    ) -> Rule:
        """Return the rule for these examples (unit rows); members: as in `Surroundings.typical_closeness`."""
        n = len(examples)
        typical = around.typical_closeness(members, max(n, 2))
        told = [(float(around.own_closeness(examples).mean()), n)] if n > 1 else []
        told += [] if typical is None else [(typical, PRIOR_EXAMPLES)]
        closeness = sum(each * weight for each, weight in told) / sum(weight for _, weight in told) if told else 1.0
        return cls(around, examples, counter_examples, REACH * max(closeness, _LEAST))

    def without(self, place: int) -> Rule:
        """Return the rule without one of the texts that it follows from, counted from the first example on."""
        n = len(self.examples)
        if place < n:
            return Rule(self.around, np.delete(self.examples, place, axis=0), self.counter_examples, self.reach)
        return Rule(self.around, self.examples, np.delete(self.counter_examples, place - n, axis=0), self.reach)

    @cached_property
    def centroid(self) -> np.ndarray:
        """Mean direction of the examples: float32 (n_dims,), of unit length."""
        found: np.ndarray = unit_rows(self.examples.mean(axis=0, keepdims=True))[0]
        return found

    def margins(self, vectors: np.ndarray) -> np.ndarray:
        """Return by how much each text (unit rows) belongs: float64 (n,), taken from 1 on.

        1 is the border, 1 / `REACH` where an example is on average.
        """
        apart = vectors - self.around.middle.astype(np.float32)
        found: np.ndarray = np.full(len(vectors), np.inf)
        for directions, offset, is_rival in self._conditions:
            told = apart @ directions.T.astype(np.float32) - offset
            found = np.minimum(found, 1 + told.min(axis=1) / self.reach if is_rival else told[:, 0] / self.reach)
        if len(self.counter_examples):
            nearest = [(apart @ rows.T.astype(np.float32)).max(axis=1) for rows in self._texts]
            found = np.minimum(found, 1 + (nearest[0] - nearest[1]) / self.reach)
        return found

    @cached_property
    def _conditions(self) -> list[tuple[np.ndarray, np.ndarray | float, bool]]:
        """Return directions (n, n_dims) and offsets of what must be large enough: closeness, then lead over rivals."""
        around = self.around
        apart = self.examples - around.middle
        mean = apart.mean(axis=0)
        direction = around.metric @ mean
        products = apart @ around.metric @ apart.T
        length = np.sqrt(max(float(products.mean()), _LEAST))
        found: list[tuple[np.ndarray, np.ndarray | float, bool]] = [(direction[None] / length, 0.0, False)]
        rivals = np.delete(around.centroids, around.holding(self.examples), axis=0) - around.middle
        if len(rivals) and len(apart) > 1:
            # Without an example's product with itself, by which the mean of few is longer than that of all would be.
            n = len(apart)
            square = (products.sum() - np.trace(products)) / (n * (n - 1))
            others = rivals @ around.metric
            offsets = (square - np.einsum("ij,ij->i", others, rivals)) / 2
            found.append(((direction - others) / length, offsets / length, True))
        return found

    @cached_property
    def _texts(self) -> tuple[np.ndarray, np.ndarray]:
        """Directions of all examples and of all counter-examples."""
        metric, middle = self.around.metric, self.around.middle

        def directions(rows: np.ndarray) -> np.ndarray:
            apart = rows - middle
            turned = apart @ metric
            lengths = np.sqrt(np.maximum(np.einsum("ij,ij->i", turned, apart), _LEAST))
            found: np.ndarray = turned / lengths[:, None]
            return found

        return directions(self.examples), directions(self.counter_examples)


def surroundings(topics: pl.DataFrame) -> Surroundings:
    """Return the found topics among rows of `TOPICS` of one field."""
    leaves = topics.filter(pl.col("level") == 0, ~DEFINED).sort("topic_id")
    flat = leaves["centroid"].explode(empty_as_null=False, keep_nulls=False).to_numpy().astype(np.float32)
    centroids = flat.reshape(leaves.height, -1) if leaves.height else np.zeros((0, 0), dtype=np.float32)
    return Surroundings(centroids, leaves["radius"].to_numpy())


def sample_members(assigned: pl.DataFrame) -> pl.DataFrame:
    """Return `text_id`, `topic_id` of some texts of some topics, in order: the same ones while `assigned` is the same.

    assigned: text_id, topic_id of found topics. An id is a hash, so the first are a random sample.
    """
    there = assigned.drop_nulls("topic_id").select("text_id", "topic_id").sort("topic_id", "text_id")
    largest = (
        there["topic_id"].value_counts().sort(["count", "topic_id"], descending=[True, False]).head(SAMPLED_TOPICS)
    )
    return (
        there.join(largest, on="topic_id", how="semi", maintain_order="left")
        .group_by("topic_id", maintain_order=True)
        .head(SAMPLED_TEXTS)
        .select("text_id", "topic_id")
    )


def take(rules: Sequence[tuple[Definition, Rule]], text_ids: pl.Series, vectors: np.ndarray) -> np.ndarray:
    """Return which of the definitions takes each text, -1 for none: int64 (n_texts,).

    vectors: of the texts, unit rows. Of several the one that it belongs to most; its own examples a definition always
    has, its counter-examples never.
    """
    margins = np.stack([own_margins(each, rule, text_ids, vectors) for each, rule in rules])
    best = margins.argmax(axis=0)
    found: np.ndarray = np.where(margins.max(axis=0) >= 1, best, -1)
    return found


def own_margins(each: Definition, rule: Rule, text_ids: pl.Series, vectors: np.ndarray) -> np.ndarray:
    """Return the margins (`Rule.margins`) with what was said of the texts themselves."""
    margins = rule.margins(vectors)
    margins[text_ids.is_in([text_id(text) for text in each.counter_examples]).to_numpy()] = 0.0
    given = text_ids.is_in([text_id(text) for text in each.examples]).to_numpy()
    margins[given] = np.maximum(margins[given], 1 / REACH)
    return margins
