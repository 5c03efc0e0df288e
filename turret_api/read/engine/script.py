"""A question's statements as one text to run: the tables of the lake by name, the views that are needed, the parts."""

from __future__ import annotations

import os
import re
import textwrap
import urllib.parse
from collections.abc import Iterator

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text
from turret_api.read.engine.queries import Queries
from turret_pipeline.lake.tables import TABLES, Table

WIDTH = 110
PART = "-- part: "
"""What the line before each part of the answer begins with; its name follows."""

_word = re.compile(r"'(?:[^']|'')*'|\b[a-z]\w*\b")
_TYPES: dict[object, str] = {
    pl.String: "VARCHAR",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Float32: "FLOAT",
    pl.Boolean: "BOOLEAN",
    pl.Date: "DATE",
    pl.Binary: "BLOB",
    pl.List(pl.String): "VARCHAR[]",
    pl.List(pl.Float64): "DOUBLE[]",
    pl.List(pl.Float32): "FLOAT[]",
    pl.List(pl.Int32): "INTEGER[]",
    pl.Datetime("us", "UTC"): "TIMESTAMPTZ",
}


def script(snapshot: Snapshot, queries: Queries) -> str:
    """Return the text that DuckDB runs: it makes temporary views alone, and reads what it reads from the lake."""
    pieces = [*_head(snapshot)]
    for name in _needed(queries):
        if name in queries.views:
            said, select = queries.views[name]
            pieces.append(f"{_comment(f'{name}: {said}')}\nCREATE OR REPLACE TEMP VIEW {name} AS{select};")
        else:
            pieces.append(_table(snapshot, TABLES[name]))
    pieces += [f"{PART}{name}\n{statement.strip()};" for name, statement in queries.parts.items()]
    if queries.left_out:
        pieces.append(_comment(queries.left_out))
    return "\n\n".join(pieces) + "\n"


def _needed(queries: Queries) -> list[str]:
    """Return the views and tables that the statements name, and those that these name, each before who names it."""
    found: list[str] = []

    def need(statement: str) -> None:
        for name in _names(statement):
            if name in found or (name not in queries.views and name not in TABLES):
                continue
            if name in queries.views:
                need(queries.views[name][1])
            found.append(name)

    for statement in queries.parts.values():
        need(statement)
    return found


def _names(statement: str) -> Iterator[str]:
    """Yield the words of a statement, without those in literals and comments; a column may be among them."""
    for match in _word.finditer(re.sub(r"--[^\n]*", "", statement)):
        if not match[0].startswith("'"):
            yield match[0]


def _head(snapshot: Snapshot) -> Iterator[str]:
    yield _comment(
        "Runs in DuckDB 1.5 or later (pip install duckdb, or its shell), which fetches its extension for Delta tables "
        "by itself. It makes temporary views and writes nothing."
    )
    yield "SET TimeZone = 'UTC';"
    if not snapshot.library.lake.is_local:
        endpoint = urllib.parse.urlsplit(os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or "")
        options = ["TYPE s3", "PROVIDER credential_chain"]
        if endpoint.netloc:
            options += [f"ENDPOINT {text(endpoint.netloc)}", "URL_STYLE 'path'"]
            options += ["USE_SSL false"] if endpoint.scheme == "http" else []
        yield (
            "-- Credentials come from where AWS's own tools find them.\n"
            f"CREATE OR REPLACE SECRET turret_lake ({', '.join(options)});"
        )


def _table(snapshot: Snapshot, table: Table) -> str:
    """Return the statement that makes the project's rows of a table known under its name."""
    comment, there = _comment(f"{table.name}: {table.meaning}"), snapshot.library.columns_of(table)
    lacking = ",\n    ".join(
        f'NULL::{_TYPES[each.dtype]} AS "{each.name}"' for each in table.columns if each.name not in (there or ())
    )
    if there is None:
        comment += "\n-- The lake has no such table yet."
        rows = f"SELECT\n    {lacking}\nWHERE false"
    else:
        source = f"delta_scan({text(snapshot.library.lake.table(table.name))})"
        columns = f"*, {lacking}" if lacking else "*"
        rows = f"SELECT {columns} FROM {source} WHERE project_id = {text(snapshot.project_id)}"
    return f"{comment}\nCREATE OR REPLACE TEMP VIEW {table.name} AS\n{rows};"


def _comment(words: str) -> str:
    return textwrap.fill(words, WIDTH, initial_indent="-- ", subsequent_indent="-- ")
