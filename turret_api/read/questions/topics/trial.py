"""A topic that is about to be defined: what it would take, tried without anything being saved.

The rule is the one that a build makes (`semantics.defined_topics`), over the vectors that search has in memory.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, cast

import numpy as np
import polars as pl
from typing_extensions import TypedDict

from turret_api.errors import invalid
from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import FieldAnswer, Meaning
from turret_api.read.questions.nearness import nearness
from turret_api.read.questions.of_field import TOPICS_BUILT, OfField
from turret_api.read.questions.text_vectors import ModelVectors, model_vectors
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.topics import NODES, edits_of, labels_of
from turret_pipeline.lake.tables import EMBEDDINGS, MESSAGES, TOPIC_ASSIGNMENTS, TOPICS
from turret_pipeline.semantics.defined_precision import stated_precision
from turret_pipeline.semantics.defined_topics import (
    Rule,
    Surroundings,
    own_margins,
    sample_members,
    surroundings,
    unit_rows,
)
from turret_pipeline.semantics.definitions import DEFINED, LEAST_EXAMPLES, Definition
from turret_pipeline.semantics.gone import IS_GONE
from turret_pipeline.semantics.values import text_id
from turret_pipeline.semantics.vectors import quantize
from turret_pipeline.semantics.visits import UNASSIGNED

SHOWN = 10
"""Texts that are shown from the middle, and from each side of the border."""

FOUND_EXAMPLES = 5
"""Texts nearest to a search phrase that become examples."""

_BLOCK = 50_000
_TRIED = "d_tried"


class TriedText(TypedDict):
    """A text near the topic that is tried."""

    text: str
    n_messages: int
    closeness: Annotated[float, Meaning("1 is the border: it is taken from there on")]
    taken: bool
    topic_id: Annotated[str | None, Meaning("the topic that it has now")]
    topic_label: str | None


class Source(TypedDict):
    """A topic that texts would be taken from."""

    topic_id: Annotated[str, Meaning("the topic, or `unassigned`")]
    label: str
    n_texts: int
    n_messages: int


class StatedPrecision(TypedDict):
    """How much of what is taken belongs to the topic, as far as its examples and what lies around tell."""

    estimate: Annotated[float | None, Meaning("share of the taken texts that belong; null: none is taken")]
    low: Annotated[float | None, Meaning("lower bound: 17 of 20 definitions of labelled sets lie within both")]
    high: Annotated[float | None, Meaning("upper bound")]
    steady: Annotated[float | None, Meaning("share of them still taken when any one example is held out")]
    at_home: Annotated[float | None, Meaning("share of them whose found topic an example has too")]
    held_out_taken: Annotated[int, Meaning("examples that the topic made from the others takes")]
    held_out_refused: Annotated[int, Meaning("counter-examples that it refuses without having been told")]


@dataclass(frozen=True)
class Trial(FieldAnswer):
    """What a topic defined like this would take."""

    examples: list[str] = dataclasses.field(default_factory=list)
    counter_examples: list[str] = dataclasses.field(default_factory=list)
    n_texts: Annotated[int, Meaning("distinct texts that it would take")] = 0
    n_messages: Annotated[int, Meaning("messages with these texts")] = 0
    precision: StatedPrecision | None = None
    nearest: Annotated[list[TriedText], Meaning("taken texts, those first that belong most")] = dataclasses.field(
        default_factory=list
    )
    border: Annotated[list[TriedText], Meaning("texts on both sides of the border, closest first")] = dataclasses.field(
        default_factory=list
    )
    sources: Annotated[list[Source], Meaning("the topics that the texts have now, most messages first")] = (
        dataclasses.field(default_factory=list)
    )


@dataclass(frozen=True)
class TrialOfDefinition(OfField):
    """What would a topic take that is defined by these texts, or by the texts nearest to `search`?

    topic_id: the defined topic that is about to be changed, None for a new one.
    """

    examples: tuple[str, ...] = ()
    counter_examples: tuple[str, ...] = ()
    search: str | None = None
    topic_id: str | None = None

    tables = (*SOURCES, EMBEDDINGS)
    built = TOPICS_BUILT
    answers = Trial

    def of_field(self, snapshot: Snapshot, field: str) -> Trial:
        """Return the trial; raise an `ApiError` where there are too few examples."""
        texts, vectors = _texts(snapshot, field), model_vectors(snapshot)
        examples = self.examples
        if self.search is not None and vectors is not None:
            found = _found(texts, vectors, self.search, self.counter_examples)
            examples = tuple(dict.fromkeys((*examples, *found)))
        if vectors is None:
            raise invalid("No message of the field is embedded yet; try again after the next build.", field="field")
        if len(examples) < LEAST_EXAMPLES:
            words = f"At least {LEAST_EXAMPLES} different examples are needed; there are {len(examples)}."
            raise invalid(words, field="examples")
        tried = Definition(self.topic_id or _TRIED, "", examples, self.counter_examples)
        near = _margins(snapshot, field, texts, vectors, tried)
        return _told(snapshot, field, near, tried)


@dataclass(frozen=True)
class _Near:
    """All texts with their margins, most belonging first, and what is stated of those that are taken.

    texts: text_id, text, n_messages, topic_id, margin, taken.
    """

    texts: pl.DataFrame
    precision: StatedPrecision


def _texts(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return `text_id`, `text`, `n_messages` of the field's distinct texts that are not gone."""

    def compute() -> pl.DataFrame:
        messages = snapshot.scan(MESSAGES).filter(pl.col("field") == field, ~IS_GONE).group_by("text_id")
        return messages.agg(pl.col("text").first(), n_messages=pl.len().cast(pl.Int64)).sort("text_id").collect()

    return snapshot.remember(("distinct_texts", field), (MESSAGES,), compute)


def _found(texts: pl.DataFrame, vectors: ModelVectors, search: str, refused: tuple[str, ...]) -> list[str]:
    """Return the texts nearest to the phrase."""
    found = nearness(vectors, vectors.encode(search))
    nearest, _ = found.nearest(found.first_texts, None, texts["text_id"])
    scores = nearest.join(texts, on="text_id")
    scores = scores.filter(~pl.col("text").is_in(list(refused)))
    return scores.sort(["score", "text_id"], descending=[True, False]).head(FOUND_EXAMPLES)["text"].to_list()


def _margins(snapshot: Snapshot, field: str, texts: pl.DataFrame, vectors: ModelVectors, tried: Definition) -> _Near:
    topics = snapshot.scan(TOPICS).filter(pl.col("field") == field).collect()
    assigned = snapshot.scan(TOPIC_ASSIGNMENTS).filter(pl.col("field") == field).collect()
    is_taken = DEFINED.fill_null(False)
    found = assigned.select("text_id", topic_id=pl.when(is_taken).then("found_topic_id").otherwise("topic_id"))
    around = surroundings(topics)
    if around.centroids.shape[1] != vectors.n_dims:  # none, or another model's: a build is about to replace them
        around = Surroundings(np.zeros((0, vectors.n_dims), np.float32), np.zeros(0))
        found = found.clear()
    others = [each for name, each in sorted(edits_of(snapshot, field).defined.items()) if name != tried.topic_id]
    members = sample_members(found.join(texts, on="text_id", how="semi"))
    wanted = {text for each in (tried, *others) for text in each.texts}
    known = _known(vectors, [*members["text_id"], *map(text_id, wanted)])
    rows = {text: known[text_id(text)] if text_id(text) in known else _embedded(vectors, text) for text in wanted}
    sampled = [
        np.stack([known[name] for name in part["text_id"] if name in known])
        for part in members.partition_by("topic_id", maintain_order=True)
    ]

    def rule_of(each: Definition) -> Rule:
        given = [
            np.stack([rows[text] for text in said]) if said else np.zeros((0, vectors.n_dims), np.float32)
            for said in (each.examples, each.counter_examples)
        ]
        return Rule.of(around, given[0], given[1], sampled)

    rules = [(each, rule_of(each)) for each in (tried, *others)]
    frames = [pl.DataFrame(schema={"text_id": pl.String, "margin": pl.Float64, "taken": pl.Boolean})]
    kept: list[np.ndarray] = [np.zeros((0, vectors.n_dims), np.float32)]
    for ids, block in vectors.blocks(texts["text_id"], _BLOCK):
        margins = np.stack([own_margins(each, rule, ids, block) for each, rule in rules])
        taken = (margins[0] >= 1) & (margins[0] >= margins.max(axis=0))
        frames.append(pl.DataFrame({"text_id": ids, "margin": margins[0], "taken": taken}))
        kept.append(block[taken])
    near = pl.concat(frames)
    leaves = topics.filter(pl.col("level") == 0, ~DEFINED).sort("topic_id")["topic_id"]
    homes = leaves.gather(around.holding(rules[0][1].examples)) if len(around.centroids) else None
    of_taken = near.filter("taken").join(found, on="text_id", how="left", maintain_order="left")["topic_id"]
    at_home = None if homes is None else of_taken.is_in(homes.implode()).fill_null(False).to_numpy()
    precision = stated_precision(rules[0][1], np.concatenate(kept), at_home)
    told = near.join(texts, on="text_id").join(assigned.select("text_id", "topic_id"), on="text_id", how="left")
    told = told.sort(["margin", "text_id"], descending=[True, False])
    return _Near(told, cast(StatedPrecision, _rounded(dataclasses.asdict(precision))))


def _told(snapshot: Snapshot, field: str, near: _Near, tried: Definition) -> Trial:
    edits, labels = edits_of(snapshot, field), labels_of(snapshot, field)
    shown = near.texts.with_columns(pl.col("topic_id").replace(edits.merged)).with_columns(
        topic_label=pl.col("topic_id").replace_strict(labels, default=None, return_dtype=pl.String),
        closeness=pl.col("margin").round(3),
    )
    taken = shown.filter("taken")
    new = ~pl.col("text").is_in([*tried.examples, *tried.counter_examples])
    inside, outside = taken.filter(new), shown.filter(~pl.col("taken"), new)
    border = pl.concat([inside.tail(SHOWN), outside.head(SHOWN)]).unique("text_id", maintain_order=True)
    border = border.sort((pl.col("margin") - 1).abs(), "text_id")
    name = pl.col("topic_id").fill_null(UNASSIGNED)
    sources = taken.group_by(topic_id=name).agg(n_texts=pl.len().cast(pl.Int64), n_messages=pl.col("n_messages").sum())
    sources = sources.with_columns(label=pl.col("topic_id").replace_strict({**NODES, **labels}, default=""))
    sources = sources.sort(["n_messages", "topic_id"], descending=[True, False])
    return Trial(
        examples=list(tried.examples),
        counter_examples=list(tried.counter_examples),
        n_texts=taken.height,
        n_messages=int(taken["n_messages"].sum()),
        precision=near.precision,
        nearest=cast(list[TriedText], inside.head(SHOWN).select(*TriedText.__annotations__).to_dicts()),
        border=cast(list[TriedText], border.select(*TriedText.__annotations__).to_dicts()),
        sources=cast(list[Source], sources.select(*Source.__annotations__).to_dicts()),
    )


def _known(vectors: ModelVectors, text_ids: list[str]) -> dict[str, np.ndarray]:
    wanted = pl.Series(text_ids, dtype=pl.String).unique()
    return {name: row for ids, block in vectors.blocks(wanted, _BLOCK) for name, row in zip(ids, block, strict=True)}


def _embedded(vectors: ModelVectors, text: str) -> np.ndarray:
    row: np.ndarray = unit_rows(quantize(vectors.encode(text)[np.newaxis]))[0]
    return row


def _rounded(numbers: dict[str, float | int | None]) -> dict[str, float | int | None]:
    return {name: round(each, 3) if isinstance(each, float) else each for name, each in numbers.items()}
