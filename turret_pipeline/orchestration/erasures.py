"""When erasures that were asked for by `/v1` are performed: a sensor that asks Postgres once a minute.

Its run calls `python -m turret_api.erasing`, for this package does not know the other; what that says is its log.
Neither has a word of what is erased. The daemon of one host is elected, so one run at a time performs them.
"""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
import contextlib
from typing import Any

import dagster as dg
import psycopg2

from turret_pipeline.lake.session import open_session
from turret_pipeline.orchestration.other_package import call, held_back
from turret_pipeline.orchestration.table_metadata import OWNERS
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings

ERASURES_JOB = "erasures"
TICK_S = 60

Result = dg.MaterializeResult[Any]
_THERE = "SELECT to_regclass('turret.erasures') IS NOT NULL"
_WAITING = "SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FROM turret.erasures WHERE wanted IS NOT NULL"


def waiting(settings: Settings) -> tuple[int, int]:
    """Return how many erasures were not begun yet, and how many are not done; raise psycopg2's errors."""
    if settings.database_url is None:
        return 0, 0
    with contextlib.closing(open_session(settings.database_url, "turret erasures")) as session, session.cursor() as sql:
        sql.execute(_THERE)
        (is_there,) = sql.fetchone() or (False,)
        if not is_there:
            return 0, 0
        sql.execute(_WAITING)
        return sql.fetchone() or (0, 0)


@dg.asset(
    group_name="maintenance",
    kinds={"postgres", "deltalake"},
    owners=OWNERS,
    description="What was asked to be erased by the API, taken out of everything.",
)
def erased_events(context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop]) -> Result:
    """Perform the erasures that wait."""
    found = call("turret_api.erasing", (), workshop, context.log.info)
    if found["failed"]:
        raise dg.Failure(f"{len(found['failed'])} erasures are not done: {'; '.join(found['failed'])}")
    return dg.MaterializeResult(metadata={"erasures": found["done"]})


def erasures_job() -> Any:
    """Return the job that the sensor starts."""
    return dg.define_asset_job(
        ERASURES_JOB,
        dg.AssetSelection.assets(erased_events),
        description="Performs erasures that were asked for by the API.",
    )


def erasures_sensor(settings: Settings, job: Any) -> dg.SensorDefinition:
    """Return the sensor that starts the job when an erasure waits."""

    @dg.sensor(
        name="erasures",
        job=job,
        minimum_interval_seconds=TICK_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks for erasures that were asked for by the API.",
    )
    def erasures(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        try:
            n_new, n_left = waiting(settings)
        except psycopg2.Error as error:
            return dg.SensorResult(skip_reason=f"the database did not answer: {str(error).strip()}")
        if not n_left:
            return dg.SensorResult(skip_reason="no erasure waits")
        # What nobody has tried yet does not wait for what could not be done.
        if reason := held_back(context.instance, ERASURES_JOB, after_failure=not n_new):
            return dg.SensorResult(skip_reason=reason)
        return dg.SensorResult(run_requests=[dg.RunRequest()])

    return erasures
