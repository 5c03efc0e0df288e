"""The asset that lets go, once a day, of what projects do not keep any longer (`turret_pipeline.retention`).

It goes through all projects, and leaves those that are being built for the next time: what is late by a day is said in
its metadata. Nothing that it says names a text, a user or a session.
"""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
import datetime as dt
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.locks import BusyError, sole_writer
from turret_pipeline.lake.parts import list_projects
from turret_pipeline.orchestration.table_metadata import OWNERS
from turret_pipeline.orchestration.workshop import Workshop, named_damage
from turret_pipeline.retention.order import noted

if TYPE_CHECKING:
    from turret_pipeline.retention.run import Retained

Result = dg.MaterializeResult[Any]
KEEPING_JOB = "retention"
PATIENCE_S = 60.0


@dg.asset(
    group_name="maintenance",
    kinds={"deltalake"},
    owners=OWNERS,
    description="What people wrote, and who they were, removed once a project's days for it are over; daily.",
)
def retained_texts(context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop]) -> Result:
    """Let go of what is over in each project that has rules; what was counted stays."""
    # Here, not at the top: it loads the analysis, and a code server that waits for work would hold 76 MiB more.
    from turret_pipeline.retention.run import has_rules, retain

    done: dict[str, Retained] = {}
    busy: list[str] = []
    failed: dict[str, str] = {}
    for project in list_projects(workshop.lake):
        lake = workshop.lake
        if not has_rules(lake, project) and noted(lake, project) is None:
            continue
        try:
            with sole_writer(workshop.database_url, lake, project, patience_s=PATIENCE_S), named_damage(lake, project):
                done[project] = retain(workshop.work_of(project, refresh=False), dt.datetime.now(dt.UTC))
        except BusyError:
            busy.append(project)
        except Exception as error:  # one project's fault must not keep the texts of the others
            # Other errors quote what they failed at, which may be a text.
            is_of_files = isinstance(error, (OSError, DamageError))
            failed[project] = f"{type(error).__name__}: {error}" if is_of_files else _place(error)
    if failed:
        words = "; ".join(f"{project}: {reason}" for project, reason in failed.items())
        raise dg.Failure(f"{words}; what is over in the other projects is gone", metadata=_told(done, busy))
    return dg.MaterializeResult(metadata=_told(done, busy))


def _place(error: Exception) -> str:
    """Return what an error is and where it arose, without its words."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"


def _told(done: "dict[str, Retained]", busy: list[str]) -> dict[str, Any]:
    went = {project: each.stripped for project, each in done.items() if each.stripped.n_events}
    rows = [
        dg.TableRecord(
            {
                "project": project,
                "from": min(each.n_events).isoformat(),
                "until": max(each.n_events).isoformat(),
                "events": sum(each.n_events.values()),
                "messages": sum(each.n_messages.values()),
            }
        )
        for project, each in went.items()
    ]
    waiting = sum(len(each.waiting) for each in done.values())
    return {
        "events": sum(sum(each.n_events.values()) for each in went.values()),
        "messages": sum(sum(each.n_messages.values()) for each in went.values()),
        "texts": sum(each.n_texts for each in went.values()),
        "projects": len(went),
        "projects left for next time": len(busy),
        "days left for next time": waiting,
        **({"what went": dg.MetadataValue.table(rows)} if rows else {}),
    }


def keeping_job() -> Any:
    """Return the job of the schedule."""
    return dg.define_asset_job(
        KEEPING_JOB,
        dg.AssetSelection.assets(retained_texts),
        description="Removes what people wrote once a project's days for it are over.",
    )


def keeping_schedule() -> dg.ScheduleDefinition:
    """Return when it runs, in UTC: soon after a day is over, and on from the first start."""
    running = dg.DefaultScheduleStatus.RUNNING
    return dg.ScheduleDefinition(job_name=KEEPING_JOB, cron_schedule="17 1 * * *", default_status=running)
