"""When alerts are looked for and sent: a sensor that asks Postgres and the lake once a minute, and starts a run.

The run calls `python -m turret_api.alerts`, for this package does not know the other; what it says is in the run's log
and in the asset's metadata. No run starts where there is nothing to do: a project's changes are looked at once its
tables were built since the last look, `EVERY_S` after that at the earliest, or at once on a new day (UTC); what follows
from the clock alone (silence, lateness, a digest, a message to be tried again) when its time has come.
"""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
import contextlib
import datetime as dt
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg2
from psycopg2.extras import RealDictCursor
from pydantic import Field

from turret_pipeline.lake import heads, store
from turret_pipeline.lake.batch import Batch
from turret_pipeline.lake.damage import DamageError, notes
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.session import open_session
from turret_pipeline.lake.tables import BUILDS
from turret_pipeline.lake.waiting import waiting_projects
from turret_pipeline.orchestration.other_package import call, held_back
from turret_pipeline.orchestration.table_metadata import OWNERS
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings

ALERTS_JOB = "alerts"
TICK_S = 60
EVERY_S = 900.0
"""Seconds from a look at a project's changes to the next one on the same day."""
PAUSE_S = 300.0
"""Seconds from one look at a project to the next for what the clock brings: what cannot be looked at stays due."""
PATIENCE_S = 3600.0
"""Seconds for which a look waits for the end of a build."""

Result = dg.MaterializeResult[Any]
_THERE = "SELECT to_regclass('turret.alert_looks') IS NOT NULL AS there"
_DUE = """
SELECT
    EXISTS (SELECT FROM turret.alert_deliveries WHERE state = 'waiting' AND next_at <= to_timestamp(%(now)s))
    OR EXISTS (
        SELECT FROM turret.alert_targets WHERE digest_at <= to_timestamp(%(now)s) AND disabled_at IS NULL
    ) AS due
"""
_RULES = """
SELECT
    project_id,
    look.built_at,
    look.looked_at,
    bool_or(kind NOT IN ('silence', 'freshness')) AS has_changes,
    bool_or(kind = 'freshness') AS has_freshness,
    bool_or(look_at <= to_timestamp(%(now)s)) AS clock_due,
    bool_or(kind = 'freshness' AND EXISTS (
        SELECT FROM turret.alerts WHERE alerts.rule_id = rule.rule_id AND ended_at IS NULL
    )) AS is_late
FROM turret.alert_rules AS rule LEFT JOIN turret.alert_looks AS look USING (project_id)
GROUP BY project_id, look.built_at, look.looked_at
"""


@dataclass(frozen=True)
class Due:
    """What there is to do: projects whose rules are to be looked at, and whether messages are to be sent."""

    projects: tuple[str, ...] = ()
    messages: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.projects) or self.messages


def due(settings: Settings, now: float) -> Due:
    """Return what there is to do. now: seconds since 1970."""
    if settings.database_url is None:
        return Due()
    with (
        contextlib.closing(open_session(settings.database_url, "turret alerts")) as session,
        session.cursor(cursor_factory=RealDictCursor) as sql,
    ):
        if not _rows(sql, _THERE, now)[0]["there"]:
            return Due()
        messages = bool(_rows(sql, _DUE, now)[0]["due"])
        rows = _rows(sql, _RULES, now)
    return Due(tuple(sorted(_projects(settings, rows, now))), messages)


def _rows(sql: RealDictCursor, query: str, now: float) -> list[Mapping[str, Any]]:
    sql.execute(query, {"now": now})
    return list(sql.fetchall())


def _projects(settings: Settings, rows: list[Mapping[str, Any]], now: float) -> Iterator[str]:
    """Yield the projects to look at. rows: of `_RULES`."""
    if not rows:
        return
    lake = heads.look(settings.open_lake())
    waiting = waiting_projects(lake, now)
    damaged = {each.project_id for each in notes(lake)} if any(row["has_freshness"] for row in rows) else set()
    may_be_looked_at = [row for row in rows if row["has_changes"] and _is_time(row, now, waiting)]
    built = _built(lake, [row["project_id"] for row in may_be_looked_at if row["looked_at"] is not None])
    for row in rows:
        project = row["project_id"]
        late = project in waiting and now - waiting[project].since > settings.late_s
        is_wrong = late or project in damaged or None in damaged
        is_rested = row["looked_at"] is None or now - row["looked_at"].timestamp() >= PAUSE_S
        has_news = project in built and built[project] != row["built_at"]
        of_state = row["clock_due"] or (row["has_freshness"] and is_wrong != row["is_late"])
        if row["looked_at"] is None or has_news or (of_state and is_rested):
            yield project


def _is_time(row: Mapping[str, Any], now: float, waiting: Mapping[str, object]) -> bool:
    """Tell whether a project's changes may be looked at, if its tables were built since the last look."""
    if row["looked_at"] is None:
        return True
    before = row["looked_at"].timestamp()
    if row["project_id"] in waiting and now - before < PATIENCE_S:
        return False
    return now - before >= EVERY_S or _day(now) != _day(before)


def _day(at: float) -> dt.date:
    return dt.datetime.fromtimestamp(at, dt.UTC).date()


_known: dict[str, tuple[object, dict[str, dt.datetime | None]]] = {}
"""By lake: the state of the log of `builds`, and what `_built` found in it. Ticks of one process follow one another."""


def _built(lake: Lake, projects: list[str]) -> dict[str, dt.datetime | None]:
    """Return when any table of each project was built last; read anew only where one was built since."""
    if lake.is_local:
        log = Path(lake.table(BUILDS.name)) / "_delta_log"
        state: object = log.stat().st_mtime_ns if log.is_dir() else None
    else:
        state = lake.look.tag(f"tables/{BUILDS.name}") if lake.look is not None else time.monotonic()
    if lake.root not in _known or _known[lake.root][0] != state:
        _known[lake.root] = (state, {})
    known = _known[lake.root][1]
    batch = Batch(lake).lake
    for project in projects:
        if project not in known:
            with contextlib.suppress(DamageError):  # what damage there is, others tell
                newest = store.read(batch, BUILDS, project, "built_at")["built_at"].max()
                known[project] = newest if isinstance(newest, dt.datetime) else None
    return {project: known[project] for project in projects if project in known}


class AlertsConfig(dg.Config):
    """Whose rules to look at; what is due is sent in any case."""

    projects: list[str] = Field(default=[], description="ids of projects")


@dg.asset(
    group_name="alerts",
    kinds={"postgres"},
    owners=OWNERS,
    description="What the projects' rules found and nobody was told of before, and the messages that were sent of it.",
)
def told_alerts(
    context: dg.AssetExecutionContext, config: AlertsConfig, workshop: dg.ResourceParam[Workshop]
) -> Result:
    """Look at rules, and send what is due."""
    found = call("turret_api.alerts", config.projects, workshop, context.log.info)
    for words in ("new", "problems"):
        for project, sentences in found[words].items():
            for sentence in sentences:
                (context.log.info if words == "new" else context.log.warning)(f"{project}: {sentence}")
    return dg.MaterializeResult(
        metadata={
            "projects looked at": found["projects"],
            "new alerts": sum(map(len, found["new"].values())),
            "messages sent": found["sent"],
            "messages that did not arrive": found["failed"],
            "messages that wait": found["waiting"],
            "dead letters": found["dead_in_all"],
            "could not be looked at": len(found["problems"]),
        }
    )


def alerts_job() -> Any:
    """Return the job that the sensor starts."""
    return dg.define_asset_job(
        ALERTS_JOB,
        dg.AssetSelection.assets(told_alerts),
        description="Looks at the rules of projects, and sends messages that are due.",
    )


def alerts_sensor(settings: Settings, job: Any) -> dg.SensorDefinition:
    """Return the sensor that starts the job when there is something to do."""

    @dg.sensor(
        name="alerts",
        job=job,
        minimum_interval_seconds=TICK_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks for changes that people want to be told of, once their tables are built, and for messages.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        try:
            found = due(settings, time.time())
        except psycopg2.Error as error:
            return dg.SensorResult(skip_reason=f"the database did not answer: {str(error).strip()}")
        if not found:
            return dg.SensorResult(skip_reason="no rule is to be looked at, and no message is due")
        if reason := held_back(context.instance, ALERTS_JOB):
            return dg.SensorResult(skip_reason=reason)
        config = dg.RunConfig(ops={told_alerts.op.name: AlertsConfig(projects=list(found.projects))})
        return dg.SensorResult(run_requests=[dg.RunRequest(run_config=config)])

    return alerts
