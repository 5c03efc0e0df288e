"""Small data files of a lake on S3, read whole and kept by the process that holds a project's lock.

The stages and checks of a run read the same files again and again, each time with two requests a file; most files of a
refresh are small. A file never changes under its name, so what was read once is good. Readers without a lock, which may
not read a file that was removed meanwhile, are not served from here.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import polars as pl

from turret_pipeline.lake import objects
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import Table

MOST_BYTES = 2 << 20
"""Size of a file up to which it counts as small."""
MOST_FILES = 64
"""Files of one reading up to which each is a source of its own."""


def scan(lake: Lake, table: Table, names: list[str], scan_large: Callable[[list[str]], pl.LazyFrame]) -> pl.LazyFrame:
    """Return the rows of the files in order, with the columns of the table; `scan_large` returns those of large files.

    Raise `FileNotFoundError` where one is not there, `UnreachableError`.
    """
    with ThreadPoolExecutor(len(names), "small") as readers:
        contents = list(readers.map(partial(objects.read_kept, lake, at_most=MOST_BYTES), names))
    return pl.concat(
        [
            scan_large([name]) if content is None else _rows(table, name, content)
            for name, content in zip(names, contents, strict=True)
        ]
    )


def _rows(table: Table, name: str, content: bytes) -> pl.LazyFrame:
    words = dict(word.split("=", 1) for word in name.split("/")[-1 - len(table.partition_by) : -1])
    inside = {column: dtype for column, dtype in table.schema.items() if column not in words}
    of_folder = [
        pl.lit(dt.date.fromisoformat(value) if table.schema[column] == pl.Date else value).alias(column)
        for column, value in words.items()
    ]
    frame = pl.scan_parquet(io.BytesIO(content), schema=inside, missing_columns="insert", hive_partitioning=False)
    return frame.with_columns(of_folder).select(table.schema.names())
