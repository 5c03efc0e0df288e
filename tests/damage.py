"""What tests damage, and how."""

from __future__ import annotations

import os
from pathlib import Path

from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES


def data_file(lake: Lake, table: str, project: str) -> Path:
    """Return a data file with rows of the project."""
    opened = store.open_table(lake, TABLES[table])
    assert opened is not None
    return Path(store.file_names(lake, store.project_files(opened, project))[0])


def newest_commit(lake: Lake, table: str) -> Path:
    """Return the newest entry of the table's log."""
    return sorted(Path(lake.table(table)).glob("_delta_log/*.json"))[-1]


def flip(file: Path) -> None:
    """Change one bit, in the middle."""
    with file.open("r+b") as stream:
        stream.seek(file.stat().st_size // 2)
        byte = stream.read(1)
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte[0] ^ 0x10]))
