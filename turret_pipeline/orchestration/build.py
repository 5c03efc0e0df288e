"""`python -m turret_pipeline.orchestration.build`: bring every table of every project up to date, in the foreground.

The work goes through Dagster, on the same instance as the daemon's, so its runs are in the UI like any others. What is
up to date is found without Dagster, so a build with nothing to do ends in about a second. Killed anywhere it can be
called again; while the daemon builds a project it waits for its turn.

Exits with 0 when all is up to date, 1 when something failed, 2 for a call that cannot be understood, 130 after Ctrl-C.
A field that failed in an earlier build, and was not tried again since, has failed in this one too.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import sys
import time
import warnings
from collections.abc import Collection, Mapping
from types import FrameType
from typing import TYPE_CHECKING

from turret_pipeline.lake import heads, waiting
from turret_pipeline.lake.batch import Batch
from turret_pipeline.lake.current import current_projects, say_current
from turret_pipeline.lake.damage import note
from turret_pipeline.lake.inspection import standing
from turret_pipeline.lake.objects import UnreachableError
from turret_pipeline.lake.parts import list_projects
from turret_pipeline.lake.paths import PROJECT_ID, Lake
from turret_pipeline.orchestration.scope import ProjectRuns, Scope, runs_for
from turret_pipeline.orchestration.waiting import note_waiting
from turret_pipeline.settings import SettingError, Settings
from turret_pipeline.stages.containment import failures_of
from turret_pipeline.stages.pending import LakeNow, made_with

if TYPE_CHECKING:
    from rich.console import Console


INTERRUPTED = 130
"""Exit status after Ctrl-C or SIGTERM."""


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser("turret_pipeline.orchestration.build", description="Bring every table up to date.")
    parser.add_argument("--project", action="append", default=[], help="id of a project; may be repeated; default: all")
    parser.add_argument("--from", dest="first", type=dt.date.fromisoformat, help="first day of receipt, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=dt.date.fromisoformat, help="last day of receipt, YYYY-MM-DD")
    parser.add_argument("--asset", action="append", default=[], help="name of a table; may be repeated; default: all")
    parser.add_argument("--days-per-run", type=int, default=0, help="days of receipt in one run; default: all in one")
    parser.add_argument("--full-refresh", action="store_true", help="compute again what is up to date")
    options = parser.parse_args(arguments)
    # Of the libraries' own making; a person who builds can do nothing about them.
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        scope = Scope(options.first, options.last, frozenset(options.asset), options.full_refresh, options.days_per_run)
        return _build(options.project, scope)
    except KeyboardInterrupt:
        return _fail("interrupted; what is done is done, the next build goes on from there", INTERRUPTED)
    except SettingError as error:
        return _fail(str(error), 2)
    except UnreachableError as error:
        return _fail(f"{error}; what is done is done, the next build goes on from there", 1)


def _build(named: list[str], scope: Scope) -> int:
    started = time.perf_counter()
    settings = Settings.from_environment()
    lake = settings.open_lake()
    strange = [project for project in named if not PROJECT_ID.fullmatch(project)]
    if strange:
        return _fail(f"{strange[0]!r} is not the id of a project", 2)
    if reason := scope.contradiction():
        return _fail(reason, 2)
    made = made_with(settings.model, settings.clusters)
    seen = heads.look(lake)
    if scope == Scope() and (current := current_projects(seen, made)) is not None and set(named) <= set(current):
        waiting.write(lake, waiting.Seen(time.time()))
        return _all_is_current(len(named) or len(current), started)
    known = list_projects(seen)
    projects = list(dict.fromkeys(named or known))
    for project in projects:
        if project not in known:
            print(f"{project}: no events yet", flush=True)
    projects = [project for project in projects if project in known]
    looked_at, lake_now = time.time(), LakeNow(lake, settings.model, clusters=settings.clusters)
    pending = {project: lake_now.pending(project) for project in projects}
    todo = _todo(lake_now, pending, scope)
    for damage in {each for project in projects for each in lake_now.damage(project)}:
        note(lake, damage)
    if not todo:
        is_all = set(lake_now.projects) <= set(projects) and not any(pending.values())
        if is_all:
            note_waiting(lake, lake_now, pending, looked_at)
        if failed := _failed(lake, projects):
            return failed
        if is_all:
            say_current(lake_now.lake, made, projects)
        return _all_is_current(len(projects), started)
    if settings.database_url is None or not os.environ.get("DAGSTER_HOME"):
        return _fail("TURRET_DATABASE_URL and DAGSTER_HOME must be set; `turret build` sets them", 2)
    # Here, not at the top: Dagster takes a second to import, and mostly there is nothing to do.
    from turret_pipeline.orchestration.foreground import build

    def left(of: Collection[str]) -> dict[str, ProjectRuns]:
        now = LakeNow(lake, settings.model, clusters=settings.clusters)
        return _todo(now, {project: now.pending(project) for project in of}, scope)

    failures = build(_console(), settings, todo, left)
    looked_at, lake_now = time.time(), LakeNow(lake, settings.model, clusters=settings.clusters)
    pending = {project: lake_now.pending(project) for project in lake_now.projects}
    note_waiting(lake, lake_now, pending, looked_at)
    for project, reason in failures.items():
        _fail(f"{project}: {reason}", 1)
    failed = _failed(lake, projects) or (1 if failures else 0)
    if not failed and not any(pending.values()) and set(pending) <= set(projects):
        say_current(lake_now.lake, made, list_projects(lake_now.lake))
    return failed


def _all_is_current(n_projects: int, started: float) -> int:
    print(f"everything is up to date ({n_projects} projects, {time.perf_counter() - started:.1f} s)")
    return 0


def _todo(lake_now: LakeNow, pending: Mapping[str, Collection[str]], scope: Scope) -> dict[str, ProjectRuns]:
    """Return what is to be run, for those projects for which there is something."""
    todo = {project: runs_for(lake_now, project, tables, scope) for project, tables in pending.items()}
    return {project: runs for project, runs in todo.items() if runs.by_day or runs.by_project}


def _failed(lake: Lake, projects: list[str]) -> int:
    """Name what is damaged and which fields failed; 1 if there is anything."""
    damaged = [each for each in standing(lake) if each.project_id in (None, *projects)]
    for each in damaged:
        _fail(each.words, 1)
    return 1 if damaged else _failed_fields(lake, projects)


def _failed_fields(lake: Lake, projects: list[str]) -> int:
    """Name the fields that failed in this build, or in an earlier one and were not tried since; 1 if there are any."""
    lake = Batch(lake).lake  # the table is opened once for all projects
    failed = [(project, each) for project in projects for each in failures_of(lake, project)]
    if failed:
        print("a field that failed is tried again when its messages change, and with --full-refresh", flush=True)
    for project, each in failed:
        _fail(f"{project}: the field {each.field} failed in {each.words}", 1)
    return 1 if failed else 0


def _console() -> Console:
    # Here, not at the top: it takes a tenth of the time of a build that has nothing to do.
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def _fail(reason: str, status: int) -> int:
    _console().print(f"build failed: {' '.join(reason.split())}", style="red", markup=False)
    return status


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    status = main()
    if status == INTERRUPTED:
        sys.stdout.flush()
        # At once: to take down all that Dagster and the models have loaded may take many seconds.
        os._exit(status)
    sys.exit(status)
