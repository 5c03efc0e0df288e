"""What goes from topics once events were taken back, or erased: all that only those said.

The fit that follows keeps the ids of topics, and what people decided about them. Where few texts went (`Lost.is_few`)
it keeps the topics too, as any fit does, and the labels of those that lost none. Where many did it finds topics anew,
as if those events had never been. Key words, examples, and labels of topics that lost texts are found anew always.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.stages.fits.field import Tables
from turret_pipeline.stages.fits.lost import Lost
from turret_pipeline.stages.fits.marks import TALLY, field_mark
from turret_pipeline.stages.stage import UNFINISHED

FORGOT = "forgot"
"""Name of the mark of `topic_assignments` that says for which time that events were taken back texts have gone."""


def forget(tables: Tables, fields: Collection[str], taken_back: int) -> dict[str, Lost]:
    """After this call only `fields` have rows, and only texts that messages have are assigned.

    Return what each field lost; nothing where a call before began with it and was killed. tables: of one project;
    fields: those that are text. taken_back: number of the time that events were taken back.
    """
    said = tables.messages.scan().select("field", "text_id").unique()
    assigned = tables.assignments.scan()
    lost = {} if tables.assignments.mark(FORGOT) == taken_back else _lost(assigned, said)
    is_kept = pl.col("field").is_in(list(fields))
    gone = assigned.filter(~is_kept).select("field").unique().collect()["field"]
    tally = {field_mark(name, field): 0 for field in gone for name in TALLY} | {FORGOT: taken_back}
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
    return lost


def _lost(assigned: pl.LazyFrame, said: pl.LazyFrame) -> dict[str, Lost]:
    gone = assigned.join(said, on=["field", "text_id"], how="anti").group_by("field")
    of_gone = gone.agg(n_texts=pl.len(), topic_ids=pl.col("topic_id").drop_nulls().unique())
    had = assigned.group_by("field").agg(n_before=pl.len())
    rows = had.join(of_gone, on="field", how="left").select("field", "n_before", "n_texts", "topic_ids").collect()
    return {
        field: Lost(n_texts or 0, n_before, frozenset(topic_ids or ()))
        for field, n_before, n_texts, topic_ids in rows.iter_rows()
    }


def _keep(
    table: ProjectTable, rows: pl.LazyFrame, inputs: int | None = None, marks: dict[str, int] | None = None
) -> None:
    """After this call `rows` are all that the project has in the table; without a commit if they are so already."""
    kept = rows.collect()
    if kept.height < int(table.sizes()["n_rows"].sum()):
        table.replace(kept.sort(*table.table.key), inputs=inputs, marks=marks)
