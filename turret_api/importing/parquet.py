"""Rows of a Parquet file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

from turret_api.importing.cells import json_values
from turret_api.importing.mapping import ColumnMapping
from turret_api.importing.rows import BATCH_ROWS, Row


def columns_of_parquet(file: Path) -> list[str]:
    """Return the names of the columns, in order."""
    with pq.ParquetFile(file) as source:
        names: list[str] = source.schema_arrow.names
        return names


def read_parquet(
    file: Path, mapping: ColumnMapping, zone: dt.tzinfo, on_progress: Callable[[int], None]
) -> Iterator[Row]:
    """Yield the rows of `file`, with the cells of those columns that `mapping` takes.

    Args:
        file: a Parquet file.
        mapping: raises `SourceError` if it does not fit the file's columns.
        zone: of times that have none.
        on_progress: called with the share of the rows that are read, 0 to 1000.
    """
    with pq.ParquetFile(file) as source:
        columns = mapping.taken(source.schema_arrow.names)
        total, number = max(1, source.metadata.num_rows), 0
        for batch in source.iter_batches(BATCH_ROWS, columns=columns):
            for cells in zip(*(json_values(batch[column], zone) for column in columns), strict=True):
                number += 1
                yield number, dict(zip(columns, cells, strict=True))
            on_progress(1000 * number // total)
