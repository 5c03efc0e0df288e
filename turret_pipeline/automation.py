"""What starts runs by itself: one sensor that looks at the lake every few seconds.

Why a sensor that asks the lake, and not Dagster's automation conditions: these look at what Dagster was told, cost
seconds a tick at some ten thousand partitions, never try a failed partition again, and cannot see that a day came late.
The lake knows what is not done yet (`stages.pending`), whoever did the rest: a run, a backfill, `turret build`, or a
process that was killed.

A project has one run at a time. First the days with new parts (`EVENTS_JOB`), then what follows (`MODELS_JOB`). While
events stream in, `STREAM_GAP_S` lies between two runs over new parts; work that a run did not get done, because it
failed for good, is asked for again after `RETRY_S`, then after twice as long, up to `RETRY_MOST_S`.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from turret_pipeline.assets.events import RAW_EVENTS
from turret_pipeline.assets.room import DAY, PROJECT, PROJECTS
from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.parts import Part, list_parts
from turret_pipeline.lake.settings import Settings
from turret_pipeline.recover import PROCESS_TAG, lives
from turret_pipeline.stages.inputs import parts_by_day
from turret_pipeline.stages.pending import pending_days, pending_stages

EVENTS_JOB = "events_of_days"
MODELS_JOB = "models_of_project"

PROJECT_TAG = "turret/project"
"""Tag of the daemon's runs; the queue lets one a project run at a time."""
BUILDING_TAG = "turret/building"
"""Tag of a foreground build's runs; they are not queued, and the project's lock keeps them apart from the daemon's."""

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

BY_DAY = {"events", "field_profiles"}
"""Stages of `EVENTS_JOB`."""

TICK_S = 5
STREAM_GAP_S = 30.0
RETRY_S, RETRY_MOST_S = 60.0, 3600.0

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass
class Asked:
    """What was asked for last, for one project.

    Args:
        work: fingerprint of what was to be done.
        tries: how often just that was asked for.
        at: when, in seconds since 1970.
        events_at: when a run over new parts was asked for last.
    """

    work: int = 0
    tries: int = 0
    at: float = 0.0
    events_at: float = 0.0


def new_events_sensor(settings: Settings, jobs: Sequence[Any]) -> dg.SensorDefinition:
    """Return the sensor; `jobs` are those named `EVENTS_JOB` and `MODELS_JOB`."""

    @dg.sensor(
        name="new_events",
        jobs=jobs,
        minimum_interval_seconds=TICK_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Brings up to date whatever is not: new events first, then what follows from them.",
    )
    def new_events(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        asked = {name: Asked(**known) for name, known in json.loads(context.cursor or "{}").items()}
        return look(context.instance, settings, asked, time.time())

    return new_events


def look(instance: dg.DagsterInstance, settings: Settings, asked: dict[str, Asked], now: float) -> dg.SensorResult:
    """Return the runs to start now, with what is to be remembered of them; changes `asked`."""
    lake = settings.open_lake()
    parts = list_parts(lake)
    pending = pending_stages(lake, settings.model, parts=parts)
    busy = busy_projects(instance) if any(pending.values()) else set()
    runs: list[dg.RunRequest] = []
    seen: list[dg.AssetMaterialization] = []
    for project, stages in pending.items():
        if not stages or project in busy:
            continue
        last = asked.setdefault(project, Asked())
        by_day = bool(BY_DAY & stages.keys())
        if "events" in stages and "field_profiles" not in stages and now < last.events_at + STREAM_GAP_S:
            # Between two helpings of a stream what follows from the last one has its turn.
            stages = {name: inputs for name, inputs in stages.items() if name != "events"}
            by_day = False
        if not stages:
            continue
        work = fingerprint(sorted(stages.items()))
        if now < _not_before(last, work, by_day):
            continue
        mine = [part for part in parts if part.project_id == project]
        days = pending_days(lake, project, mine) if by_day else []
        if by_day and days:
            runs.append(events_request(project, days))
            seen.extend(_reports(mine, days))
        else:
            runs.append(dg.RunRequest(job_name=MODELS_JOB, partition_key=project, tags={PROJECT_TAG: project}))
        tries = last.tries + 1 if work == last.work else 1
        asked[project] = Asked(work, tries, now, now if by_day else last.events_at)
    known = set(instance.get_dynamic_partitions(PROJECT))
    new = [project for project in pending if project not in known]
    return dg.SensorResult(
        run_requests=runs,
        asset_events=seen,
        dynamic_partitions_requests=[PROJECTS.build_add_request(new)] if new else [],
        cursor=json.dumps({name: asdict(each) for name, each in asked.items()}),
        skip_reason=None if runs else _why_not(pending, busy),
    )


def busy_projects(instance: dg.DagsterInstance) -> set[str]:
    """Return the projects that have a run which is queued or under way."""
    found = set()
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        if PROJECT_TAG in run.tags:
            found.add(run.tags[PROJECT_TAG])
        elif BUILDING_TAG in run.tags and lives(run.tags.get(PROCESS_TAG, "")):
            found.add(run.tags[BUILDING_TAG])
    return found


def events_request(project: str, days: Sequence[dt.date]) -> dg.RunRequest:
    """Return the request of one run over the days of receipt from the first to the last of `days`."""
    tags = {PROJECT_TAG: project}
    if len(days) == 1:
        return dg.RunRequest(job_name=EVENTS_JOB, partition_key=day_key(days[0], project), tags=tags)
    return dg.RunRequest(job_name=EVENTS_JOB, tags=tags | range_tags(project, days))


def range_tags(project: str, days: Sequence[dt.date]) -> dict[str, str]:
    """Return the tags that give a run all of a project's partitions from the first to the last of `days`."""
    return {RANGE_START: str(day_key(min(days), project)), RANGE_END: str(day_key(max(days), project))}


def day_key(day: dt.date, project: str) -> dg.MultiPartitionKey:
    """Return the key of one day of receipt of one project."""
    return dg.MultiPartitionKey({DAY: day.isoformat(), PROJECT: project})


def _not_before(last: Asked, work: int, by_day: bool) -> float:
    if work == last.work:
        return last.at + min(RETRY_S * 2 ** (last.tries - 1), RETRY_MOST_S)
    return last.events_at + STREAM_GAP_S if by_day else 0.0


def _reports(parts: Sequence[Part], days: Sequence[dt.date]) -> Iterator[dg.AssetMaterialization]:
    """Yield for each of `days` what lies there, for the external asset of the raw events."""
    found = parts_by_day(parts)
    for day in days:
        there = found.get(day, [])
        size = sum(part.size_bytes for part in there)
        yield dg.AssetMaterialization(
            RAW_EVENTS,
            partition=day_key(day, there[0].project_id) if there else None,
            metadata={"parts": len(there), "size_bytes": size},
        )


def _why_not(pending: dict[str, dict[str, int]], busy: set[str]) -> str:
    waiting = [project for project, stages in pending.items() if stages]
    if not waiting:
        return f"everything is up to date in {len(pending)} projects"
    return f"{len(waiting)} projects have something to do and wait; {len(busy)} are being built"
