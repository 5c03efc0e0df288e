"""Runs that call a part of `turret_api`, which this package does not know: the process, and when the next may start.

The part writes its log to stderr, which goes to the run's as it comes, and one JSON object as its last line to stdout.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import orjson

from turret_pipeline.orchestration.sensor import UNFINISHED
from turret_pipeline.orchestration.workshop import Workshop

AFTER_FAILURE_S = 600.0
"""Seconds from a run that failed to the next one, Dagster's own retries aside."""


def call(module: str, arguments: Sequence[str], workshop: Workshop, say: Callable[[str], Any]) -> dict[str, Any]:
    """Run `python -m module`, and end it with this run; return what came of it.

    Raise `dagster.Failure` where it ends with another status than 0. say: told each line of its log.
    """
    environment = {**os.environ, "TURRET_DATABASE_URL": workshop.database_url}
    command = [sys.executable, "-m", module, *arguments]
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(command, env=environment, stdout=told, stderr=subprocess.PIPE) as process,
    ):
        try:
            assert process.stderr is not None
            for line in process.stderr:
                say(line.decode(errors="replace").rstrip())
            process.wait()
        except BaseException:
            process.kill()  # the run was cancelled
            raise
        if process.returncode:
            raise dg.Failure(f"{module} ended with status {process.returncode}; its last lines are in the log")
        told.seek(0)
        found: dict[str, Any] = orjson.loads(told.read().splitlines()[-1])
        return found


def held_back(instance: dg.DagsterInstance, job_name: str, *, after_failure: bool = True) -> str | None:
    """Return why no run of the job may start now, in words; None: one may.

    after_failure: whether a failure a short time ago holds it back.
    """
    if instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=UNFINISHED), limit=1):
        return "a run is under way"
    since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=AFTER_FAILURE_S)
    failed = dg.RunsFilter(job_name=job_name, statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    if after_failure and instance.get_runs(failed, limit=1):
        return "the last run failed a short time ago"
    return None
