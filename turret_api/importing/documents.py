"""Files as the documents that `POST /track` would get."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from turret_api.errors import ApiError
from turret_api.importing.csv import read_csv
from turret_api.importing.mapping import ColumnMapping
from turret_api.importing.ndjson import read_ndjson
from turret_api.importing.parquet import read_parquet
from turret_api.importing.rows import Row, SourceError

SUFFIXES = (".ndjson", ".jsonl", ".parquet", ".csv")

Document = tuple[int, Any | ApiError]
"""A row's number in its file and its document, or why it has none."""


def read_documents(
    file: Path, mapped: Mapping[str, str], name: str | None, on_progress: Callable[[int], None]
) -> Iterator[Document]:
    """Yield every row of `file` as a document; raise `SourceError` if the file cannot be read to its end.

    Args:
        file: its suffix, one of `SUFFIXES`, says what it is.
        mapped: column to key, as in `ColumnMapping`; NDJSON without one holds the bodies of POST /track.
        name: the name of events whose row has none.
        on_progress: called with the share of the file that is read, 0 to 1000.
    """
    try:
        for number, document in _documents(file, ColumnMapping(mapped), on_progress):
            if name is not None and type(document) is dict and document.get("name") is None:
                document["name"] = name
            yield number, document
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not UTF-8: byte {error.start}") from error
    except (ValueError, pa.ArrowException) as error:
        raise error if isinstance(error, SourceError) else SourceError(f"{file} cannot be read: {error}") from error


def _documents(file: Path, mapping: ColumnMapping, on_progress: Callable[[int], None]) -> Iterator[Document]:
    rows: Iterator[Row]
    match file.suffix.lower():
        case ".parquet":
            rows = read_parquet(file, mapping, on_progress)
        case ".csv":
            rows = read_csv(file, mapping, on_progress)
        case ".ndjson" | ".jsonl":
            rows = read_ndjson(file, on_progress)
            if not mapping:
                return rows
        case _:
            raise SourceError(f"{file.name} is not one of {', '.join('*' + suffix for suffix in SUFFIXES)}")
    return ((number, mapping.document(cells)) for number, cells in rows)
