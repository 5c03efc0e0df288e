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
from turret_pipeline.stages.erasure.together import Together
from turret_pipeline.stages.stage import TAKEN_BACK


def remains(lake: Lake, gone: Together) -> list[str]:
    """Return in words what is left of the erasures, by place; none: nothing is.

    What came since, and has an id or a text of what was erased, is none of it.
    """
    return [*_raw(lake, gone), *_rows(lake, gone), *_not_forgotten(lake, gone.project_id)]


def _raw(lake: Lake, gone: Together) -> Iterator[str]:
    """Look into the files that had some: others had none, and what came since is new."""
    for part in list_all_files(lake, gone.project_id):
        if (part.received_date, part.name) in gone.files and gone.selection.of(read_parts(lake, [part])).height:
            yield f"raw events in {part.name}"


def _rows(lake: Lake, gone: Together) -> Iterator[str]:
    events = store.scan(lake, EVENTS, gone.project_id)
    ids = pl.Series(gone.event_ids, dtype=pl.String).implode()
    # An event of the same id that is none of those that are erased took the place of one.
    of_ids = events.filter(pl.col("event_id").is_in(ids)).collect()
    others = set(of_ids["event_id"]) - set(gone.selection.of(of_ids)["event_id"])
    left = {
        "event_id": set(gone.event_ids) - others,
        "session_id": _without(gone.session_ids, events, "session_id", gone),
        "user_id": _without(gone.user_ids, events, "user_id", gone),
    }
    messages = store.scan(lake, MESSAGES, gone.project_id)
    left["text_id"] = _without(gone.text_ids, messages, "text_id", gone)
    for table in TABLES.values():
        rows = store.scan(lake, table, gone.project_id)
        for column in left.keys() & set(table.schema.names()):
            wanted = pl.Series(sorted(left[column]), dtype=pl.String).implode()
            n_rows = rows.filter(pl.col(column).is_in(wanted)).select(pl.len()).collect(engine="streaming").item()
            if n_rows:
                yield f"{n_rows} rows of {table.name} by {column}"


def _without(values: list[str], rows: pl.LazyFrame, column: str, gone: Together) -> set[str]:
    """Return those of `values` that no row has in the column but those of events that are erased."""
    is_erased = pl.col("event_id").is_in(pl.Series(gone.event_ids, dtype=pl.String).implode())
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
