"""The metadata of an event without what people wrote in it: marks (`semantics.gone`) stand for what was there."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import polars as pl

from turret_pipeline.semantics.chat import as_read
from turret_pipeline.semantics.gone import NO_VALUE, is_gone, mark_of
from turret_pipeline.semantics.values import text_id


@dataclass(frozen=True)
class Goes:
    """Which values go.

    fields: those of these fields; None: of all but those in `kept`, of which only lists and objects go. text: the
    fields that are text, whose values are messages. kept: those that are choices or numbers, which are counted.
    """

    fields: frozenset[str] | None
    text: frozenset[str]
    kept: frozenset[str]

    def takes(self, field: str) -> bool:
        """Return whether the messages of a field go."""
        return field not in self.kept and (self.fields is None or field in self.fields)


def strip(metadata: pl.Series, key: bytes, goes: Goes) -> pl.Series:
    """Return the metadata of events, JSON objects, without the values that go. key: of the marks."""
    return pl.Series(metadata.name, [_stripped(each, key, goes) for each in metadata.to_list()], dtype=pl.String)


def _stripped(metadata: str, key: bytes, goes: Goes) -> str:
    found = orjson.loads(metadata)
    marks = {}
    for name, value in found.items():
        if goes.takes(name) or (goes.fields is None and isinstance(value, list | dict)):
            mark = _mark_of_value(value, key, name in goes.text)
            if mark != value:
                marks[name] = mark
    return orjson.dumps(found | marks).decode() if marks else metadata


def _mark_of_value(sent: object, key: bytes, is_text: bool) -> object:
    """Return what takes the place of a value; one that says nothing, or is a mark already, stays."""
    if sent is None or is_gone(sent):
        return sent
    value = as_read(sent)
    if isinstance(value, str):
        if not value.strip():
            return sent
        return mark_of(key, text_id(value)) if is_text else NO_VALUE
    return sent if value is None else NO_VALUE
