"""Whether anything that was erased is still in a project's tables or raw events."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.parts import list_all_files, read_parts
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, MESSAGES, TABLES
from turret_pipeline.stages import STAGES
from turret_pipeline.stages.erasure.gathering import Gathered
from turret_pipeline.stages.stage import TAKEN_BACK


def remains(lake: Lake, gathered: Gathered) -> list[str]:
    """Return in words what is left of the erasure, by place; none: nothing is.

    What came since, and has an id or a text of what was erased, is none of it.
    """
    return [*_raw(lake, gathered), *_rows(lake, gathered), *_not_forgotten(lake, gathered.project_id)]


def _raw(lake: Lake, gathered: Gathered) -> Iterator[str]:
    """Look into the files that had some: others had none, and what came since is new."""
    wanted = set(gathered.files)
    for part in list_all_files(lake, gathered.project_id):
        if (part.received_date, part.name) in wanted and gathered.selection.of(read_parts(lake, [part])).height:
            yield f"raw events in {part.name}"


def _rows(lake: Lake, gathered: Gathered) -> Iterator[str]:
    events = store.scan(lake, EVENTS, gathered.project_id)
    ids = pl.Series(gathered.event_ids, dtype=pl.String).implode()
    # An event of the same id that is none of those that are erased took the place of one.
    of_ids = events.filter(pl.col("event_id").is_in(ids)).collect()
    others = set(of_ids["event_id"]) - set(gathered.selection.of(of_ids)["event_id"])
    gone = {
        "event_id": set(gathered.event_ids) - others,
        "session_id": _without(gathered.session_ids, events, "session_id", gathered),
        "user_id": _without(gathered.user_ids, events, "user_id", gathered),
    }
    messages = store.scan(lake, MESSAGES, gathered.project_id)
    gone["text_id"] = _without(gathered.text_ids, messages, "text_id", gathered)
    for table in TABLES.values():
        rows = store.scan(lake, table, gathered.project_id)
        for column in gone.keys() & set(table.schema.names()):
            wanted = pl.Series(sorted(gone[column]), dtype=pl.String).implode()
            n_rows = rows.filter(pl.col(column).is_in(wanted)).select(pl.len()).collect(engine="streaming").item()
            if n_rows:
                yield f"{n_rows} rows of {table.name} by {column}"


def _without(values: list[str], rows: pl.LazyFrame, column: str, gathered: Gathered) -> set[str]:
    """Return those of `values` that no row has in the column but those of events that are erased."""
    is_erased = pl.col("event_id").is_in(pl.Series(gathered.event_ids, dtype=pl.String).implode())
    wanted = pl.col(column).is_in(pl.Series(values, dtype=pl.String).implode())
    there = rows.filter(wanted & ~is_erased).select(pl.col(column).unique()).collect(engine="streaming")
    return set(values) - set(there[column])


def _not_forgotten(lake: Lake, project_id: str) -> Iterator[str]:
    """Name the tables that still remember what was taken out of `events`."""
    if store.open_table(lake, EVENTS) is None:
        return
    wanted = ProjectTable(lake, EVENTS, project_id).mark(TAKEN_BACK)
    for stage in STAGES:
        if stage.remembers and wanted is not None:
            if store.open_table(lake, stage.table) is None:
                continue
            if ProjectTable(lake, stage.table, project_id).mark(TAKEN_BACK) != wanted:
                yield f"{stage.table.name} was not made anew"
