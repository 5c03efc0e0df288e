"""Topics that people define by examples, as their edits say: rows of `topic_edits` with the action `define`.

The latest row of a topic counts, as with every edit, and a null takes the topic away. Its value is the definition, as
JSON. The id begins with `d_`, which no found topic's does, so an id alone tells the two apart.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass

import orjson
import polars as pl

from turret_pipeline.semantics.edits import in_force

DEFINE = "define"
_PREFIX = "d_"

DEFINED = pl.col("topic_id").str.starts_with(_PREFIX)
"""Whether `topic_id` is that of a defined topic; null where there is none."""

LEAST_EXAMPLES, MOST_EXAMPLES, MOST_COUNTER_EXAMPLES = 3, 20, 50

MOST_CHARACTERS = 200_000
"""Of all texts of a definition together. What a text asks is read in proportion to its length: these take a second."""


@dataclass(frozen=True)
class Definition:
    """One defined topic: its name, texts that belong to it, and texts that do not though they may look so."""

    topic_id: str
    label: str
    examples: tuple[str, ...]
    counter_examples: tuple[str, ...] = ()

    @property
    def value(self) -> str:
        """What its edit says."""
        words = {"label": self.label, "examples": self.examples, "counter_examples": self.counter_examples}
        return orjson.dumps(words).decode()

    @property
    def texts(self) -> tuple[str, ...]:
        """All its texts, examples first."""
        return self.examples + self.counter_examples


def new_topic_id() -> str:
    """Return an id for a topic that is about to be defined."""
    return _PREFIX + secrets.token_hex(6)


def is_defined(topic_id: str) -> bool:
    """Return whether the id is that of a topic that was defined, and not found."""
    return topic_id.startswith(_PREFIX)


def definitions(edits: pl.DataFrame) -> list[Definition]:
    """Return the definitions among edits in force (rows of `TOPIC_EDITS`), by topic id."""
    rows = edits.filter(pl.col("action") == DEFINE).sort("topic_id").select("topic_id", "value")
    return [definition(topic_id, value) for topic_id, value in rows.iter_rows()]


def all_definitions(edits: pl.DataFrame) -> list[tuple[str, Definition]]:
    """Return the definitions in force among all edits (rows of `TOPIC_EDITS`) of a project, each with its field."""
    if edits.is_empty():  # as in most projects, each of which is asked for at every look for new work
        return []
    rows = in_force(edits.filter(pl.col("action") == DEFINE)).sort("field", "topic_id")
    return [(field, definition(*row)) for field, *row in rows.select("field", "topic_id", "value").iter_rows()]


def definition(topic_id: str, value: str) -> Definition:
    """Return what an edit's `value` defines."""
    said = orjson.loads(value)
    return Definition(topic_id, said["label"], tuple(said["examples"]), tuple(said["counter_examples"]))


def one_label(label: str, taken: Collection[str]) -> str:
    """Return the label, or with a number behind it if another topic has it: found topics may come to be called so."""
    found, number = label, 1
    while found in taken:
        number += 1
        found = f"{label} ({number})"
    return found
