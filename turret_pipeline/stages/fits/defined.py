"""The topics that people defined in one field: they take what belongs to them, before any found topic does.

A text that is taken keeps its place on the map and the found topic that it had (`found_topic_id`), so that it goes back
to that when the definition is taken away. What a definition takes follows from its examples and the found topics
(`semantics.defined_topics`); another definition costs one look at each text's vector, and no fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
import polars as pl

from turret_pipeline.analysis.labels.names import clean_keywords
from turret_pipeline.analysis.labels.printable import printable
from turret_pipeline.analysis.topics.fit import unit_matrix
from turret_pipeline.analysis.topics.neighbours import READ_CHARACTERS
from turret_pipeline.analysis.topics.rows import N_EXAMPLES
from turret_pipeline.analysis.topics.words import words_of
from turret_pipeline.semantics.defined_topics import Rule, Surroundings, sample_members, surroundings, take, unit_rows
from turret_pipeline.semantics.definitions import DEFINED, Definition, one_label
from turret_pipeline.semantics.values import text_id
from turret_pipeline.semantics.vectors import quantize
from turret_pipeline.stages.containment import contained
from turret_pipeline.stages.fits.field import ASSIGNED, Field

_TAKEN = ("text_id", "topic_id", "similarity")

WORDS_OF = 2_000
"""Texts whose words are counted for key words, of those that are taken and of the others."""


def found_only(field: Field, rows: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
    """Return the rows (`ASSIGNED`) with the found topics in place of the defined ones, as if nobody had defined any.

    topics: the field's found topics.
    """
    is_taken = DEFINED.fill_null(False)
    if not rows.select(is_taken.any()).item():
        return rows
    leaves = topics.filter(pl.col("level") == 0).sort("topic_id")
    nearest = field.made_of(
        rows.filter(is_taken) if leaves.height else rows.clear(), partial(_found_similarity, leaves)
    )
    frames = [pl.DataFrame(schema={"text_id": pl.String, "similarity_found": pl.Float64}), *nearest]
    found = rows.join(pl.concat(frames), on="text_id", how="left", maintain_order="left")
    names = pl.when(is_taken).then("found_topic_id").otherwise("topic_id")
    similarity = pl.when(is_taken).then("similarity_found").otherwise("similarity")
    nothing = pl.lit(None, dtype=pl.String)
    return found.with_columns(topic_id=names, similarity=similarity, found_topic_id=nothing).select(rows.columns)


def _found_similarity(leaves: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Return `text_id` and `similarity_found`: to the found topic that a text had, or else to the nearest."""
    centroids, vectors = unit_matrix(leaves["centroid"]), unit_matrix(texts["vector"])
    own = texts.join(
        leaves.select("topic_id", at=pl.int_range(pl.len())),
        left_on="found_topic_id",
        right_on="topic_id",
        how="left",
        maintain_order="left",
    )["at"]
    nearest = np.where(own.is_null(), (vectors @ centroids.T).argmax(axis=1), own.fill_null(0))
    similarity = np.einsum("ij,ij->i", vectors, centroids[nearest]).astype(np.float64)
    return pl.DataFrame({"text_id": texts["text_id"], "similarity_found": similarity})


def rules_of(field: Field, topics: pl.DataFrame, assigned: pl.DataFrame | None = None) -> dict[str, Rule]:
    """Return the rules of the field's definitions by topic; those none of whose examples has a vector are left out.

    topics: the field's rows of `TOPICS`. assigned: text_id, topic_id of the found topics; None: the rules are those
    that the rows of the defined topics were made with.
    """
    wanted, around = field.definitions, surroundings(topics)
    if not wanted:
        return {}
    vectors = _vectors(field, [text for each in wanted for text in each.texts])
    if not vectors:
        return {}
    reach = dict(topics.filter(DEFINED).select("topic_id", "radius").iter_rows())
    members = [] if assigned is None else _members(field, assigned)
    n_dims = len(next(iter(vectors.values())))
    if not len(around.centroids):
        around = Surroundings(np.zeros((0, n_dims), np.float32), around.radius)
    found = {}
    for each in wanted:
        examples, others = (_rows(texts, vectors, n_dims) for texts in (each.examples, each.counter_examples))
        if not len(examples) or (assigned is None and each.topic_id not in reach):
            continue
        if assigned is None:
            found[each.topic_id] = Rule(around, examples, others, reach[each.topic_id])
        else:
            found[each.topic_id] = Rule.of(around, examples, others, members)
    return found


def with_defined(field: Field, rows: pl.DataFrame, rules: dict[str, Rule]) -> pl.DataFrame:
    """Return the rows (`ASSIGNED`, of found topics) with the defined topics in place of those whose texts they take."""
    if not rules:
        return rows
    by_id = {each.topic_id: each for each in field.definitions}
    taken = field.made_of(rows, partial(_taken, [(by_id[name], rule) for name, rule in rules.items()]))
    frames = [ASSIGNED.to_frame(eager=True).select(_TAKEN), *taken]
    laid = rows.join(pl.concat(frames), on="text_id", how="left", suffix="_own", maintain_order="left")
    is_taken = pl.col("topic_id_own").is_not_null()
    return laid.with_columns(
        found_topic_id=pl.when(is_taken).then("topic_id"),
        topic_id=pl.coalesce("topic_id_own", "topic_id"),
        similarity=pl.coalesce("similarity_own", "similarity"),
    ).select(ASSIGNED.names())


def _taken(rules: list[tuple[Definition, Rule]], texts: pl.DataFrame) -> pl.DataFrame:
    """Return `text_id`, `topic_id` and `similarity` of those of the texts that a definition takes."""
    vectors = unit_matrix(texts["vector"])
    with contained():
        numbers = take(rules, texts["text_id"], unit_rows(quantize(vectors)))
    taken = np.flatnonzero(numbers >= 0)
    centroids = np.stack([rule.centroid for _, rule in rules])[numbers[taken]]
    found = {
        "text_id": texts["text_id"][taken],
        "topic_id": [rules[number][0].topic_id for number in numbers[taken]],
        "similarity": np.einsum("ij,ij->i", vectors[taken], centroids).astype(np.float64),
    }
    return pl.DataFrame(found, schema={name: ASSIGNED[name] for name in _TAKEN})


def defined_rows(
    field: Field, rows: pl.DataFrame, rules: dict[str, Rule], topics: pl.DataFrame, fitted_texts: int = 0
) -> pl.DataFrame:
    """Return the rows of `TOPICS` of the defined topics, with nothing counted.

    rows: `ASSIGNED`, of all texts. topics: those found.
    """
    definitions = {each.topic_id: each for each in field.definitions}
    themes = topics.filter(pl.col("level") == 0).sort("topic_id").select("parent_id", "x", "y")
    labels, found = set(topics["label"]), []
    for name, rule in rules.items():
        label = one_label(printable(definitions[name].label) or name, labels)
        labels.add(label)
        mine = rows.filter(pl.col("topic_id") == name).sort(["similarity", "text_id"], descending=[True, False])
        around = rule.around.centroids
        nearest = themes.row(int((around @ rule.centroid).argmax())) if len(around) else (None, 0.0, 0.0)
        placed = mine.drop_nulls("x").select(pl.col("x", "y").cast(pl.Float64).mean())
        x, y = placed.row(0) if mine["x"].count() else nearest[1:]
        examples = field.with_vectors(mine.select("text_id").head(N_EXAMPLES))["text"].to_list()
        found.append(
            {
                **dict.fromkeys(topics.columns),
                "topic_id": name,
                "level": 0,
                "parent_id": nearest[0],
                "label": label,
                "keywords": _keywords(field, mine, rows.filter(pl.col("topic_id").ne_missing(name)), definitions[name]),
                "examples": examples or list(definitions[name].examples[:N_EXAMPLES]),
                "n_messages": 0,
                "n_texts": 0,
                "x": x,
                "y": y,
                "centroid": rule.centroid.tolist(),
                "radius": rule.reach,
                "fitted_texts": fitted_texts,
            }
        )
    return pl.DataFrame(found, schema=topics.schema)


def _keywords(field: Field, mine: pl.DataFrame, others: pl.DataFrame, definition: Definition) -> list[str]:
    """Return the words that more of the topic's texts have than of the others, strongest first."""
    texts = field.with_vectors(mine.select("text_id").head(WORDS_OF))["text"].to_list() or list(definition.examples)
    beside = field.with_vectors(others.select("text_id").head(WORDS_OF))["text"].to_list()
    here, there = _word_shares(texts), _word_shares(beside)
    strength = {word: share * float(np.log1p(share / (there.get(word, 0.0) + 0.01))) for word, share in here.items()}
    return clean_keywords(sorted(strength, key=lambda word: (-strength[word], word)))


def _word_shares(texts: Sequence[str]) -> dict[str, float]:
    """Return of each word the share of the texts that have it."""
    said = Counter(word for text in texts for word in set(words_of(text[:READ_CHARACTERS])))
    return {word: n / len(texts) for word, n in said.items()}


def _members(field: Field, assigned: pl.DataFrame) -> list[np.ndarray]:
    """Return vectors of some texts of some found topics, as 8 bits tell them."""
    there = field.with_vectors(sample_members(assigned))
    return [_snapped(part["vector"]) for part in there.partition_by("topic_id", maintain_order=True)]


def _vectors(field: Field, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the vectors of those of the texts that have one, as 8 bits tell them."""
    by_id = {text_id(text): text for text in texts}
    there = field.with_vectors(pl.DataFrame({"text_id": sorted(by_id)}))
    return {by_id[name]: row for name, row in zip(there["text_id"], _snapped(there["vector"]), strict=True)}


def _rows(texts: Sequence[str], vectors: dict[str, np.ndarray], n_dims: int) -> np.ndarray:
    there = [vectors[text] for text in texts if text in vectors]
    return np.stack(there) if there else np.zeros((0, n_dims), dtype=np.float32)


def _snapped(vectors: pl.Series) -> np.ndarray:
    return unit_rows(quantize(unit_matrix(vectors)))
