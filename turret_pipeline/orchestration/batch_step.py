"""One step of a run over many small projects: their stage, their checks, and what Dagster is told of each partition."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from turret_pipeline.orchestration import partition_log
from turret_pipeline.orchestration.attempts import Shown
from turret_pipeline.orchestration.verdicts import check_results
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.stages.stage import Stage
from turret_pipeline.stages.work import Outcome, Work


def batch_step(
    context: dg.AssetExecutionContext,
    workshop: Workshop,
    stage: Stage,
    keys: Mapping[str, Sequence[str]],
    refresh: bool,
    bring: Callable[[Work], Sequence[Outcome]],
    shown: Callable[[Work, Sequence[Outcome]], Shown],
) -> Iterator[dg.MaterializeResult[Any]]:
    """Yield the results of a stage's tables once they are up to date for all projects of the run that did not fail.

    Args:
        context: of the step.
        workshop: what assets work with.
        stage: how the tables are brought up to date.
        keys: the partitions of each project.
        refresh: whether what is up to date is computed again.
        bring: brings a project's tables up to date.
        shown: returns what is shown of each partition after that.
    """
    run = workshop.batch_run(context)
    done: dict[str, Sequence[Outcome]] = {}
    found: Shown = {}
    with run.sole_writer(workshop.database_url, list(keys), context.log.info) as projects:
        works = {project: workshop.work_of(project, refresh, run) for project in projects}
        for position, (project, work) in enumerate(works.items()):
            workshop.tell(f"{len(works)} projects", stage.table.name, position, len(works))
            with run.failing(project):
                done[project] = bring(work)
        for project, error in run.batch.flush(stage.commits).items():
            run.fail(project, f"{type(error).__name__}: {error}")
        for project in [project for project in done if project not in run.failed]:
            with run.failing(project):
                found |= shown(works[project], done[project])
    done = {project: outcomes for project, outcomes in done.items() if project not in run.failed}
    for product in stage.makes:
        workshop.done(f"{len(works)} projects", _together(product.table.name, done.values()))
    for asset in dict.fromkeys(asset for asset, _ in found):
        of_asset = {key: facts for (name, key), facts in found.items() if name == asset}
        partition_log.materialized(context, stage.step, asset, of_asset)
    for product in stage.products:
        worked_on = {project: _to_check(product.table.name, outcomes) for project, outcomes in done.items()}
        results = list(check_results(workshop, product, worked_on, context.log.info, run))
        yield dg.MaterializeResult(asset_key=product.table.name, check_results=results)
    for project in [project for project in keys if project in run.failed]:
        if project in works:
            context.log.error(f"{project} failed: {run.failed[project]}")
        for product in stage.products:
            lacking = [key for key in keys[project] if (product.table.name, key) not in found]
            partition_log.failed(context, stage.step, product.table.name, lacking)
    run.end_step(stage.step)


def _to_check(table: str, outcomes: Sequence[Outcome]) -> list[dt.date] | None:
    return next((outcome.to_check for outcome in outcomes if outcome.table == table), None)


def _together(table: str, done: Iterable[Sequence[Outcome]]) -> Outcome:
    """Return what became of a table in all projects together."""
    of_table = [outcome for outcomes in done for outcome in outcomes if outcome.table == table]
    return Outcome(table, sum(each.n_rows for each in of_table), sum(each.seconds for each in of_table))
