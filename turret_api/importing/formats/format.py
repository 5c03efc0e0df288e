"""What a format is, and what formats are made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from turret_pipeline.semantics.chat import newest_exchange

_LISTS = ("data", "results", "events", "batch")

Object = Mapping[str, Any]
Document = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """One product's exports.

    Args:
        name: as in `turret import --format`.
        reads: which of its exports are read, in a few words.
        keys: groups of columns; a row of an export has at least one of each group.
        documents: returns the documents that a row stands for; none where it stands for no event. Raises `ApiError` if
            it is no row of such an export.
        event_name: of events that the export has no names for.
    """

    name: str
    reads: str
    keys: tuple[frozenset[str], ...]
    documents: Callable[[Object], Iterable[Document]]
    event_name: str | None = None

    def missing(self, columns: Iterable[str]) -> frozenset[str]:
        """Return a group of columns of which there is none, while a row needs one of it; empty if there is no such."""
        there = {column.partition(".")[0] for column in columns}
        return next((group for group in self.keys if not group & there), frozenset())

    def missing_in(self, rows: Iterable[Object]) -> frozenset[str]:
        """Return what is missing in all `rows`, empty if one of them is a row of such an export, or there are none."""
        missing = [self.missing(inner) for row in rows for inner in self._rows(row)]
        return missing[0] if missing and all(missing) else frozenset()

    def read(self, row: Object) -> list[Document]:
        """Return the documents that a row stands for.

        Where nothing else is known of an event its metadata says which product it is from: it may not be empty.
        """
        found = []
        for each in self._rows(row):
            for document in self.documents(each):
                metadata = {key: value for key, value in document["metadata"].items() if value is not None}
                found.append({**document, "metadata": metadata or {"source": self.name}})
        return found

    def _rows(self, row: Object) -> list[Object]:
        """Return the rows in an answer of the product's API, which has them in a list; else the row itself."""
        lists = (opened(row.get(key)) for key in _LISTS if self.missing(row))
        return next(([each for each in found if type(each) is dict] for found in lists if type(found) is list), [row])


def first(row: Object, *keys: str) -> Any:
    """Return the value of the first of `keys` that has one which is not empty; None if none has."""
    return next((row[key] for key in keys if row.get(key) not in (None, "", [], {})), None)


def opened(value: Any) -> Any:
    """Return the list or object that a text holds as JSON; any other value as it is."""
    if type(value) is str and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def an_object(value: Any) -> dict[str, Any]:
    """Return the object that a value is, or holds as JSON; an empty one if it is none."""
    found = opened(value)
    return found if type(found) is dict else {}


def without(row: Object, *keys: str) -> dict[str, Any]:
    """Return what `row` has besides `keys`."""
    return {key: value for key, value in row.items() if key not in keys}


def nested(row: Object, head: str) -> dict[str, Any]:
    """Return the object under `head`, with what columns such as `head.key` have, as tables of exports are written."""
    flat = {key[len(head) + 1 :]: value for key, value in row.items() if key.startswith(f"{head}.")}
    return {**an_object(row.get(head)), **flat}


def asked(value: Any) -> Any:
    """Return what a user asked: of a conversation the newest turn, of an object with one text under a usual key that.

    Anything else comes back as it is.
    """
    found = opened(value)
    exchange = newest_exchange(found)
    if exchange is not None and exchange.asked is not None:
        return exchange.asked
    return _said(found, "question", "query", "prompt", "input", "message", "text", "content")


def answered(value: Any) -> Any:
    """Return what was answered: of messages the text of the last, of an object with one text under a usual key that.

    Anything else comes back as it is.
    """
    found = opened(value)
    if type(found) is dict and type(found.get("choices")) is list and found["choices"]:
        found = found["choices"][0]
    exchange = newest_exchange(found)
    if exchange is not None and exchange.answered is not None:
        return exchange.answered
    return _said(found, "answer", "response", "output", "completion", "content", "text", "output_text")


def _said(value: Any, *keys: str) -> Any:
    if type(value) is not dict:
        return value
    text = next((value[key] for key in keys if type(value.get(key)) is str and value[key]), None)
    return value if text is None else text


def spoken(prompt: Any, response: Any) -> Document:
    """Return the metadata of an exchange: texts as `prompt` and `response`, other values as `input` and `output`."""
    return {
        "prompt" if type(prompt) is str else "input": prompt,
        "response" if type(response) is str else "output": response,
    }
