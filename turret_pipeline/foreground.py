"""Running the jobs in this process, one project after the other, with progress on a terminal."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from turret_pipeline.assets.room import PROJECT, Workshop
from turret_pipeline.automation import BUILDING_TAG, EVENTS_JOB, MODELS_JOB, range_tags
from turret_pipeline.definitions import build_definitions
from turret_pipeline.lake.parts import list_parts
from turret_pipeline.lake.settings import Settings
from turret_pipeline.recover import PROCESS_TAG, process_mark, recover
from turret_pipeline.stages.pending import STAGES, pending_days
from turret_pipeline.stages.work import Outcome

NO_CAPTURE = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}


def build(
    console: Console, settings: Settings, pending: Mapping[str, Mapping[str, int]], full_refresh: bool
) -> dict[str, str]:
    """Bring the projects in `pending` (stages by project) up to date; return why, for those that failed."""
    watch = _Watch(console)
    with watch.progress, _instance() as instance:
        recover(instance, launched_here=False)
        definitions = build_definitions(Workshop(settings, watch.tell, watch.done, watch.say))
        jobs = {name: definitions.resolve_job_def(name) for name in (EVENTS_JOB, MODELS_JOB)}
        instance.add_dynamic_partitions(PROJECT, list(pending))
        failures = {}
        for project, stages in pending.items():
            parts = list_parts(settings.open_lake(), project)
            days: list[dt.date] = []
            if full_refresh:
                days = sorted({part.received_date for part in parts})
            elif {"events", "field_profiles"} & stages.keys():
                days = pending_days(settings.open_lake(), project, parts)
            reason = _run(instance, jobs[EVENTS_JOB], project, full_refresh, days) if days else None
            reason = reason or _run(instance, jobs[MODELS_JOB], project, full_refresh)
            if reason is not None:
                failures[project] = reason
    watch.summary()
    return failures


def _instance() -> dg.DagsterInstance:
    """Open the instance of DAGSTER_HOME, but leave the terminal to the progress display instead of capturing it."""
    overrides: Any = {"compute_logs": NO_CAPTURE}
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(os.environ["DAGSTER_HOME"], overrides=overrides))


def _run(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    project: str,
    full_refresh: bool,
    days: list[dt.date] | None = None,
) -> str | None:
    """Execute one job for one project (and `days`); return None, or why it failed."""
    tags = {PROCESS_TAG: process_mark(), BUILDING_TAG: project, "dagster/max_retries": "0"}
    config: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    if full_refresh:
        config["resources"] = {"refresh": {"config": {"full": True}}}
    result = job.execute_in_process(
        run_config=config,
        instance=instance,
        partition_key=None if days else project,
        tags=tags | (range_tags(project, days) if days else {}),
        raise_on_error=False,
    )
    if result.success:
        return None
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            cause = (error.cause or error) if error is not None else None
            return f"{event.step_key}: {cause.message if cause else 'no reason given'} (run {result.run_id})"
    failed = [check.check_name for check in result.get_asset_check_evaluations() if not check.passed]
    return f"{', '.join(failed) or 'no reason given'} (run {result.run_id})"


class _Watch:
    """Shows how the stages go on, line after line, and adds up what they took."""

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
        self._started = time.perf_counter()
        self._bars: dict[tuple[str, str], TaskID] = {}
        self._rows: defaultdict[str, int] = defaultdict(int)
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def tell(self, project: str, stage: str, done: int, total: int) -> None:
        if (project, stage) not in self._bars:
            self._bars[project, stage] = self.progress.add_task(f"{project}  {stage}", total=total)
        self.progress.update(self._bars[project, stage], completed=done, total=total)

    def done(self, project: str, outcome: Outcome) -> None:
        bar = self._bars.pop((project, outcome.stage), None)
        if bar is not None:
            self.progress.remove_task(bar)
        self._rows[outcome.stage] += outcome.n_rows
        self._seconds[outcome.stage] += outcome.seconds
        facts = "  ".join(f"{name}: {value}" for name, value in outcome.facts.items())
        line = f"{project}  {outcome.stage:<17} {outcome.n_rows:>9,} rows  {outcome.seconds:>7.1f} s  {facts}"
        self.console.print(line, markup=False)

    def say(self, line: str) -> None:
        self.console.print(line, markup=False)

    def summary(self) -> None:
        """Print the seconds that each stage took, over all projects."""
        table = Table("stage", "rows", "seconds", box=None)
        for stage in STAGES:
            if stage.name in self._seconds:
                table.add_row(stage.name, f"{self._rows[stage.name]:,}", f"{self._seconds[stage.name]:.1f}")
        spent = time.perf_counter() - self._started
        table.add_row("orchestration", "", f"{max(0.0, spent - sum(self._seconds.values())):.1f}")
        table.add_row("all", "", f"{spent:.1f}")
        self.console.print(table)
