"""Assets by day of receipt and project: raw events, events, profiles of the metadata fields."""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
import datetime as dt
from collections.abc import Callable, Sequence

import dagster as dg

from turret_pipeline.assets.room import (
    OWNERS,
    RefreshResource,
    Workshop,
    check_results,
    check_specs,
    days_by_project,
    described,
    show,
)
from turret_pipeline.lake.tables import EVENTS, FIELD_PROFILES
from turret_pipeline.stages.events import bring_events
from turret_pipeline.stages.fields import bring_field_profiles
from turret_pipeline.stages.work import Outcome, Work

RAW_EVENTS = "raw_events"
RAW_MEANING = (
    "Events as the collectors append them: immutable Parquet files, one folder a project and UTC day of receipt."
)

Stage = Callable[[Work, Sequence[dt.date]], Outcome]


def event_assets(partitions: dg.MultiPartitionsDefinition) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return the assets of this room, over `partitions` (day of receipt by project)."""

    @dg.asset(
        name=EVENTS.name,
        deps=[RAW_EVENTS],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="events",
        kinds={"deltalake", "polars"},
        owners=OWNERS,
        description=f"{EVENTS.meaning} The first that was received wins.",
        metadata=described(EVENTS),
        check_specs=check_specs(EVENTS),
        code_version="1",
    )
    def events(
        context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop], refresh: RefreshResource
    ) -> dg.MaterializeResult:
        return _by_day(context, workshop, refresh, bring_events)

    @dg.asset(
        name=FIELD_PROFILES.name,
        deps=[events],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="events",
        kinds={"deltalake", "polars"},
        owners=OWNERS,
        description=f"{FIELD_PROFILES.meaning} From these Turret tells texts from enums and numbers.",
        metadata=described(FIELD_PROFILES),
        check_specs=check_specs(FIELD_PROFILES),
        code_version="1",
    )
    def field_profiles(
        context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop], refresh: RefreshResource
    ) -> dg.MaterializeResult:
        return _by_day(context, workshop, refresh, bring_field_profiles)

    raw = dg.AssetSpec(
        RAW_EVENTS,
        partitions_def=partitions,
        group_name="events",
        kinds={"parquet"},
        owners=OWNERS,
        description=RAW_MEANING,
    )
    return [raw, events, field_profiles]


def _by_day(
    context: dg.AssetExecutionContext, workshop: Workshop, refresh: RefreshResource, stage: Stage
) -> dg.MaterializeResult:
    """Run a stage over the days of each project of the run."""
    wanted = days_by_project(context.partition_keys)
    name = context.asset_key.to_user_string()
    for project, days in wanted.items():
        with workshop.work(project, refresh.full, context.log.info) as work:
            outcome = stage(work, days)
        workshop.done(project, outcome)
        for day in days:
            rows = outcome.days.get(day, 0)
            context.add_asset_metadata({"rows written": rows}, partition_key=f"{day.isoformat()}|{project}")
        show(context, outcome)
    return dg.MaterializeResult(check_results=list(check_results(workshop.lake, name, list(wanted))))
