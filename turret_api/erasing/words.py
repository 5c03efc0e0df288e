"""What an erasure looks for in logs and metadata, where nobody can say beforehand which of them has a text of an event.

Ids are looked for whole. Of texts pieces are: a log may quote the beginning of a text, or its middle, so every run of
`2 * PIECE - 1` characters is found by one of them. What is shorter than a word names nobody, and would be found in
everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import polars as pl

from turret_api.erasing.erased import Erased

ERASED = "(erased)"
"""What stands where something was erased."""
LEAST_ID, LEAST_TEXT = 4, 8
"""Characters of an id, and of a text, from which on it is looked for."""
PIECE, MOST_PIECES = 48, 20
"""Characters of a piece; pieces of one text: what logs quote is not longer."""
_AT_ONCE = 50_000
"""Words that are looked for at a time: what finds them takes some hundred bytes for each character."""


class Words:
    """What is looked for, as it is and as JSON spells it.

    values: ids and texts, or pieces of them.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._plain = sorted(set(values))
        self._spelled = sorted({each for value in self._plain for each in _spellings(value)})
        self._bytes = [each.encode("utf-8", "surrogatepass").decode("latin-1") for each in self._spelled]

    def __bool__(self) -> bool:
        return bool(self._plain)

    def are_in(self, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether one of the words is in it."""
        return _found(texts, self._plain)

    def are_in_json(self, documents: Sequence[str]) -> list[bool]:
        """Return for each text whether one of the words is in it, as it is or as JSON spells it."""
        return _found(documents, self._spelled)

    def are_in_bytes(self, lines: Sequence[bytes]) -> list[bool]:
        """Return the same for lines of a file, in whatever encoding they are."""
        return _found([line.decode("latin-1") for line in lines], self._bytes)


def words_of(erased: Erased) -> Words:
    """Return what is looked for of what was erased."""
    named = erased.values if erased.kind in ("user", "session", "event") else frozenset[str]()
    ids = named | erased.user_ids | erased.session_ids | erased.event_ids | erased.text_ids
    texts = erased.texts | (erased.values if erased.kind == "texts" else frozenset[str]())
    found = {each for each in ids if len(each) >= LEAST_ID}
    for text in texts:
        if LEAST_TEXT <= len(text) < 2 * PIECE:
            found.add(text)
        elif len(text) >= 2 * PIECE:
            starts = range(0, min(len(text) - PIECE + 1, PIECE * MOST_PIECES), PIECE)
            found.update(text[start : start + PIECE] for start in starts)
    return Words(each for each in found if not each.isspace())


def _spellings(value: str) -> set[str]:
    return {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}


def _found(texts: Sequence[str], words: list[str]) -> list[bool]:
    found = pl.Series([False] * len(texts), dtype=pl.Boolean)
    column = pl.Series(texts, dtype=pl.String)
    for start in range(0, len(words) if len(texts) else 0, _AT_ONCE):
        found |= column.str.contains_any(words[start : start + _AT_ONCE])
    return found.to_list()
