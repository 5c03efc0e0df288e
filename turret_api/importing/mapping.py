"""Where each cell of a row goes in an event.

A column called as a key of an event becomes that key; `metadata` holds a JSON object; every other column becomes a key
of the metadata. A mapping changes that: `text=metadata.prompt`, `ts=timestamp`, `extra=metadata` (a JSON object whose
keys are merged in), `internal=` (left out). Empty cells are left out.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from turret_api.collector import body as bodies
from turret_api.errors import ApiError, invalid
from turret_api.importing.rows import SourceError

EVENT_KEYS = ("name", "session_id", "user_id", "timestamp", "event_id")


class _Place(NamedTuple):
    """Where a column goes: `event_key` or `metadata_key` names the key; both None: its own keys join the metadata."""

    column: str
    event_key: str | None
    metadata_key: str | None


class ColumnMapping:
    """Where each column goes: by its name, unless it was mapped.

    Args:
        mapped: column to key; the empty key leaves the column out.
    """

    def __init__(self, mapped: Mapping[str, str]) -> None:
        self._mapped = tuple(mapped.items())
        _places(tuple(mapped), self._mapped)

    def __bool__(self) -> bool:
        """Tell whether any column was mapped."""
        return bool(self._mapped)

    def taken(self, columns: Sequence[str]) -> list[str]:
        """Return the columns of a file that go into events; raise `SourceError` if the mapping does not fit them."""
        unknown = [column for column, _ in self._mapped if column not in columns]
        if unknown:
            raise SourceError(f"there is no column {unknown[0]!r} to map; the columns are {', '.join(columns)}")
        if len(set(columns)) < len(columns):
            raise SourceError("two columns have the same name")
        taken = [place.column for place in _places(tuple(columns), self._mapped)]
        if not taken:
            raise SourceError("every column is left out; nothing would be imported")
        return taken

    def is_metadata(self, column: str) -> bool:
        """Tell whether a column that is taken becomes one key of the metadata."""
        return _places((column,), self._mapped)[0].metadata_key is not None

    def document(self, cells: Any) -> dict[str, Any] | ApiError:
        """Return the document that a client would have sent, or why there is none.

        Args:
            cells: as in `Row`; mapped columns may be missing.
        """
        if type(cells) is not dict:
            return cells if isinstance(cells, ApiError) else invalid("The line must be a JSON object.")
        try:
            places = _places(tuple(cells), self._mapped)
        except SourceError as error:
            return invalid(f"{str(error)[0].upper()}{str(error)[1:]}.")
        document: dict[str, Any] = {}
        metadata: dict[str, Any] = {}
        for column, event_key, metadata_key in places:
            value = cells[column]
            if value is None:
                continue
            if isinstance(value, ApiError):
                return _of_column(column, value)
            if metadata_key is not None:
                metadata[metadata_key] = value
            elif event_key is not None:
                document[event_key] = value
            else:
                try:
                    merged = bodies.decode(value.encode()) if type(value) is str else value
                except ApiError as error:
                    return _of_column(column, error)
                if type(merged) is not dict:
                    return invalid(f"Column {column} must hold a JSON object.", field=column)
                metadata |= merged
        document["metadata"] = metadata
        return document


def _of_column(column: str, error: ApiError) -> ApiError:
    return invalid(f"Column {column}: {error.message}", field=column)


@functools.lru_cache(32)
def _places(columns: tuple[str, ...], mapped: tuple[tuple[str, str], ...]) -> tuple[_Place, ...]:
    """Return where each of `columns` goes, without those that are left out."""
    chosen = dict(mapped)
    places: dict[str, str] = {}
    for column in columns:
        key = chosen.get(column, column if column in (*EVENT_KEYS, "metadata") else f"metadata.{column}")
        if key and key not in (*EVENT_KEYS, "metadata") and not key.startswith("metadata."):
            raise SourceError(f"{key!r} is no key of an event; use {', '.join(EVENT_KEYS)}, metadata or metadata.KEY")
        if key:
            places[column] = key
    uses = Counter(key for key in places.values() if key != "metadata")
    twice = next((key for key, n_columns in uses.items() if n_columns > 1), None)
    if twice:
        raise SourceError(f"two columns go to {twice}; map one of them elsewhere, or to nothing with COLUMN=")
    return tuple(
        _Place(
            column,
            key if key in EVENT_KEYS else None,
            key.removeprefix("metadata.") if key.startswith("metadata.") else None,
        )
        for column, key in places.items()
    )
