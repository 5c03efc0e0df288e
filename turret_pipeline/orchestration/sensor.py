"""What starts runs by itself: one sensor that looks at the lake every few seconds, unless it may rest (`rest`).

Why a sensor that asks the lake, and not Dagster's automation conditions: these look at what Dagster was told, cost
seconds a tick at some ten thousand partitions, never try a failed partition again, and cannot see that a day came late.
The lake knows what is not done yet (`stages.pending`), no matter what did the rest: a run, a backfill, `turret build`,
or a process that was killed.

A project has one run at a time, and small projects share theirs (`batches`). First the days with new parts
(`EVENTS_JOB`), then what follows (`MODELS_JOB`). While events stream in, `STREAM_GAP_S` lies between two runs over new
parts. Work that a run did not get done, because it failed for good, is asked for again after `RETRY_S`, then after
twice as long, up to `RETRY_MOST_S`; meanwhile what follows from the days that are good has its turn: their profiles
first, then the rest. What follows from rows that a blocking check found wrong is not asked for until they are right.

What was asked for last is kept in the sensor's cursor, by project and kind of work (`wishes`).
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

from turret_pipeline.lake import heads
from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.layout import refuse_newer
from turret_pipeline.orchestration.batches import (
    LARGE,
    SIZE_TAG,
    SMALL,
    batch_config,
    batch_tags,
    keys_of,
)
from turret_pipeline.orchestration.day_assets import raw_reports
from turret_pipeline.orchestration.leases import Leases
from turret_pipeline.orchestration.partitions import PROJECT, PROJECTS, day_key
from turret_pipeline.orchestration.recover import recover
from turret_pipeline.orchestration.rest import TICK_S
from turret_pipeline.orchestration.waiting import note_waiting
from turret_pipeline.orchestration.wishes import LastRequest, LastRequests, Wish, gathered
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

STREAM_GAP_S = 30.0
RETRY_STARTS_S = 60.0
"""Seconds from a run's failure after which no retry of it is waited for."""

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


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
    lake = heads.look(settings.open_lake())
    refuse_newer(lake)
    lake_now = LakeNow(lake, settings.model, stages=stages, clusters=settings.clusters)
    pending = {project: lake_now.pending(project) for project in lake_now.projects}
    note_waiting(lake, lake_now, pending, now)
    damage = {each.words: None for project in pending for each in lake_now.damage(project)}
    blocked = blocked_tables(lake, stages)
    for project, wrong in blocked.items():
        waits = stopped(wrong, stages)
        pending[project] = {name: of for name, of in pending.get(project, {}).items() if name not in waits}
    busy = under_way(instance, Leases(settings.database_url)) if any(pending.values()) else UnderWay()
    by_day = [stage.table.name for stage in stages if stage.by_day]
    wishes = [
        wish
        for project, tables in pending.items()
        if tables and project not in busy.projects
        for wish in _wishes(lake_now, project, tables, by_day, last_requests.get(project, {}), now)
    ]
    runs, seen = [], list[dg.AssetMaterialization]()
    for group in gathered(wishes, busy.n_small):
        runs.append(_request(group))
        for wish in group:
            last_requests.setdefault(wish.project, {}).setdefault(wish.kind, LastRequest()).ask(wish.work, now)
            if len(group) == 1 and wish.kind == by_day[0]:
                seen.extend(raw_reports(wish.project, lake_now.parts_of(wish.project), wish.days))
    known = set(instance.get_dynamic_partitions(PROJECT))
    new = [project for project in pending if project not in known]
    return dg.SensorResult(
        run_requests=runs,
        asset_events=seen,
        dynamic_partitions_requests=[PROJECTS.build_add_request(new)] if new else [],
        cursor=_cursor(last_requests, pending, now),
        skip_reason=None if runs else _why_not(pending, busy.projects, blocked, damage),
    )


def _wishes(
    lake_now: LakeNow,
    project: str,
    tables: Mapping[str, int],
    by_day: Sequence[str],
    last: Mapping[str, LastRequest],
    now: float,
) -> Iterator[Wish]:
    """Yield what is to be asked now for a project whose `tables` are not up to date: nothing, or one wish."""
    first, *following = by_day
    work = {kind: fingerprint(sorted(of.items())) for kind, of in _by_kind(tables, by_day).items()}
    size = sum(part.size_bytes for part in lake_now.parts_of(project))
    asked_at = max((each.at for each in last.values()), default=0.0)

    def wish(kind: str, days: Sequence[dt.date] = (), of: Sequence[str] = ()) -> Wish:
        before = last.get(kind, LastRequest())
        return Wish(project, kind, work[kind], tuple(days), tuple(of), size, before.tries_of(work[kind]), asked_at)

    def is_time(kind: str, gap_s: float = 0.0) -> bool:
        return kind in work and last.get(kind, LastRequest()).may_be_asked(work[kind], gap_s, now)

    if is_time(first, STREAM_GAP_S):
        # A day that has not begun here is the work of a collector whose clock is ahead: it is taken when it comes.
        today = dt.datetime.fromtimestamp(now, dt.UTC).date()
        if days := [day for day in lake_now.stale_days(project) if day <= today]:
            yield wish(first, days)
            return
    for kind in following:
        # On the days that are good.
        if is_time(kind) and (days := lake_now.stale_days(project, skipped={first})):
            yield wish(kind, days, following)
            return
    if is_time(REST):
        yield wish(REST)


def _request(group: Sequence[Wish]) -> dg.RunRequest:
    """Return the request of the run that does what a group of wishes of one kind asks for."""
    first = group[0]
    size = {SIZE_TAG: SMALL if first.is_small else LARGE}
    if len(group) == 1:
        if first.days:
            return days_request(first.project, first.days, first.tables, size)
        tags = {PROJECT_TAG: first.project} | size
        return dg.RunRequest(job_name=MODELS_JOB, partition_key=first.project, tags=tags)
    # A day before the first partition is in the same one as others.
    keys = list(dict.fromkeys(str(day_key(day, wish.project)) for wish in group for day in wish.days))
    keys = keys or [wish.project for wish in group]
    return dg.RunRequest(
        job_name=EVENTS_JOB if first.days else MODELS_JOB,
        partition_key=keys[0],
        run_config=batch_config(keys),
        tags=batch_tags(len(group)) | size,
        asset_selection=[dg.AssetKey(name) for name in first.tables] or None,
    )


@dataclass(frozen=True)
class UnderWay:
    """What is queued or being built: the projects, and how many of the daemon's runs are over small ones."""

    projects: frozenset[str] = frozenset()
    n_small: int = 0


def under_way(instance: dg.DagsterInstance, leases: Leases) -> UnderWay:
    """Return what is queued or under way, or will be in a moment, as a retry; of foreground builds only what lives."""
    runs = [*instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)), *_to_be_retried(instance)]
    living = leases.living([run.run_id for run in runs if BUILDING_TAG in run.tags])
    found = {run.tags[PROJECT_TAG] for run in runs if PROJECT_TAG in run.tags}
    found |= {run.tags[BUILDING_TAG] for run in runs if living.get(run.run_id)}
    found |= {
        key.rpartition("|")[2]
        for run in runs
        if BUILDING_TAG not in run.tags or living.get(run.run_id)
        for key in keys_of(run)
    }
    return UnderWay(frozenset(found), sum(run.tags.get(SIZE_TAG) == SMALL for run in runs))


def _to_be_retried(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Return the runs that failed a short time ago and have no retry yet, which Dagster makes every few seconds."""
    since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=RETRY_STARTS_S)
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    return [run for run in instance.get_runs(failed) if run.is_complete_and_waiting_to_retry]


def _cursor(last_requests: LastRequests, pending: Mapping[str, Mapping[str, int]], now: float) -> str:
    """Return what is to be remembered: of a project that is up to date only what was asked for a short time ago.

    The cursor is written at every tick, so it must not grow with the projects that there are.
    """
    kept: dict[str, dict[str, Any]] = {}
    for project, kinds in last_requests.items():
        of = {
            kind: asdict(each) for kind, each in kinds.items() if pending.get(project) or now < each.at + STREAM_GAP_S
        }
        if of:
            kept[project] = of
    return orjson.dumps(kept).decode()


def _by_kind(tables: Mapping[str, int], by_day: Collection[str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name, inputs in tables.items():
        found.setdefault(name if name in by_day else REST, {})[name] = inputs
    return found


def days_request(
    project: str, days: Sequence[dt.date], tables: Sequence[str] = (), more_tags: Mapping[str, str] | None = None
) -> dg.RunRequest:
    """Return the request of one run (over `tables` only) over the days of receipt from the first to the last."""
    tags = {PROJECT_TAG: project, **(more_tags or {})}
    assets = [dg.AssetKey(name) for name in tables] or None
    if len(days) == 1:
        key = day_key(days[0], project)
        return dg.RunRequest(job_name=EVENTS_JOB, partition_key=key, tags=tags, asset_selection=assets)
    return dg.RunRequest(job_name=EVENTS_JOB, tags=tags | range_tags(project, days), asset_selection=assets)


def range_tags(project: str, days: Sequence[dt.date]) -> dict[str, str]:
    """Return the tags that give a run all of a project's partitions from the first to the last of `days`."""
    return {RANGE_START: str(day_key(min(days), project)), RANGE_END: str(day_key(max(days), project))}


def _why_not(
    pending: dict[str, dict[str, int]], busy: frozenset[str], blocked: Mapping[str, Blocked], damage: Iterable[str]
) -> str:
    wrong = [*damage, *(f"{project}: {why_stopped(of)}" for project, of in blocked.items())]
    waiting = [project for project, tables in pending.items() if tables]
    if waiting:
        wrong.append(f"{len(waiting)} projects have something to do and wait; {len(busy)} are being built")
    return "; ".join(wrong) or f"everything is up to date in {len(pending)} projects"
