"""How the tests of this room read a file: as the documents of its rows, or why a row has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from turret_api.errors import ApiError
from turret_api.importing.documents import Documents

LINE = b'{"name": "n", "session_id": "s", "metadata": {"a": 1}}\n'


def read(file: Path, content: str | bytes | None = None, *mapping: str, **options: Any) -> list[Any]:
    """Return every row's document, or the reason why it has none, without the keys that say nothing."""
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    found = Documents(file, dict(each.rsplit("=", 1) for each in mapping), **options)
    return [
        document.message
        if isinstance(document, ApiError)
        else {key: value for key, value in document.items() if value is not None}
        for _, document in found
    ]


def parquet(file: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), file)
    return file
