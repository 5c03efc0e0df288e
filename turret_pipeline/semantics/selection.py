"""Which raw events an erasure is about."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import orjson
import polars as pl

KINDS = {"user": "user_id", "session": "session_id", "event": "event_id", "events": "event_id", "texts": "metadata"}
"""By kind of an erasure the column that tells which events it is about."""


@dataclass(frozen=True)
class Selection:
    """The events of a user, of a session, one event or several, or the events that have a text with `value` in it.

    kind: one of `KINDS`. value: the id; of several events a JSON list of ids; or a piece of text, that stands in any
    value of an event's metadata at any depth, as `folded` reads both. forms: what stands for the id where ids are
    masked.
    """

    kind: str
    value: str
    forms: tuple[str, ...] = ()

    @property
    def named(self) -> list[str]:
        """What was named: ids, with their other forms, or the piece of text; no id is empty."""
        if self.kind == "events":
            return [str(each) for each in orjson.loads(self.value)]
        return [each for each in (self.value, *self.forms) if each]

    def of(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return those of `events` (with at least the columns of a raw part) that it is about."""
        return events.filter(self.among(events))

    def among(self, events: pl.DataFrame) -> pl.Series:
        """Tell of each of `events` whether it is about it."""
        if self.kind != "texts":
            column = events[KINDS[self.kind]]
            return column.is_in(pl.Series(self.named, dtype=pl.String).implode()).fill_null(False)
        wanted = folded(self.value)
        # As it stands in JSON, where a letter may follow a backslash: of two marks none must be made there.
        written = folded(orjson.dumps(self.value).decode()[1:-1], "NFD")
        has = [
            each is not None
            and written in folded(each, "NFD")
            and any(wanted in folded(text) for text in _texts(orjson.loads(each)))
            for each in events["metadata"]
        ]
        return pl.Series(has, dtype=pl.Boolean)


def folded(text: str, form: Literal["NFC", "NFD"] = "NFC") -> str:
    """Return a text as it is compared: in any case of letters, and however its accents are written.

    Unicode's canonical caseless matching (Unicode Standard, 3.13, D145): `STRASSE` is `Straße`.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize(form, unicodedata.normalize("NFD", text).casefold())


class Selections:
    """The events that at least one of several selections is about."""

    def __init__(self, selections: Iterable[Selection]) -> None:
        self._all = tuple(selections)

    @property
    def named(self) -> list[str]:
        """What was named by any of them."""
        return [named for each in self._all for named in each.named]

    def ids(self, column: str) -> frozenset[str]:
        """Return the ids in the column by which any of them selects."""
        of_column = (each for each in self._all if each.kind != "texts" and KINDS[each.kind] == column)
        return frozenset(named for each in of_column for named in each.named)

    @cached_property
    def _parts(self) -> list[Selection]:
        """The same events in few looks: ids of one column at once."""
        ids = {kind: self.ids(KINDS[kind]) for kind in ("user", "session", "event")}
        first = [Selection(kind, "", tuple(sorted(named))) for kind, named in ids.items() if named]
        return first + [each for each in self._all if each.kind == "texts"]

    def among(self, events: pl.DataFrame) -> pl.Series:
        """Tell of each of `events` whether one of them is about it."""
        found = pl.repeat(False, events.height, dtype=pl.Boolean, eager=True)
        for each in self._parts:
            found |= each.among(events)
        return found

    def of(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return those of `events` that one of them is about."""
        return events.filter(self.among(events))

    def without(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return those of `events` that none of them is about."""
        return events.filter(~self.among(events))


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value, without keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
