"""Rows of a file as the documents that `POST /track` would get: Parquet and CSV by their columns, NDJSON as it is.

A column called as a key of an event becomes that key; `metadata` holds a JSON object; every other column becomes a key
of the metadata. A mapping changes that: `text=metadata.prompt`, `ts=timestamp`, `extra=metadata` (a JSON object whose
keys are merged in), `internal=` (left out). Nulls and, in CSV, empty cells are left out. With a mapping the keys of an
NDJSON object count as columns, too.
"""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from turret_api.collector import body as bodies
from turret_api.errors import ApiError, invalid

EVENT_KEYS = ("name", "session_id", "user_id", "timestamp", "event_id")
SUFFIXES = (".ndjson", ".jsonl", ".parquet", ".csv")

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BATCH_ROWS = 4096
_MOST_CELL = 64 * 1024 * 1024

Document = tuple[int, Any | ApiError]
"""A row's number in its file, from 1, and its document, or why it has none."""


class SourceError(ValueError):
    """The file, or the mapping of its columns, cannot be used; the message says why."""


def read_documents(
    file: Path, mapping: Mapping[str, str], name: str | None, on_progress: Callable[[int], None]
) -> Iterator[Document]:
    """Yield every row of `file` as a document.

    Args:
        file: its suffix, one of `SUFFIXES`, says what it is.
        mapping: column to key; NDJSON without one holds the bodies of POST /track.
        name: the name of events whose row has none.
        on_progress: called with the share of the file that is read, 0 to 1, times 1000.
    """
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise SourceError(f"{file.name} is not one of {', '.join('*' + suffix for suffix in SUFFIXES)}")
    try:
        if suffix == ".parquet":
            documents = _from_parquet(file, mapping, on_progress)
        elif suffix == ".csv":
            documents = _from_csv(file, mapping, on_progress)
        elif mapping:
            documents = _by_keys(_from_ndjson(file, on_progress), mapping)
        else:
            documents = _from_ndjson(file, on_progress)
        for number, document in documents:
            if name is not None and type(document) is dict and document.get("name") is None:
                document["name"] = name
            yield number, document
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not UTF-8: byte {error.start}") from error
    except csv.Error as error:
        raise SourceError(f"{file} is not CSV: {error}") from error
    except ValueError as error:  # pyarrow's ArrowInvalid
        raise error if isinstance(error, SourceError) else SourceError(f"{file} cannot be read: {error}") from error


def _from_ndjson(file: Path, on_progress: Callable[[int], None]) -> Iterator[Document]:
    size, done = max(1, file.stat().st_size), 0
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            done += len(line)
            if number % _BATCH_ROWS == 0:
                on_progress(1000 * done // size)
            if line.isspace():
                continue
            try:
                if len(line) > bodies.MAX_BODY:
                    raise bodies.too_large()
                yield number, bodies.decode(line)
            except ApiError as error:
                yield number, error


def _by_keys(rows: Iterator[Document], mapping: Mapping[str, str]) -> Iterator[Document]:
    """Yield rows that are objects as documents, their keys taken for columns; a key may be missing from a row."""
    _places(list(mapping), mapping)
    for number, row in rows:
        if isinstance(row, ApiError):
            yield number, row
        elif type(row) is not dict:
            yield number, invalid("The line must be a JSON object.")
        else:
            try:
                there = {key: place for key, place in mapping.items() if key in row}
                yield number, _document(row, _places(list(row), there))
            except SourceError as error:
                yield number, invalid(f"{str(error)[0].upper()}{str(error)[1:]}.")


def _from_parquet(file: Path, mapping: Mapping[str, str], on_progress: Callable[[int], None]) -> Iterator[Document]:
    with pq.ParquetFile(file) as source:
        places = _places(source.schema_arrow.names, mapping)
        total, number = max(1, source.metadata.num_rows), 0
        for batch in source.iter_batches(_BATCH_ROWS, columns=list(places)):
            for row in batch.to_pylist():
                number += 1
                yield number, _document(row, places)
            on_progress(1000 * number // total)


def _from_csv(file: Path, mapping: Mapping[str, str], on_progress: Callable[[int], None]) -> Iterator[Document]:
    size = max(1, file.stat().st_size)
    csv.field_size_limit(_MOST_CELL)
    with file.open(encoding="utf-8-sig", newline="") as stream:
        header = next(csv.reader(stream), None)
    if not header:
        raise SourceError(f"{file} has no header line")
    places = _places(header, mapping)
    typed = _column_types(file, header, places)
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        next(reader)
        for number, cells in enumerate(reader, 2):
            if number % _BATCH_ROWS == 0:
                on_progress(min(1000, 1000 * os.lseek(stream.fileno(), 0, os.SEEK_CUR) // size))
            if not cells:
                continue
            if len(cells) != len(header):
                yield number, invalid(f"The row has {len(cells)} cells; the header has {len(header)}.")
                continue
            row = {column: typed[column](cell) for column, cell in zip(header, cells, strict=True) if cell}
            yield number, _document(row, places)


def _column_types(file: Path, header: list[str], places: Mapping[str, str]) -> dict[str, Callable[[str], Any]]:
    """Return how to read each column: as numbers or booleans only if every cell of it is one.

    Numbers as JSON writes them, so that 007 and +49 stay texts.
    """
    candidates: dict[int, list[Callable[[str], Any]]] = {
        index: [_as_number, _as_boolean]
        for index, column in enumerate(header)
        if places.get(column, "").startswith("metadata.")
    }
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        next(reader)
        for cells in reader:
            for index, kinds in list(candidates.items()):
                cell = cells[index] if index < len(cells) else ""
                if cell:
                    kinds[:] = [kind for kind in kinds if kind(cell) is not None]
                    if not kinds:
                        del candidates[index]
    return {column: candidates[index][0] if index in candidates else str for index, column in enumerate(header)}


def _as_number(cell: str) -> int | float | None:
    if len(cell) > 40 or not _NUMBER.fullmatch(cell):
        return None
    return int(cell) if cell.lstrip("-").isdigit() else float(cell)


def _as_boolean(cell: str) -> bool | None:
    return {"true": True, "false": False}.get(cell.lower())


def _places(columns: list[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return where each column goes: a key of the event, `metadata`, or `metadata.KEY`."""
    unknown = [column for column in mapping if column not in columns]
    if unknown:
        raise SourceError(f"there is no column {unknown[0]!r} to map; the columns are {', '.join(columns)}")
    if len(set(columns)) < len(columns):
        raise SourceError("two columns have the same name")
    places = {}
    for column in columns:
        default = column if column in (*EVENT_KEYS, "metadata") else f"metadata.{column}"
        place = mapping.get(column, default)
        if place and place not in (*EVENT_KEYS, "metadata") and not place.startswith("metadata."):
            raise SourceError(f"{place!r} is no key of an event; use {', '.join(EVENT_KEYS)}, metadata or metadata.KEY")
        if place:
            places[column] = place
    once = [place for place in places.values() if place != "metadata"]
    twice = next((place for place in once if once.count(place) > 1), None)
    if twice:
        raise SourceError(f"two columns go to {twice}; map one of them elsewhere, or to nothing with COLUMN=")
    return places


def _document(row: Mapping[str, Any], places: Mapping[str, str]) -> Any | ApiError:
    document: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for column, place in places.items():
        value = row.get(column)
        if value is None:
            continue
        try:
            value = _plain(value)
            if place == "metadata":
                merged = bodies.decode(value.encode()) if type(value) is str else value
                if type(merged) is not dict:
                    return invalid(f"Column {column} must hold a JSON object.", field=column)
                metadata |= merged
            elif place.startswith("metadata."):
                metadata[place.removeprefix("metadata.")] = value
            else:
                document[place] = value
        except ApiError as error:
            return invalid(f"Column {column}: {error.message}", field=column)
    document["metadata"] = metadata
    return document


def _plain(value: Any) -> Any:
    """Return a cell as JSON knows it; times without an offset are taken as UTC."""
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise invalid("a number is not finite; JSON has none such")
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise invalid("the bytes are not UTF-8") from None
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise invalid("a text is not valid Unicode") from None
        return value
    if value is None or isinstance(value, bool | int | float):
        return value
    return msgspec.to_builtins(value, enc_hook=str)
