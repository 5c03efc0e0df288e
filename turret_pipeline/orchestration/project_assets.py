"""Assets by project: what the fields are, the messages in them, their vectors and topics, and the journeys."""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
import datetime as dt
from collections.abc import Iterator
from typing import Any

import dagster as dg

from turret_pipeline.orchestration.attempts import Attempts
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
        context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop], refresh: RefreshResource
    ) -> Iterator[dg.MaterializeResult[Any]]:
        attempts = Attempts(context)
        days: dict[str, dict[str, list[dt.date] | None]]
        days = {product.table.name: dict.fromkeys(context.partition_keys) for product in stage.products}
        for project in context.partition_keys:
            with attempts.at(project), workshop.work(project, refresh.full, context.log.info) as work:
                for outcome in stage.bring(work):
                    workshop.done(project, outcome)
                    facts = {"rows written": outcome.n_rows, "seconds": outcome.seconds, **outcome.facts}
                    facts = {name: round(of, 4) if isinstance(of, float) else of for name, of in facts.items()}
                    attempts.show(project, outcome.table, facts)
                    days[outcome.table][project] = outcome.to_check
                for product in stage.products:
                    name, origin = product.table.name, {COLUMN_LINEAGE: lineage(stage, product)}
                    attempts.show(project, name, row_count(work.open(product.table)))
                    attempts.show(project, name, shown_rows(work, product) | origin)
                    attempts.show(project, name, shown_failures(work, name).get(None, {}))
        attempts.settle()
        for product in stage.products:
            results = list(check_results(workshop, product, days[product.table.name], context.log.info))
            yield dg.MaterializeResult(asset_key=product.table.name, check_results=results)

    return assets
