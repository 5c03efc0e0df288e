"""Dotted paths into the nested keys of a row, such as `properties.$session_id`.

A key that holds dots itself wins over the keys that they would part, on every level: in `{"a.b": 1, "a": {"b": 2}}` the
path `a.b` leads to 1. A text that holds a JSON object, as the cells of a CSV file do, is read as that object.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turret_api.importing import json_text


def lifted(row: dict[str, Any], path: str) -> dict[str, Any]:
    """Return `row` with what `path` leads to under the key `path` itself, and no longer where it was.

    The row stays as it is, and is what comes back if the path leads nowhere. An object that is empty without the value
    is left out. A text on the way that begins as a JSON object and is none raises `ApiError`.
    """
    found = _parted(row, path)
    return row if found is None else {**found[1], path: found[0]}


def leads_somewhere(row: dict[str, Any], path: str) -> bool:
    """Tell whether `path` leads to a value in `row`, be it null."""
    return _parted(row, path) is not None


def _parted(row: dict[str, Any], path: str) -> tuple[Any, dict[str, Any]] | None:
    """Return what `path` leads to, and the row without it."""
    if path in row:
        return row[path], {key: value for key, value in row.items() if key != path}
    for head in heads(path):
        inner = opened(row.get(head))
        found = _parted(inner, path[len(head) + 1 :]) if type(inner) is dict else None
        if found is not None:
            value, rest = found
            kept = {key: rest if key == head else each for key, each in row.items() if key != head or rest}
            return value, kept
    return None


def heads(path: str) -> Iterator[str]:
    """Yield the keys that may hold the object into which `path` leads, the longest first."""
    end = path.rfind(".")
    while end > 0:
        yield path[:end]
        end = path.rfind(".", 0, end)


def opened(value: Any) -> Any:
    """Return the object that a text holds as JSON; any other value as it is."""
    if type(value) is str and value.lstrip().startswith("{"):
        return json_text.decode(value.encode())
    return value
