"""Assets by project: what the fields are, the messages in them, their vectors and topics, and the journeys."""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
import datetime as dt
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import dagster as dg

from turret_pipeline.orchestration.attempts import Attempts, Shown
from turret_pipeline.orchestration.batch_step import batch_step
from turret_pipeline.orchestration.batches import BatchResource
from turret_pipeline.orchestration.partitions import PROJECTS
from turret_pipeline.orchestration.table_metadata import (
    COLUMN_LINEAGE,
    asset_spec,
    lineage,
    row_count,
    shown_failures,
    shown_rows,
)
from turret_pipeline.orchestration.verdicts import check_results, check_specs
from turret_pipeline.orchestration.workshop import RefreshResource, Workshop
from turret_pipeline.stages.stage import Stage
from turret_pipeline.stages.work import Outcome, Work


def project_assets(stage: Stage) -> dg.AssetsDefinition:
    """Return the assets whose tables the stage brings up to date, project after project."""

    @dg.multi_asset(
        name=stage.step,
        specs=[asset_spec(stage, product) for product in stage.products],
        partitions_def=PROJECTS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=check_specs(*stage.products),
        pool=stage.pool,
    )
    def assets(
        context: dg.AssetExecutionContext,
        workshop: dg.ResourceParam[Workshop],
        refresh: RefreshResource,
        batch: BatchResource,
    ) -> Iterator[dg.MaterializeResult[Any]]:
        if batch.partitions:
            keys = {project: [project] for project in batch.partitions}
            yield from batch_step(context, workshop, stage, keys, refresh.full, stage.bring, partial(_shown, stage))
            return
        attempts = Attempts(context)
        days: dict[str, dict[str, list[dt.date] | None]]
        days = {product.table.name: dict.fromkeys(context.partition_keys) for product in stage.products}
        for project in context.partition_keys:
            with attempts.at(project), workshop.work(project, refresh.full, context.log.info) as work:
                outcomes = stage.bring(work)
                for outcome in outcomes:
                    workshop.done(project, outcome)
                    days[outcome.table][project] = outcome.to_check
                attempts.show(_shown(stage, work, outcomes))
        attempts.settle()
        for product in stage.products:
            results = list(check_results(workshop, product, days[product.table.name], context.log.info))
            yield dg.MaterializeResult(asset_key=product.table.name, check_results=results)

    return assets


def _shown(stage: Stage, work: Work, outcomes: Sequence[Outcome]) -> Shown:
    """Return what is shown of each table of a project."""
    shown: Shown = {}
    for product in stage.products:
        name, origin = product.table.name, {COLUMN_LINEAGE: lineage(stage, product)}
        facts: dict[str, Any] = {}
        for outcome in (each for each in outcomes if each.table == name):
            facts |= {"rows written": outcome.n_rows, "seconds": outcome.seconds, **outcome.facts}
        facts = {fact: round(of, 4) if isinstance(of, float) else of for fact, of in facts.items()}
        facts |= row_count(work.open(product.table)) | shown_rows(work, product) | origin
        shown[name, work.project_id] = facts | shown_failures(work, name).get(None, {})
    return shown
