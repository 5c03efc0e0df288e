"""Rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

from turret_api.importing.cells import json_values
from turret_api.importing.mapping import ColumnMapping
from turret_api.importing.rows import BATCH_ROWS, Row


def read_parquet(file: Path, mapping: ColumnMapping, on_progress: Callable[[int], None]) -> Iterator[Row]:
    """Yield the rows of `file`, with the cells of those columns that `mapping` takes.

    Args:
        file: a Parquet file.
        mapping: raises `SourceError` if it does not fit the file's columns.
        on_progress: called with the share of the rows that are read, 0 to 1000.
    """
    with pq.ParquetFile(file) as source:
        columns = mapping.taken(source.schema_arrow.names)
        total, number = max(1, source.metadata.num_rows), 0
        for batch in source.iter_batches(BATCH_ROWS, columns=columns):
            for cells in zip(*(json_values(batch[column]) for column in columns), strict=True):
                number += 1
                yield number, dict(zip(columns, cells, strict=True))
            on_progress(1000 * number // total)
