"""What goes from topics once events were taken back: all that only those said.

The fit that follows keeps the ids of topics, and what people decided about them; it finds topics, labels and places
anew, and is the first of which `topic_fits` and `topic_lineage` tell.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.schema import STRINGS
from turret_pipeline.stages.fits.field import Tables
from turret_pipeline.stages.fits.marks import TALLY, field_mark
from turret_pipeline.stages.stage import UNFINISHED


def forget(tables: Tables, fields: Collection[str]) -> None:
    """After this call only `fields` have rows, and only texts that messages have are assigned.

    tables: of one project; fields: those that are text.
    """
    said = tables.messages.scan().select("field", "text_id").unique()
    assigned = tables.assignments.scan()
    is_kept = pl.col("field").is_in(list(fields))
    gone = assigned.filter(~is_kept).select("field").unique().collect()["field"]
    tally = {field_mark(name, field): 0 for field in gone for name in TALLY}
    kept = assigned.filter(is_kept).join(said, on=["field", "text_id"], how="semi")
    _keep(tables.assignments, kept, inputs=UNFINISHED, marks=tally)
    _keep(tables.topics, tables.topics.scan().filter(is_kept), inputs=UNFINISHED)
    _keep(tables.fits, tables.fits.scan().filter(is_kept))
    _keep(tables.lineage, tables.lineage.scan().filter(is_kept))
    ways = tables.lineage.read()
    if ways.select(pl.any_horizontal(pl.col("from_label", "to_label").is_not_null()).any()).item():
        # Names of then may have come from what was taken back; ids still tell what became of what.
        unnamed = pl.lit(None, dtype=pl.String)
        tables.lineage.replace(ways.with_columns(from_label=unnamed, to_label=unnamed).sort(*tables.lineage.table.key))


def without_words(topics: pl.DataFrame, held: Collection[str]) -> pl.DataFrame:
    """Return `topics` without what a next fit would take over from them but their ids: words, and places on the map.

    held: those of people's choice, which keep their labels and places.
    """
    stays = pl.col("topic_id").is_in(list(held))
    nowhere = pl.lit(float("nan"))
    return topics.with_columns(
        label=pl.when(stays).then("label"),
        x=pl.when(stays).then("x").otherwise(nowhere),
        y=pl.when(stays).then("y").otherwise(nowhere),
        summary=pl.lit(None, dtype=pl.String),
        keywords=pl.lit([], dtype=STRINGS),
        examples=pl.lit([], dtype=STRINGS),
    )


def _keep(
    table: ProjectTable, rows: pl.LazyFrame, inputs: int | None = None, marks: dict[str, int] | None = None
) -> None:
    """After this call `rows` are all that the project has in the table; without a commit if they are so already."""
    kept = rows.collect()
    if kept.height < int(table.sizes()["n_rows"].sum()):
        table.replace(kept.sort(*table.table.key), inputs=inputs, marks=marks)
