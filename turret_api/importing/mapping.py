"""Where each cell of a row goes in an event.

A column called as a key of an event becomes that key; `metadata` holds a JSON object; every other column becomes a key
of the metadata. A mapping changes that: `text=metadata.prompt`, `ts=timestamp`, `extra=metadata` (a JSON object whose
keys are merged in), `internal=` (left out). It reaches into nested keys, too: `properties.time=timestamp` takes the
time out of the properties, and what is left of them goes where `properties` goes. Empty cells are left out.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from turret_api.errors import ApiError, invalid
from turret_api.importing.paths import heads, lifted, opened
from turret_api.importing.rows import SourceError
from turret_api.importing.values import says_nothing

EVENT_KEYS = ("name", "session_id", "user_id", "timestamp", "event_id")


class _Place(NamedTuple):
    """Where a column goes: `event_key` or `metadata_key` names the key; both None: its own keys join the metadata."""

    column: str
    event_key: str | None
    metadata_key: str | None


class _Layout(NamedTuple):
    """Where everything in rows with the same columns goes.

    Args:
        nested: paths that are lifted out first, each to a column of that name.
        places: where the columns then go.
        columns: the columns that are needed.
    """

    nested: tuple[str, ...]
    places: tuple[_Place, ...]
    columns: tuple[str, ...]


class ColumnMapping:
    """Where each column goes: by its name, unless it was mapped.

    Args:
        mapped: column, or the path of a nested key as in `paths`, to key; the empty key leaves it out.
    """

    def __init__(self, mapped: Mapping[str, str]) -> None:
        self.paths = tuple(mapped.items())
        _layout(tuple(mapped), self.paths)

    def __bool__(self) -> bool:
        """Tell whether any column was mapped."""
        return bool(self.paths)

    def taken(self, columns: Sequence[str]) -> list[str]:
        """Return the columns of a file that go into events; raise `SourceError` if the mapping does not fit them."""
        unknown = [path for path, _ in self.paths if _root(path, columns) is None]
        if unknown:
            raise SourceError(f"there is no column {unknown[0]!r} to map; the columns are {', '.join(columns)}")
        if len(set(filter(None, columns))) < len(list(filter(None, columns))):
            raise SourceError("two columns have the same name")
        layout = _layout(tuple(columns), self.paths)
        if not layout.places:
            raise SourceError("every column is left out; nothing would be imported")
        return list(layout.columns)

    def places(self, columns: Sequence[str]) -> dict[str, str]:
        """Return where each column, and each nested key that is mapped, goes: a key, or nothing if it is left out."""
        return _keys(tuple(columns), self.paths)

    def given(self, columns: Sequence[str]) -> frozenset[str]:
        """Return the keys of an event that are mapped, or that a column of the file is called as."""
        return frozenset(key for _, key in self.paths) | frozenset(self.places(columns).values())

    def is_metadata(self, column: str) -> bool:
        """Tell whether a column that is taken becomes one key of the metadata."""
        return any(place.metadata_key is not None for place in _layout((column,), self.paths).places)

    def document(self, cells: Any) -> dict[str, Any] | ApiError:
        """Return the document that a client would have sent, or why there is none.

        Args:
            cells: as in `Row`; mapped columns may be missing.
        """
        if type(cells) is not dict:
            return cells if isinstance(cells, ApiError) else invalid("The line must be a JSON object.")
        try:
            layout = _layout(tuple(cells), self.paths)
        except SourceError as error:
            return invalid(f"{str(error)[0].upper()}{str(error)[1:]}.")
        for path in layout.nested:
            try:
                cells = lifted(cells, path)
            except ApiError as error:
                return _of_column(path, error)
        document: dict[str, Any] = {}
        metadata: dict[str, Any] = {}
        for column, event_key, metadata_key in layout.places:
            value = cells.get(column)
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
                    merged = opened(value)
                except ApiError as error:
                    return _of_column(column, error)
                if type(merged) is str and says_nothing(merged):
                    continue
                if type(merged) is not dict:
                    return invalid(f"Column {column} must hold a JSON object.", field=column)
                metadata |= merged
        document["metadata"] = metadata
        return document


def _of_column(column: str, error: ApiError) -> ApiError:
    return invalid(f"Column {column}: {error.message}", field=column)


def _root(path: str, columns: Sequence[str]) -> str | None:
    """Return the column that `path` names, or else the one into which it leads."""
    return next((each for each in (path, *heads(path)) if each in columns), None)


@functools.lru_cache(32)
def _layout(columns: tuple[str, ...], mapped: tuple[tuple[str, str], ...]) -> _Layout:
    """Return where everything in rows with these columns goes."""
    keys = _keys(columns, mapped)
    nested = tuple(path for path in keys if path not in columns)
    for key in keys.values():
        if key and key not in (*EVENT_KEYS, "metadata") and not key.startswith("metadata."):
            raise SourceError(f"{key!r} is no key of an event; use {', '.join(EVENT_KEYS)}, metadata or metadata.KEY")
    uses = Counter(key for key in keys.values() if key and key != "metadata")
    twice = next((key for key, n_columns in uses.items() if n_columns > 1), None)
    if twice:
        raise SourceError(f"two columns go to {twice}; map one of them elsewhere, or to nothing with COLUMN=")
    roots = {_root(path, columns) for path in nested}
    return _Layout(
        nested,
        tuple(
            _Place(
                column,
                key if key in EVENT_KEYS else None,
                key.removeprefix("metadata.") if key.startswith("metadata.") else None,
            )
            for column, key in keys.items()
            if key
        ),
        # Also a column that is left out, if without it its name would be a path into another one.
        tuple(
            column
            for column in columns
            if keys[column] or column in roots or any(head in columns for head in heads(column))
        ),
    )


def _keys(columns: tuple[str, ...], mapped: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the key to which each mapped path and each column goes, the empty key for what is left out."""
    chosen = dict(mapped)
    nested = [path for path in chosen if path not in columns and _root(path, columns) is not None]
    # A column without a name, such as pandas writes its index into, can be no key.
    own = {column: column if column in (*EVENT_KEYS, "metadata", "") else f"metadata.{column}" for column in columns}
    return {column: chosen.get(column, own.get(column, "")) for column in (*nested, *columns)}
