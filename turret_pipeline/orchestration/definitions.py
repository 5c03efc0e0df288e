"""Everything that Dagster is given, assembled by one function: for its servers, foreground builds and tests."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import dagster as dg

from turret_pipeline.orchestration.alerts import alerts_job, alerts_sensor, told_alerts
from turret_pipeline.orchestration.batches import BATCH, BatchResource
from turret_pipeline.orchestration.day_assets import day_asset, raw_events
from turret_pipeline.orchestration.erasures import erased_events, erasures_job, erasures_sensor
from turret_pipeline.orchestration.executor import leased_executor
from turret_pipeline.orchestration.keeping import keeping_job, keeping_schedule, retained_texts
from turret_pipeline.orchestration.leases import Leases
from turret_pipeline.orchestration.maintenance import MAINTENANCE, maintenance_jobs, maintenance_schedules
from turret_pipeline.orchestration.project_assets import project_assets
from turret_pipeline.orchestration.sensor import EVENTS_JOB, MODELS_JOB, new_events_sensor
from turret_pipeline.orchestration.workshop import RefreshResource, Workshop
from turret_pipeline.stages import STAGES
from turret_pipeline.stages.stage import Stage


def build_definitions(workshop: Workshop, stages: Sequence[Stage] = STAGES) -> dg.Definitions:
    """Return the assets, the jobs that chain them, the sensors that start these, and what looks after the rest."""
    if workshop.settings.ray_address is not None:
        # A pool is one for the cluster. There, how much a node does at once is told by what runs and tasks reserve.
        stages = [replace(stage, pool=None) for stage in stages]
    with warnings.catch_warnings():
        # `backfill_policy` is called beta with each asset; the pinned version has what is used here.
        warnings.simplefilter("ignore", dg.BetaWarning)
        by_day = [day_asset(stage) for stage in stages if stage.by_day]
        by_project = [project_assets(stage) for stage in stages if not stage.by_day]
    jobs = [
        dg.define_asset_job(
            EVENTS_JOB,
            dg.AssetSelection.assets(*by_day),
            description="Raw events of some days become events and profiles of their fields.",
        ),
        dg.define_asset_job(
            MODELS_JOB,
            dg.AssetSelection.assets(*by_project),
            description="A project's field types, messages, vectors, topics and journeys are brought up to date.",
        ),
    ]
    alerts, erasures = alerts_job(), erasures_job()
    return dg.Definitions(
        assets=[raw_events(), *by_day, *by_project, *MAINTENANCE, retained_texts, told_alerts, erased_events],
        jobs=[*jobs, *maintenance_jobs(), keeping_job(), alerts, erasures],
        schedules=[*maintenance_schedules(), keeping_schedule()],
        sensors=[
            new_events_sensor(workshop.settings, jobs, stages),
            alerts_sensor(workshop.settings, alerts),
            erasures_sensor(workshop.settings, erasures),
        ],
        executor=leased_executor(Leases(workshop.settings.database_url)),
        resources={
            "workshop": workshop,
            "refresh": RefreshResource.configure_at_launch(),
            BATCH: BatchResource.configure_at_launch(),
        },
    )
