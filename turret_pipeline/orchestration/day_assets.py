"""Assets by day of receipt and project: the raw events, and what is made from them day by day."""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from turret_pipeline.lake.parts import Part, list_parts, parts_by_day
from turret_pipeline.orchestration.attempts import Attempts, Shown
from turret_pipeline.orchestration.batch_step import batch_step
from turret_pipeline.orchestration.batches import BatchResource
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
        context: dg.AssetExecutionContext,
        workshop: dg.ResourceParam[Workshop],
        refresh: RefreshResource,
        batch: BatchResource,
    ) -> Iterator[dg.MaterializeResult[Any]]:
        if batch.partitions:
            by_project = days_by_project(batch.partitions)
            yield from batch_step(
                context,
                workshop,
                stage,
                {project: [day_key(day, project) for day in days] for project, days in by_project.items()},
                refresh.full,
                lambda work: stage.bring(work, _with_earlier(work, by_project[work.project_id])),
                lambda work, outcomes: (
                    _shown(stage, work, by_project[work.project_id], outcomes)
                    | ({} if stage.reads else _shown_parts(work, by_project[work.project_id]))
                ),
            )
            return
        attempts = Attempts(context)
        wanted = days_by_project(context.partition_keys)
        for project, days in wanted.items():
            with (
                attempts.at(*(day_key(day, project) for day in days)),
                workshop.work(project, refresh.full, context.log.info) as work,
            ):
                outcomes = []
                for outcome in _try_all(stage, work, _with_earlier(work, days), attempts, context.log):
                    workshop.done(project, outcome)
                    outcomes.append(outcome)
                attempts.show(_shown(stage, work, days, outcomes))
        attempts.settle()
        results = list(check_results(workshop, product, wanted, context.log.info))
        yield dg.MaterializeResult(asset_key=table.name, check_results=results)

    return asset


def _shown(stage: Stage, work: Work, days: Sequence[dt.date], outcomes: Sequence[Outcome]) -> Shown:
    """Return what is shown of each day of a project."""
    (product,) = stage.makes
    table = product.table
    counts, origin = row_counts(work.open(table)), {COLUMN_LINEAGE: lineage(stage, product)}
    failures = shown_failures(work, table.name)
    written = {day: {"rows written": rows} for outcome in outcomes for day, rows in outcome.days.items()}
    return {
        (table.name, day_key(day, work.project_id)): written.get(day, {})
        | counts.get(day, NO_ROWS)
        | origin
        | failures.get(day, {})
        for day in sorted({*days, *written})
    }


def _shown_parts(work: Work, days: Sequence[dt.date]) -> Shown:
    """Return what is shown of the raw events of each day of a project."""
    parts = list_parts(work.lake, work.project_id)
    return {
        (RAW_EVENTS, str(each.partition)): dict(each.metadata) for each in raw_reports(work.project_id, parts, days)
    }


def raw_reports(project: str, parts: Sequence[Part], days: Sequence[dt.date]) -> Iterator[dg.AssetMaterialization]:
    """Yield for each of `days` what lies there, for the external asset of the raw events."""
    found = parts_by_day(parts)
    for day in days:
        there = found.get(day, [])
        size = sum(part.size_bytes for part in there)
        yield dg.AssetMaterialization(
            RAW_EVENTS,
            partition=day_key(day, project),
            metadata={"parts": len(there), "size_bytes": size},
        )


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
