"""Looking after the tables' files: small ones are put together, and files that no recent version uses are removed.

Raw parts are left alone: they are immutable. Compaction changes no row and no mark, so no stage has anything to do
after it; the files that it makes one of stay, for readers and for time travel. Only `remove_old_files` removes files:
those that left the table more than `KEPT_FOR` ago, or never came into it because their writer was killed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import deltalake
import orjson
import polars as pl

from turret_pipeline.lake import store, sums
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES, Table

MOST_FILES = 8
"""Files of one partition up to which it is left as it is."""
KEPT_FOR = dt.timedelta(days=7)
"""How far back every version of a table can be read; no reader holds one for so long."""


@dataclass(frozen=True)
class Sizes:
    """How many files there were, and are; and the bytes that were written, or freed."""

    files_before: int = 0
    files_after: int = 0
    n_bytes: int = 0

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(
            self.files_before + other.files_before,
            self.files_after + other.files_after,
            self.n_bytes + other.n_bytes,
        )


def compact(lake: Lake, table: Table, project_id: str, most_files: int = MOST_FILES) -> Sizes:
    """After this call no partition of the project has many small files; one commit a partition.

    Call it with the project's lock: the commit of a stage that replaces rows meanwhile would be refused.
    """
    if store.open_table(lake, table) is None:
        return Sizes()
    opened = ProjectTable(lake, table, project_id)
    sizes = opened.sizes()
    total = Sizes(n := int(sizes["n_files"].sum()), n)
    for (day,) in sizes.filter(pl.col("n_files") > most_files).select("received_date").rows():
        where = [("project_id", "=", project_id)]
        where += [] if day is None else [("received_date", "=", day.isoformat())]
        opened.verify()  # or damage would be put together with the rest, under a new checksum
        # Opened anew: another project may have committed, and this commit must not be refused for it.
        delta = deltalake.DeltaTable(lake.table(table.name))
        before = delta.version()
        done = delta.optimize.compact(
            partition_filters=where,
            writer_properties=store.writer(table),
            post_commithook_properties=store.after_commit(lake),
        )
        sums.seal_commits(lake, table, before, delta.version())
        removed, added = int(done["numFilesRemoved"]), int(done["numFilesAdded"])
        written = int(orjson.loads(done["filesAdded"])["totalSize"])
        total = total + Sizes(0, added - removed, written)
    return total


def remove_old_files(lake: Lake, table: Table, kept_for: dt.timedelta = KEPT_FOR) -> int:
    """After this call no file is left that no version of the last `kept_for` uses; return how many were removed."""
    opened = store.open_table(lake, table)
    if opened is None:
        return 0
    hours = int(kept_for.total_seconds() // 3600)
    removed = opened.vacuum(hours, dry_run=False, enforce_retention_duration=kept_for >= KEPT_FOR, full=True)
    if not lake.is_local:
        opened.cleanup_metadata()  # which a commit does on a local lake
    sums.tidy(lake, table.name)
    return len(removed)


def compact_project(lake: Lake, project_id: str) -> dict[str, Sizes]:
    """Compact every table of a project; return what became of each, by name. See `compact` on the lock."""
    return {table.name: compact(lake, table, project_id) for table in TABLES.values()}
