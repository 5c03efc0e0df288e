"""What Dagster's UI is told of a table: its columns and where they come from, its size, and what its rows show."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Sequence
from typing import Any

import dagster as dg
import polars as pl

from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.parts import PART_SCHEMA
from turret_pipeline.stages.containment import failures_of
from turret_pipeline.stages.stage import Product, Stage
from turret_pipeline.stages.topic_map import Drawing
from turret_pipeline.stages.work import Work

RAW_EVENTS = "raw_events"
OWNERS = ["team:turret"]
COLUMN_LINEAGE = "dagster/column_lineage"
"""Name of the metadata that the UI draws columns' origins from; it looks for it in materializations."""

NO_ROWS = {"dagster/partition_row_count": 0, "files": 0, "bytes": 0}
"""What is shown of a partition's size; the names of the numbers, in the order of `ProjectTable.sizes`."""

MOST_ROWS = 10
"""Rows of a table that are shown: they are kept with every run."""


def read_by(stage: Stage) -> list[str]:
    """Return the names of the assets that the stage reads."""
    return [source.table.name for source in stage.reads] or [RAW_EVENTS]


def asset_spec(stage: Stage, product: Product) -> dg.AssetSpec:
    """Return what Dagster is told of the table's asset, whatever its partitions are."""
    return dg.AssetSpec(
        product.table.name,
        deps=read_by(stage),
        group_name=stage.group,
        kinds=set(stage.kinds),
        owners=OWNERS,
        description=product.about,
        metadata=_columns(stage, product),
        code_version=str(stage.version),
    )


def _columns(stage: Stage, product: Product) -> dict[str, Any]:
    """Return the metadata that follow from the table's declaration.

    Where a column comes from stands with its meaning too: Dagster's open-source UI draws no lineage of columns.
    """
    table, origins = product.table, lineage(stage, product)
    columns = [
        dg.TableColumn(
            column.name,
            str(column.dtype),
            column.meaning + _from(origins.deps_by_column.get(column.name, ())),
            dg.TableColumnConstraints(nullable=column.nullable, unique=table.key == (column.name,)),
        )
        for column in table.columns
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        COLUMN_LINEAGE: origins,
        "dagster/table_name": table.name,
        "unique by": ", ".join(table.key),
    }


def _from(sources: Sequence[dg.TableColumnDep]) -> str:
    named = [(source.asset_key.to_user_string(), source.column_name) for source in sources]
    names = [f"{table}.{column}" for table, column in named if column != "project_id"]
    return f" ← {', '.join(names)}" if names else ""


def lineage(stage: Stage, product: Product) -> dg.TableColumnLineage:
    """Return for each column of the table the columns of other tables that it comes from."""
    there = {source.table.name: source.table.schema for source in stage.reads if source.is_read_whole}
    if not stage.reads:
        there = {RAW_EVENTS: PART_SCHEMA}
    deps = {}
    for column in product.table.schema:
        same = [f"{name}.{column}" for name, schema in there.items() if column in schema]
        sources = (each.split(".") for each in product.origin_of.get(column, same))
        deps[column] = [dg.TableColumnDep(dg.AssetKey(name), source) for name, source in sources]
    return dg.TableColumnLineage({column: sources for column, sources in deps.items() if sources})


def shown_rows(work: Work, product: Product) -> dict[str, Any]:
    """Return what people see of a project's rows, as metadata of a materialization; often nothing."""
    return {name: _shown(value) for name, value in product.shows(work, work.open(product.table).scan()).items()}


def _shown(value: object) -> Any:
    if isinstance(value, Drawing):
        image = base64.b64encode(value.encode()).decode()
        return dg.MetadataValue.md(f"![topics of a field](data:image/svg+xml;base64,{image})")
    if not isinstance(value, pl.LazyFrame):
        return value
    rounded = value.head(MOST_ROWS).collect().with_columns(pl.selectors.float().round(3))
    schema = dg.TableSchema([dg.TableColumn(name, str(dtype)) for name, dtype in rounded.schema.items()])
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rounded.to_dicts()], schema)


def shown_failures(work: Work, table: str) -> dict[dt.date | None, dict[str, str]]:
    """Return by day (None: of the whole) why fields of the table failed, as metadata of a materialization."""
    shown: dict[dt.date | None, dict[str, str]] = {}
    for failed in failures_of(work.lake, work.project_id):
        if failed.table == table:
            shown.setdefault(failed.day, {})[f"{failed.field} failed"] = failed.reason
    return shown


def row_count(table: ProjectTable) -> dict[str, int]:
    """Return what is shown of the size of the project's share of the table."""
    _, *sizes = table.sizes().get_columns()
    return dict(zip(NO_ROWS, (int(size.sum()) for size in sizes), strict=True))


def row_counts(table: ProjectTable) -> dict[dt.date, dict[str, int]]:
    """Return the same by day of receipt, of the days that have rows."""
    return {day: dict(zip(NO_ROWS, counts, strict=True)) for day, *counts in table.sizes().rows()}
