"""Which raw events an erasure is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

KINDS = {"user": "user_id", "session": "session_id", "event": "event_id", "events": "event_id", "texts": "metadata"}
"""By kind of an erasure the column that tells which events it is about."""


@dataclass(frozen=True)
class Selection:
    """The events of a user, of a session, one event or several, or the events that have a text with `value` in it.

    kind: one of `KINDS`. value: the id; of several events a JSON list of ids; or a piece of text, that stands in any
    value of an event's metadata at any depth, whatever its case. forms: what stands for the id where ids are masked.
    """

    kind: str
    value: str
    forms: tuple[str, ...] = ()

    @property
    def named(self) -> list[str]:
        """What was named: ids, with their other forms, or the piece of text."""
        if self.kind == "events":
            return [str(each) for each in orjson.loads(self.value)]
        return [self.value, *self.forms]

    def of(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return those of `events` (with at least the columns of a raw part) that it is about."""
        found = events.filter(self.may_be)
        if self.kind != "texts":
            return found
        wanted = self.value.lower()
        has = [any(wanted in text.lower() for text in _texts(orjson.loads(each))) for each in found["metadata"]]
        return found.filter(pl.Series(has, dtype=pl.Boolean))

    @property
    def may_be(self) -> pl.Expr:
        """Whether an event may be one; for ids, whether it is."""
        column = pl.col(KINDS[self.kind])
        if self.kind != "texts":
            return column.is_in(pl.Series(self.named, dtype=pl.String).implode())
        # As it stands in JSON. What is found is looked into, for keys and punctuation are there too.
        escaped = orjson.dumps(self.value).decode()[1:-1]
        return column.str.to_lowercase().str.contains(escaped.lower(), literal=True)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value, without keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
