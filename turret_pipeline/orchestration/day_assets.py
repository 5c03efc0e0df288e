"""Assets by day of receipt and project: the raw events, and what is made from them day by day."""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from turret_pipeline.lake.parts import list_parts
from turret_pipeline.orchestration.attempts import Attempts
from turret_pipeline.orchestration.partitions import DAYS_BY_PROJECT, FIRST_DAY, day_key, days_by_project
from turret_pipeline.orchestration.table_metadata import (
    COLUMN_LINEAGE,
    NO_ROWS,
    OWNERS,
    RAW_EVENTS,
    asset_spec,
    lineage,
    row_counts,
    shown_failures,
)
from turret_pipeline.orchestration.verdicts import check_results, check_specs
from turret_pipeline.orchestration.workshop import RefreshResource, Workshop
from turret_pipeline.stages.stage import Stage
from turret_pipeline.stages.work import Outcome, Work

RAW_MEANING = (
    "Events as the collectors append them: immutable Parquet files, one folder a project and UTC day of receipt."
)


def raw_events() -> dg.AssetSpec:
    """Return the asset of the raw events, which Dagster knows and does not make."""
    return dg.AssetSpec(
        RAW_EVENTS,
        partitions_def=DAYS_BY_PROJECT,
        group_name="events",
        kinds={"parquet"},
        owners=OWNERS,
        description=RAW_MEANING,
    )


def day_asset(stage: Stage) -> dg.AssetsDefinition:
    """Return the asset whose table the stage brings up to date, day after day, project after project."""
    (product,) = stage.makes
    table = product.table

    @dg.multi_asset(
        name=stage.step,
        specs=[asset_spec(stage, product)],
        partitions_def=DAYS_BY_PROJECT,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=check_specs(product),
        pool=stage.pool,
    )
    def asset(
        context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop], refresh: RefreshResource
    ) -> Iterator[dg.MaterializeResult[Any]]:
        attempts = Attempts(context)
        wanted = days_by_project(context.partition_keys)
        for project, days in wanted.items():
            with (
                attempts.at(*(day_key(day, project) for day in days)),
                workshop.work(project, refresh.full, context.log.info) as work,
            ):
                for outcome in _try_all(stage, work, _with_earlier(work, days), attempts, context.log):
                    workshop.done(project, outcome)
                    for day, rows in outcome.days.items():
                        attempts.show(day_key(day, project), table.name, {"rows written": rows})
                counts, origin = row_counts(work.open(table)), {COLUMN_LINEAGE: lineage(stage, product)}
                failures = shown_failures(work, table.name)
                for day in days:
                    shown = counts.get(day, NO_ROWS) | origin | failures.get(day, {})
                    attempts.show(day_key(day, project), table.name, shown)
        attempts.settle()
        results = list(check_results(workshop, product, wanted, context.log.info))
        yield dg.MaterializeResult(asset_key=table.name, check_results=results)

    return asset


def _try_all(
    stage: Stage, work: Work, days: Sequence[dt.date], attempts: Attempts, log: dg.DagsterLogManager
) -> Iterator[Outcome]:
    """Yield what became of all days at once; if that fails, of each day that can be brought up to date by itself."""
    try:
        yield from stage.bring(work, days)
    except Exception as error:
        if len(days) == 1:
            raise
        log.warning(f"{work.project_id}: {type(error).__name__}: {error}; now each of the {len(days)} days by itself")
        for day in days:
            with attempts.at(day_key(day, work.project_id)):
                yield from stage.bring(work, [day])


def _with_earlier(work: Work, days: Sequence[dt.date]) -> Sequence[dt.date]:
    """Return `days`, and with the first partition the days before it."""
    if FIRST_DAY not in days:
        return days
    there = {part.received_date for part in list_parts(work.lake, work.project_id)}
    return sorted({day for day in there if day < FIRST_DAY} | set(days))
