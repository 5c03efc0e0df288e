"""DuckDB as a user has it: the SQL that the API gives runs in it as it is."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pytest

from turret_api.read.engine.script import PART

_of_table = re.compile(r"CREATE OR REPLACE TEMP VIEW (\w+ AS\nSELECT [^;]* FROM delta_scan)")
Rows = list[dict[str, Any]]
Run = Callable[[str], dict[str, Rows]]


@pytest.fixture(scope="session")
def run_sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """What runs a text that the API gave for `format=sql`, and returns the rows of each part by its name."""
    folder = tmp_path_factory.mktemp("duckdb")
    put_delta(folder)
    # With one thread: DuckDB 1.5 has a race in windows over few rows (its issue 22846).
    with duckdb.connect(config={"extension_directory": str(folder), "threads": 1}) as opened:
        # A cursor each: it has none of the views that a text before it made.
        yield lambda text: _run(opened.cursor(), text)


def put_delta(folder: Path) -> None:
    """After this call DuckDB finds its extension `delta` in `folder`, where it keeps what it fetched."""
    version = f"v{duckdb.__version__}"
    source = Path(str(files("duckdb_extension_delta"))) / "extensions" / version / "delta.duckdb_extension"
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    found = folder / version / f"linux_{architecture}" / source.name
    found.parent.mkdir(parents=True)
    found.symlink_to(source)


def _run(opened: duckdb.DuckDBPyConnection, text: str) -> dict[str, Rows]:
    head, *parts = re.split(rf"^{re.escape(PART)}(.*)$", text, flags=re.MULTILINE)
    # Read each table of the lake once, not once a statement: that makes tests four times as fast.
    opened.execute(_of_table.sub(r"CREATE OR REPLACE TEMP TABLE \1", head))
    found = {}
    for name, statement in zip(parts[::2], parts[1::2], strict=True):
        result = opened.execute(statement)
        columns = [each[0] for each in result.description or ()]
        assert len(set(columns)) == len(columns), columns
        found[name] = [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
    return found
