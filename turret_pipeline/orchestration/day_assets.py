"""Assets by day of receipt and project: raw events, events, profiles of the metadata fields."""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
import datetime as dt
from collections.abc import Callable, Iterator, Sequence

import dagster as dg

from turret_pipeline.lake.parts import list_parts
from turret_pipeline.lake.tables import EVENTS, FIELD_PROFILES, Table
from turret_pipeline.orchestration.attempts import Attempts
from turret_pipeline.orchestration.columns import COLUMN_LINEAGE, RAW_EVENTS, described, lineage
from turret_pipeline.orchestration.verdicts import check_results, check_specs
from turret_pipeline.orchestration.workshop import (
    DAYS_BY_PROJECT,
    FIRST_DAY,
    NO_ROWS,
    OWNERS,
    RefreshResource,
    Workshop,
    day_key,
    days_by_project,
    row_counts,
)
from turret_pipeline.stages.events import bring_events
from turret_pipeline.stages.fields import bring_field_profiles
from turret_pipeline.stages.work import Outcome, Work

RAW_MEANING = (
    "Events as the collectors append them: immutable Parquet files, one folder a project and UTC day of receipt."
)

Stage = Callable[[Work, Sequence[dt.date]], Outcome]


def event_assets() -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return the assets of this room, over days of receipt by project."""
    raw = dg.AssetSpec(
        RAW_EVENTS,
        partitions_def=DAYS_BY_PROJECT,
        group_name="events",
        kinds={"parquet"},
        owners=OWNERS,
        description=RAW_MEANING,
    )
    return [
        raw,
        _asset(
            bring_events,
            EVENTS,
            after=RAW_EVENTS,
            about="Every event that your app tracked, once, by the day on which it was received. An event that came "
            "twice is kept once: the first that was received wins.",
        ),
        _asset(
            bring_field_profiles,
            FIELD_PROFILES,
            after=EVENTS.name,
            about="What the values of each metadata field looked like on one day. From these Turret tells texts from "
            "choices and numbers.",
        ),
    ]


def _asset(stage: Stage, table: Table, *, after: str, about: str) -> dg.AssetsDefinition:
    """Return the asset that brings one table up to date, day after day, project after project."""

    @dg.asset(
        name=table.name,
        deps=[after],
        partitions_def=DAYS_BY_PROJECT,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="events",
        kinds={"deltalake", "polars"},
        owners=OWNERS,
        description=about,
        metadata=described(table, (after,)),
        check_specs=check_specs(table),
        code_version="1",
    )
    def asset(
        context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop], refresh: RefreshResource
    ) -> dg.MaterializeResult:
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
                counts, origin = row_counts(work.open(table)), {COLUMN_LINEAGE: lineage(table, (after,))}
                for day in days:
                    attempts.show(day_key(day, project), table.name, counts.get(day, NO_ROWS) | origin)
        attempts.settle()
        results = check_results(workshop, table.name, wanted, context.log.info)
        return dg.MaterializeResult(check_results=list(results))

    return asset


def _try_all(
    stage: Stage, work: Work, days: Sequence[dt.date], attempts: Attempts, log: dg.DagsterLogManager
) -> Iterator[Outcome]:
    """Yield the outcome of all days at once; if that fails, of each day that can be brought up to date by itself."""
    try:
        yield stage(work, days)
    except Exception as error:
        if len(days) == 1:
            raise
        log.warning(f"{work.project_id}: {type(error).__name__}: {error}; now each of the {len(days)} days by itself")
        for day in days:
            with attempts.at(day_key(day, work.project_id)):
                yield stage(work, [day])


def _with_earlier(work: Work, days: Sequence[dt.date]) -> Sequence[dt.date]:
    """Return `days`, and with the first partition the days before it."""
    if FIRST_DAY not in days:
        return days
    there = {part.received_date for part in list_parts(work.lake, work.project_id)}
    return sorted({day for day in there if day < FIRST_DAY} | set(days))
