"""What a file gives: rows, and the error of a file that gives none."""

from __future__ import annotations

from typing import Any

from turret_api.errors import ApiError

BATCH_ROWS = 4096
"""Rows that are Python objects at the same time; how far a file is read is told once for each such batch."""


class SourceError(ValueError):
    """The file, or the mapping of its columns, cannot be used; the message says why."""


Row = tuple[int, Any | ApiError]
"""A row's number in its file, and its cells or the reason why it cannot be read.

Of Parquet the rows count from 1, of CSV the header is row 1, of NDJSON the lines count. The cells are JSON values by
column, None where a cell is empty, an `ApiError` where JSON has no such value; of NDJSON the line as JSON, of any kind.
"""
