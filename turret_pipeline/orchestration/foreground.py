"""Running the jobs in this process, with progress on a terminal.

Where there are many small projects they share runs first, as those of the daemon do. What is not done after that,
because something failed or another process had the project, is run project after project: so the reasons that a person
reads are those of the project's own run.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.events import RunFailureReason
from dagster._core.instance.ref import InstanceRef
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from turret_pipeline.lake.paths import Lake
from turret_pipeline.orchestration.batches import (
    BATCH_TAG,
    MOST_ALONE,
    SMALL_BYTES,
    batch_config,
    batch_tags,
    batches,
    weight,
)
from turret_pipeline.orchestration.definitions import build_definitions
from turret_pipeline.orchestration.leases import Leases
from turret_pipeline.orchestration.partitions import PROJECT, day_key
from turret_pipeline.orchestration.recover import recover
from turret_pipeline.orchestration.scope import ProjectRuns
from turret_pipeline.orchestration.sensor import BUILDING_TAG, EVENTS_JOB, MODELS_JOB, range_tags
from turret_pipeline.orchestration.workshop import Workshop, fanout_of
from turret_pipeline.settings import Settings
from turret_pipeline.stages import BY_DAY
from turret_pipeline.stages.pending import blocked_tables, why_stopped
from turret_pipeline.stages.work import Outcome

TELL_S = 5.0
"""Seconds between two lines on how far a table has come."""
LINE_CHARACTERS = 160
"""Longest line about a table on the terminal."""

_PREFIX = re.compile(r"(dagster\S+\.Failure|turret_pipeline\.lake\.damage\.DamageError): ")
"""Stands before the words of an error whose class tells a person nothing."""

NO_CAPTURE = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}


Left = Callable[[Collection[str]], Mapping[str, ProjectRuns]]
"""Returns what is still to be run for projects; those that are up to date are left out."""


def build(console: Console, settings: Settings, todo: Mapping[str, ProjectRuns], left: Left) -> dict[str, str]:
    """Run what is `todo` for each project; return why, for those where something failed."""
    watch = _Watch(console)
    with watch.progress, _instance() as instance:
        leases = Leases(settings.database_url)
        recover(instance, leases, launched_here=False)
        definitions = build_definitions(Workshop(settings, watch.tell, watch.done, watch.say, fanout_of(settings)))
        jobs = {name: definitions.resolve_job_def(name) for name in (EVENTS_JOB, MODELS_JOB)}
        instance.add_dynamic_partitions(PROJECT, list(todo))
        failures, lake = {}, settings.open_lake()
        small = {project: runs for project, runs in todo.items() if _may_share(runs)}
        if len(small) > MOST_ALONE:
            build_together(instance, lake, jobs, leases, small, left)
            todo = left(list(todo))
        for project, runs in todo.items():
            reasons = list(build_project(instance, lake, jobs, leases, project, runs))
            if reasons:
                failures[project] = "; ".join(reasons)
    watch.summary()
    return failures


def build_together(
    instance: dg.DagsterInstance,
    lake: Lake,
    jobs: Mapping[str, dg.JobDefinition],
    leases: Leases,
    todo: Mapping[str, ProjectRuns],
    left: Left,
) -> None:
    """Run what is `todo` for small projects, many in a run; those where something fails, or that are busy, stay so."""
    for group in _groups({project: runs for project, runs in todo.items() if runs.by_day}):
        keys = dict.fromkeys(str(day_key(day, project)) for project in group for day in todo[project].runs[0])
        _run(instance, jobs[EVENTS_JOB], leases, todo[group[0]].by_day, batch=list(keys))
    wrong = blocked_tables(lake)
    todo = {project: runs for project, runs in left(list(todo)).items() if not runs.by_day and project not in wrong}
    for group in _groups(todo):
        _run(instance, jobs[MODELS_JOB], leases, todo[group[0]].by_project, batch=group)


def _groups(todo: Mapping[str, ProjectRuns]) -> list[list[str]]:
    return batches((project, weight(runs.size_bytes, sum(map(len, runs.runs)))) for project, runs in todo.items())


def _may_share(runs: ProjectRuns) -> bool:
    """Whether the project may share its runs with others: it is small, and all that it wants is what is new."""
    is_small = runs.size_bytes <= SMALL_BYTES and len(runs.runs) <= 1
    return is_small and not (runs.refresh_days or runs.refresh_project)


def build_project(
    instance: dg.DagsterInstance,
    lake: Lake,
    jobs: Mapping[str, dg.JobDefinition],
    leases: Leases,
    project: str,
    todo: ProjectRuns,
) -> Iterator[str]:
    """Run what is `todo` for one project; yield why, for each run that failed."""
    for days in todo.runs:
        failure = _run(instance, jobs[EVENTS_JOB], leases, todo.by_day, todo.refresh_days, project, days)
        if failure is not None:
            yield failure.reason
            if failure.is_of_a_check:
                return
            if "field_profiles" in todo.by_day:
                # The run ended with `events`; the days that are good go on.
                _run(instance, jobs[EVENTS_JOB], leases, {"field_profiles"}, todo.refresh_days, project, days)
    wrong = {name: days for name, days in blocked_tables(lake).get(project, {}).items() if name in BY_DAY}
    if todo.by_project and wrong:
        # Rows that are counted twice, say, would spoil all that follows. Within the next run Dagster sees to that.
        yield why_stopped(wrong)
    elif todo.by_project:
        failure = _run(instance, jobs[MODELS_JOB], leases, todo.by_project, todo.refresh_project, project)
        if failure is not None:
            yield failure.reason


def _instance() -> dg.DagsterInstance:
    """Open the instance of DAGSTER_HOME, but leave the terminal to the progress display instead of capturing it."""
    overrides: Any = {"compute_logs": NO_CAPTURE}
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(os.environ["DAGSTER_HOME"], overrides=overrides))


@dataclass(frozen=True)
class _Failure:
    """Why a run failed, in one line, and whether a blocking check stopped it."""

    reason: str
    is_of_a_check: bool


def _run(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    leases: Leases,
    tables: Collection[str],
    full_refresh: bool = False,
    project: str = "",
    days: Sequence[dt.date] = (),
    batch: Sequence[str] = (),
) -> _Failure | None:
    """Execute one job for some tables of one project (and `days`), or a batch; return None, or why it failed.

    batch: partitions of many projects. Raise `KeyboardInterrupt` if a signal ended it.
    """
    resources: dict[str, Any] = {"refresh": {"config": {"full": True}}} if full_refresh else {}
    tags = {BUILDING_TAG: project, "dagster/max_retries": "0", "dagster/max_runtime": "0"}
    if batch:
        resources |= batch_config(batch)["resources"]
        tags |= batch_tags(len({key.rpartition("|")[2] for key in batch}))
        tags[BUILDING_TAG] = tags[BATCH_TAG]
    config = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}, "resources": resources}
    run_id = str(uuid.uuid4())
    with leases.held(run_id):
        result = job.execute_in_process(
            run_config=config,
            instance=instance,
            partition_key=batch[0] if batch else None if days else project,
            tags=tags | (range_tags(project, days) if days else {}),
            asset_selection=_selection(job, tables),
            run_id=run_id,
            raise_on_error=False,
        )
    if result.success:
        return None
    if any(_is_interruption(event) for event in result.all_events):
        # Dagster took the signal for a failure of this run; it is for the whole build.
        raise KeyboardInterrupt
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            cause = (error.cause or error) if error is not None else None
            told = _PREFIX.sub("", cause.message) if cause else "no reason given"
            reason = f"{event.step_key}: {told} (run {result.run_id})"
            return _Failure(reason, error is not None and error.cls_name == "DagsterAssetCheckFailedError")
    failed = [check.check_name for check in result.get_asset_check_evaluations() if not check.passed]
    return _Failure(f"{', '.join(failed) or 'no reason given'} (run {result.run_id})", bool(failed))


def _is_interruption(event: dg.DagsterEvent) -> bool:
    is_failure = event.event_type == dg.DagsterEventType.RUN_FAILURE
    return is_failure and event.job_failure_data.failure_reason == RunFailureReason.UNEXPECTED_TERMINATION


def _selection(job: dg.JobDefinition, tables: Collection[str]) -> list[dg.AssetKey]:
    """Return the assets of the job that make `tables`; a step that makes several makes them together."""
    selected: set[dg.AssetKey] = set()
    for definition in job.asset_layer.asset_graph.assets_defs:
        names = {key.to_user_string() for key in definition.keys}
        if names & set(tables) and definition.is_executable:
            selected |= definition.keys
    return sorted(selected)


class _Watch:
    """Shows how the tables come up to date, line after line, and adds up what they took."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._started = self._told = time.perf_counter()
        self._bars: dict[tuple[str, str], TaskID] = {}
        self._rows: defaultdict[str, int] = defaultdict(int)
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def tell(self, project: str, table: str, done: int, total: int) -> None:
        """Show how far the work on a table has come; where no bar can be drawn, in a line now and then."""
        if (project, table) not in self._bars:
            self._bars[project, table] = self.progress.add_task(f"{project}  {table}", total=total)
        self.progress.update(self._bars[project, table], completed=done, total=total)
        if not self.console.is_terminal and time.perf_counter() - self._told >= TELL_S:
            self._told = time.perf_counter()
            self.say(f"{project}  {table:<17} {done:>9,} of {total:,}")

    def done(self, project: str, outcome: Outcome) -> None:
        """Print what became of a table, in place of its bar."""
        bar = self._bars.pop((project, outcome.table), None)
        if bar is not None:
            self.progress.remove_task(bar)
        self._rows[outcome.table] += outcome.n_rows
        self._seconds[outcome.table] += outcome.seconds
        line = f"{project}  {outcome.table:<17} {outcome.n_rows:>9,} rows  {outcome.seconds:>7.1f} s"
        for name, value in outcome.facts.items():
            fact = f"  {name}: {value:.3g}" if isinstance(value, float) else f"  {name}: {value}"
            if len(line) + len(fact) > LINE_CHARACTERS:
                break  # all of them stand with the materialization in Dagster
            line += fact
        self.console.print(line, markup=False)

    def say(self, line: str) -> None:
        """Print a line."""
        self.console.print(line, markup=False)

    def summary(self) -> None:
        """Print the seconds that each table took, over all projects."""
        table = Table("stage", "rows", "seconds", box=None)
        for name, seconds in self._seconds.items():
            table.add_row(name, f"{self._rows[name]:,}", f"{seconds:.1f}")
        spent = time.perf_counter() - self._started
        table.add_row("orchestration", "", f"{max(0.0, spent - sum(self._seconds.values())):.1f}")
        table.add_row("all", "", f"{spent:.1f}")
        self.console.print(table)
