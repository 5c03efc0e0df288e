"""Everything that Dagster is given, assembled by one function: for its servers, foreground builds and tests."""

from __future__ import annotations

import warnings

import dagster as dg

from turret_pipeline.orchestration.day_assets import event_assets
from turret_pipeline.orchestration.maintenance import MAINTENANCE, maintenance_jobs, maintenance_schedules
from turret_pipeline.orchestration.project_assets import model_assets
from turret_pipeline.orchestration.sensor import EVENTS_JOB, MODELS_JOB, new_events_sensor
from turret_pipeline.orchestration.workshop import RefreshResource, Workshop


def build_definitions(workshop: Workshop) -> dg.Definitions:
    """Return the assets, the two jobs that chain them, the sensor that starts these, and what looks after the rest."""
    with warnings.catch_warnings():
        # `backfill_policy` is called beta with each asset; the pinned version has what is used here.
        warnings.simplefilter("ignore", dg.BetaWarning)
        by_day, by_project = event_assets(), model_assets()
    executable = [asset for asset in by_day if isinstance(asset, dg.AssetsDefinition)]
    jobs = [
        dg.define_asset_job(
            EVENTS_JOB,
            dg.AssetSelection.assets(*executable),
            description="Raw events of some days become events and profiles of their fields.",
        ),
        dg.define_asset_job(
            MODELS_JOB,
            dg.AssetSelection.assets(*by_project),
            description="A project's field types, messages, vectors, topics and journeys are brought up to date.",
        ),
    ]
    return dg.Definitions(
        assets=[*by_day, *by_project, *MAINTENANCE],
        jobs=[*jobs, *maintenance_jobs()],
        schedules=maintenance_schedules(),
        sensors=[new_events_sensor(workshop.settings, jobs)],
        executor=dg.in_process_executor,
        resources={"workshop": workshop, "refresh": RefreshResource.configure_at_launch()},
    )
