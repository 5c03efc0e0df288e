"""Assets that look after the rest: small files put together, old files and old runs taken away, each on a schedule.

They are assets so that what they did is plotted like anything else. None of them has partitions: each goes through all
projects, and leaves those that are being built for the next time.
"""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
import datetime as dt
from typing import Any

import dagster as dg

from turret_pipeline.lake.deletion import remove_late_events
from turret_pipeline.lake.locks import BusyError, sole_writer
from turret_pipeline.lake.parts import list_projects
from turret_pipeline.lake.tables import TABLES
from turret_pipeline.lake.upkeep import Sizes, compact_project, remove_old_files
from turret_pipeline.orchestration.retention import forget_runs
from turret_pipeline.orchestration.table_metadata import OWNERS
from turret_pipeline.orchestration.workshop import Workshop

Result = dg.MaterializeResult[Any]
COMPACTION_JOB, CLEANING_JOB = "compaction_of_tables", "cleaning"
PATIENCE_S = 2.0


@dg.asset(
    group_name="maintenance",
    kinds={"deltalake"},
    owners=OWNERS,
    description="Small files of the tables, put together so that reading stays quick. Changes no row; hourly.",
)
def compacted_tables(context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop]) -> Result:
    """Compact every table of every project that is not being built."""
    lake, total, busy = workshop.lake, Sizes(), []
    for project in list_projects(lake):
        try:
            with sole_writer(workshop.database_url, lake, project, patience_s=PATIENCE_S):
                total = sum(compact_project(lake, project).values(), total)
        except BusyError:
            busy.append(project)
    context.log.info(f"{total.files_before} files became {total.files_after}")
    metadata = {
        "files before": total.files_before,
        "files after": total.files_after,
        "bytes written": total.n_bytes,
        "projects left for next time": len(busy),
    }
    return dg.MaterializeResult(metadata=metadata)


@dg.asset(
    group_name="maintenance",
    kinds={"deltalake"},
    owners=OWNERS,
    description="Files that no version of the last seven days uses, removed from the tables; nightly.",
)
def vacuumed_tables(context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop]) -> Result:
    """Remove what is old from every table, and note the table's state for quick opening."""
    removed = {name: remove_old_files(workshop.lake, table) for name, table in TABLES.items()}
    if late := remove_late_events(workshop.lake):
        context.log.info(f"events of {late} deleted projects had come late, and were removed")
    context.log.info(f"{sum(removed.values())} files were removed")
    return dg.MaterializeResult(metadata={"files removed": sum(removed.values()), "by table": removed})


@dg.asset(
    group_name="maintenance",
    kinds={"postgres"},
    owners=OWNERS,
    description="Dagster's history of runs without the old ones; the latest of every partition is kept; nightly.",
)
def retained_runs(context: dg.AssetExecutionContext) -> Result:
    """Forget old runs on which nothing rests."""
    forgotten, held = forget_runs(context.instance, dt.datetime.now(dt.UTC))
    return dg.MaterializeResult(metadata={"runs forgotten": forgotten, "old runs kept for a partition": held})


MAINTENANCE = [compacted_tables, vacuumed_tables, retained_runs]


def maintenance_jobs() -> list[Any]:
    """Return the jobs of the schedules."""
    return [
        dg.define_asset_job(
            COMPACTION_JOB,
            dg.AssetSelection.assets(compacted_tables),
            description="Puts small files of the tables together.",
        ),
        dg.define_asset_job(
            CLEANING_JOB,
            dg.AssetSelection.assets(vacuumed_tables, retained_runs),
            description="Takes old files and old runs away.",
        ),
    ]


def maintenance_schedules() -> list[dg.ScheduleDefinition]:
    """Return when they run, in UTC; on from the first start."""
    running = dg.DefaultScheduleStatus.RUNNING
    return [
        dg.ScheduleDefinition(job_name=COMPACTION_JOB, cron_schedule="23 * * * *", default_status=running),
        dg.ScheduleDefinition(job_name=CLEANING_JOB, cron_schedule="41 3 * * *", default_status=running),
    ]
