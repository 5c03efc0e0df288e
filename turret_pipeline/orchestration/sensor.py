"""What starts runs by itself: one sensor that looks at the lake every few seconds.

Why a sensor that asks the lake, and not Dagster's automation conditions: these look at what Dagster was told, cost
seconds a tick at some ten thousand partitions, never try a failed partition again, and cannot see that a day came late.
The lake knows what is not done yet (`stages.pending`), no matter what did the rest: a run, a backfill, `turret build`,
or a process that was killed.

A project has one run at a time. First the days with new parts (`EVENTS_JOB`), then what follows (`MODELS_JOB`). While
events stream in, `STREAM_GAP_S` lies between two runs over new parts. Work that a run did not get done, because it
failed for good, is asked for again after `RETRY_S`, then after twice as long, up to `RETRY_MOST_S`; meanwhile what
follows from the days that are good has its turn: their profiles first, then the rest. What follows from rows that a
blocking check found wrong is not asked for until they are right.

What was asked for last is kept in the sensor's cursor, by project and kind of work (`LastRequest`):

    no request ── ask ──> asked once ── the same work is still to do ──> asked n times, ever more rarely
                              ^                                                        │
                              └───────────────────── other work ───────────────────────┘
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg
import msgspec
import orjson

from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.layout import refuse_newer
from turret_pipeline.lake.parts import Part, parts_by_day
from turret_pipeline.orchestration.leases import Leases
from turret_pipeline.orchestration.partitions import PROJECT, PROJECTS, day_key
from turret_pipeline.orchestration.recover import recover
from turret_pipeline.orchestration.table_metadata import RAW_EVENTS
from turret_pipeline.orchestration.waiting import note_waiting
from turret_pipeline.settings import Settings
from turret_pipeline.stages import STAGES
from turret_pipeline.stages.pending import Blocked, LakeNow, blocked_tables, stopped, why_stopped
from turret_pipeline.stages.stage import Stage

EVENTS_JOB = "events_of_days"
MODELS_JOB = "models_of_project"

PROJECT_TAG = "turret/project"
"""Tag of the daemon's runs; the queue lets one a project run at a time."""
BUILDING_TAG = "turret/building"
"""Tag of a foreground build's runs; they are not queued, and the project's lock keeps them apart from the daemon's."""

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

REST = "rest"
"""Kind of work, in the cursor, on tables that are made by project; the tables by day are each a kind of their own."""

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
class LastRequest:
    """The last request for one kind of work on one project.

    Args:
        work: fingerprint of what was to be done.
        tries: how often just that was asked for.
        at: when, in seconds since 1970.
    """

    work: int = 0
    tries: int = 0
    at: float = 0.0

    def may_be_asked(self, work: int, gap_s: float, now: float) -> bool:
        """Whether it is time for `work`: `gap_s` after other work, ever longer after the same."""
        if work == self.work:
            return now >= self.at + min(RETRY_S * 2.0 ** (self.tries - 1), RETRY_MOST_S)
        return now >= self.at + gap_s

    def ask(self, work: int, now: float) -> None:
        """Note that `work` is asked for now."""
        self.tries = self.tries + 1 if work == self.work else 1
        self.work, self.at = work, now


LastRequests = dict[str, dict[str, LastRequest]]
"""What was asked for last, by project and kind: `events` (with what follows by day), `field_profiles`, or `REST`."""


def read_cursor(text: str | None) -> LastRequests:
    """Return what a cursor says was asked for last; nothing where it has another shape, as earlier versions wrote it.

    Nothing is lost by that: what is to be done stands in the lake, and is at most asked for once too often.
    """
    try:
        return msgspec.json.decode(text or "{}", type=LastRequests)
    except msgspec.DecodeError:
        return {}


def new_events_sensor(settings: Settings, jobs: Sequence[Any], stages: Sequence[Stage]) -> dg.SensorDefinition:
    """Return the sensor; `jobs` are those named `EVENTS_JOB` and `MODELS_JOB`, over the assets of `stages`."""

    @dg.sensor(
        name="new_events",
        jobs=jobs,
        minimum_interval_seconds=TICK_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Brings up to date whatever is not: new events first, then what follows from them.",
    )
    def new_events(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        last = read_cursor(context.cursor)
        for run_id in recover(context.instance, Leases(settings.database_url), launched_here=False):
            context.log.info(f"run {run_id} has no process any more and is handed to the retries")
        return look(context.instance, settings, last, time.time(), stages)

    return new_events


def look(
    instance: dg.DagsterInstance,
    settings: Settings,
    last_requests: LastRequests,
    now: float,
    stages: Sequence[Stage] = STAGES,
) -> dg.SensorResult:
    """Return the runs to start now, with what is to be remembered of them; changes `last_requests`."""
    lake = settings.open_lake()
    refuse_newer(lake)
    lake_now = LakeNow(lake, settings.model, stages=stages, clusters=settings.clusters)
    pending = {project: lake_now.pending(project) for project in lake_now.projects}
    note_waiting(lake, lake_now, pending, now)
    damage = {each.words: None for project in pending for each in lake_now.damage(project)}
    blocked = blocked_tables(lake, stages)
    for project, wrong in blocked.items():
        waits = stopped(wrong, stages)
        pending[project] = {name: of for name, of in pending.get(project, {}).items() if name not in waits}
    busy = busy_projects(instance, Leases(settings.database_url)) if any(pending.values()) else set()
    first, *following = [stage.table.name for stage in stages if stage.by_day]
    today = dt.datetime.fromtimestamp(now, dt.UTC).date()
    runs: list[dg.RunRequest] = []
    seen: list[dg.AssetMaterialization] = []
    for project, tables in pending.items():
        if not tables or project in busy:
            continue
        last = last_requests.setdefault(project, {})
        for kind in (first, *following, REST):
            last.setdefault(kind, LastRequest())
        work = {kind: fingerprint(sorted(of.items())) for kind, of in _by_kind(tables, {first, *following}).items()}
        if first in work and last[first].may_be_asked(work[first], STREAM_GAP_S, now):
            last[first].ask(work[first], now)
            # A day that has not begun here is the work of a collector whose clock is ahead: it is taken when it comes.
            if days := [day for day in lake_now.stale_days(project) if day <= today]:
                runs.append(days_request(project, days))
                seen.extend(_reports(project, lake_now.parts_of(project), days))
            continue
        if run := _follow_up(lake_now, project, first, following, work, last, now):
            runs.append(run)
        elif REST in work and last[REST].may_be_asked(work[REST], 0.0, now):
            last[REST].ask(work[REST], now)
            runs.append(dg.RunRequest(job_name=MODELS_JOB, partition_key=project, tags={PROJECT_TAG: project}))
    known = set(instance.get_dynamic_partitions(PROJECT))
    new = [project for project in pending if project not in known]
    kept = {project: {kind: asdict(each) for kind, each in kinds.items()} for project, kinds in last_requests.items()}
    return dg.SensorResult(
        run_requests=runs,
        asset_events=seen,
        dynamic_partitions_requests=[PROJECTS.build_add_request(new)] if new else [],
        cursor=orjson.dumps(kept).decode(),
        skip_reason=None if runs else _why_not(pending, busy, blocked, damage),
    )


def _follow_up(
    lake_now: LakeNow,
    project: str,
    first: str,
    following: Sequence[str],
    work: Mapping[str, int],
    last: Mapping[str, LastRequest],
    now: float,
) -> dg.RunRequest | None:
    """Return the run over tables by day that follow the first one, on the days that are good; None: there is none."""
    for kind in following:
        if kind in work and last[kind].may_be_asked(work[kind], 0.0, now):
            last[kind].ask(work[kind], now)
            if days := lake_now.stale_days(project, skipped={first}):
                return days_request(project, days, following)
    return None


def busy_projects(instance: dg.DagsterInstance, leases: Leases) -> set[str]:
    """Return the projects that have a run which is queued or under way; a foreground build's only if it lives."""
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    living = leases.living([run.run_id for run in runs if BUILDING_TAG in run.tags])
    found = {run.tags[PROJECT_TAG] for run in runs if PROJECT_TAG in run.tags}
    return found | {run.tags[BUILDING_TAG] for run in runs if living.get(run.run_id)}


def _by_kind(tables: Mapping[str, int], by_day: Collection[str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name, inputs in tables.items():
        found.setdefault(name if name in by_day else REST, {})[name] = inputs
    return found


def days_request(project: str, days: Sequence[dt.date], tables: Sequence[str] = ()) -> dg.RunRequest:
    """Return the request of one run (over `tables` only) over the days of receipt from the first to the last."""
    tags = {PROJECT_TAG: project}
    assets = [dg.AssetKey(name) for name in tables] or None
    if len(days) == 1:
        key = day_key(days[0], project)
        return dg.RunRequest(job_name=EVENTS_JOB, partition_key=key, tags=tags, asset_selection=assets)
    return dg.RunRequest(job_name=EVENTS_JOB, tags=tags | range_tags(project, days), asset_selection=assets)


def range_tags(project: str, days: Sequence[dt.date]) -> dict[str, str]:
    """Return the tags that give a run all of a project's partitions from the first to the last of `days`."""
    return {RANGE_START: str(day_key(min(days), project)), RANGE_END: str(day_key(max(days), project))}


def _reports(project: str, parts: Sequence[Part], days: Sequence[dt.date]) -> Iterator[dg.AssetMaterialization]:
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


def _why_not(
    pending: dict[str, dict[str, int]], busy: set[str], blocked: Mapping[str, Blocked], damage: Iterable[str]
) -> str:
    wrong = [*damage, *(f"{project}: {why_stopped(of)}" for project, of in blocked.items())]
    waiting = [project for project, tables in pending.items() if tables]
    if waiting:
        wrong.append(f"{len(waiting)} projects have something to do and wait; {len(busy)} are being built")
    return "; ".join(wrong) or f"everything is up to date in {len(pending)} projects"
