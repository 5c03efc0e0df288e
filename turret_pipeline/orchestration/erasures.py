"""When erasures that were asked for by `/v1` are performed: a sensor that asks Postgres once a minute.

Its run calls `python -m turret_api.erasing`, for this package does not know the other; what that says is its log.
Neither has a word of what is erased. The daemon of one host is elected, so one run at a time performs them.
"""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
import contextlib
import datetime as dt
import os
import subprocess
import sys
from typing import Any

import dagster as dg
import orjson
import psycopg2

from turret_pipeline.lake.session import open_session
from turret_pipeline.orchestration.sensor import UNFINISHED
from turret_pipeline.orchestration.table_metadata import OWNERS
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings

ERASURES_JOB = "erasures"
TICK_S = 60
AFTER_FAILURE_S = 600.0
"""Seconds from a run that left an erasure undone to the next one, where nothing new was asked for."""

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
    found = _run(workshop, context.log.info)
    if found["failed"]:
        raise dg.Failure(f"{len(found['failed'])} erasures are not done: {'; '.join(found['failed'])}")
    return dg.MaterializeResult(metadata={"erasures": found["done"]})


def _run(workshop: Workshop, say: Any) -> dict[str, Any]:
    """Run the other package's part, whose log goes to the run's; return what came of it."""
    environment = {**os.environ, "TURRET_DATABASE_URL": workshop.database_url}
    command = [sys.executable, "-m", "turret_api.erasing"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        last = b"{}"
        try:
            assert process.stdout is not None
            for line in process.stdout:
                say(line.decode(errors="replace").rstrip())
                last = line
        except BaseException:
            process.kill()  # the run was cancelled
            raise
    if process.returncode:
        raise dg.Failure(f"turret_api.erasing ended with status {process.returncode}; its last lines are in the log")
    found: dict[str, Any] = orjson.loads(last)
    return found


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
        if context.instance.get_runs(dg.RunsFilter(job_name=ERASURES_JOB, statuses=UNFINISHED), limit=1):
            return dg.SensorResult(skip_reason="a run is under way")
        since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=AFTER_FAILURE_S)
        failed = dg.RunsFilter(job_name=ERASURES_JOB, statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
        if not n_new and context.instance.get_runs(failed, limit=1):
            return dg.SensorResult(skip_reason="the last run failed a short time ago")
        return dg.SensorResult(run_requests=[dg.RunRequest()])

    return erasures
