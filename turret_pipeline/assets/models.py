"""Assets by project: what the fields are, the messages in them, their vectors and topics, and the journeys."""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
from collections.abc import Callable, Iterator

import dagster as dg

from turret_pipeline.assets.room import (
    OWNERS,
    PROJECTS,
    RefreshResource,
    Workshop,
    check_results,
    check_specs,
    described,
    projects,
    show,
)
from turret_pipeline.lake.tables import (
    EMBEDDINGS,
    EVENTS,
    FIELD_PROFILES,
    FIELD_TYPES,
    JOURNEY_EDGES,
    JOURNEY_MOVES,
    JOURNEY_STEPS,
    MESSAGES,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPIC_FITS,
    TOPIC_LINEAGE,
    TOPICS,
    Table,
)
from turret_pipeline.stages.embeddings import bring_embeddings
from turret_pipeline.stages.fields import bring_field_types
from turret_pipeline.stages.journeys import bring_journey_edges, bring_journey_moves
from turret_pipeline.stages.messages import bring_messages
from turret_pipeline.stages.steps import bring_journey_steps
from turret_pipeline.stages.topic_days import bring_topic_days
from turret_pipeline.stages.topics import bring_topics
from turret_pipeline.stages.work import Outcome, Work

MODELS_POOL = "models"
"""Steps that hold a model in memory; the instance lets one at a time run."""


OF_A_FIT = (TOPICS, TOPIC_ASSIGNMENTS, TOPIC_LINEAGE, TOPIC_FITS)
"""Tables that one step writes."""


def model_assets() -> list[dg.AssetsDefinition]:
    """Return the assets of this room."""
    return [
        _asset(
            bring_field_types,
            FIELD_TYPES,
            after=[FIELD_PROFILES],
            group="fields",
            kinds={"deltalake", "polars"},
        ),
        _asset(bring_messages, MESSAGES, after=[EVENTS, FIELD_TYPES], group="fields", kinds={"deltalake", "polars"}),
        _asset(
            bring_embeddings,
            EMBEDDINGS,
            after=[MESSAGES],
            group="topics",
            kinds={"deltalake", "huggingface"},
            pool=MODELS_POOL,
        ),
        _topics(),
        _asset(
            bring_topic_days,
            TOPIC_DAYS,
            after=[MESSAGES, TOPIC_ASSIGNMENTS],
            group="topics",
            kinds={"deltalake", "polars"},
        ),
        _asset(
            bring_journey_steps,
            JOURNEY_STEPS,
            after=[MESSAGES, TOPIC_ASSIGNMENTS],
            group="journeys",
            kinds={"deltalake", "polars"},
        ),
        _asset(
            bring_journey_moves,
            JOURNEY_MOVES,
            after=[JOURNEY_STEPS],
            group="journeys",
            kinds={"deltalake", "polars"},
        ),
        _asset(
            bring_journey_edges,
            JOURNEY_EDGES,
            after=[JOURNEY_MOVES],
            group="journeys",
            kinds={"deltalake", "polars"},
        ),
    ]


def _asset(
    stage: Callable[[Work], Outcome],
    table: Table,
    *,
    after: list[Table],
    group: str,
    kinds: set[str],
    pool: str | None = None,
) -> dg.AssetsDefinition:
    """Return the asset that brings one table up to date, project after project."""

    @dg.asset(
        name=table.name,
        deps=[each.name for each in after],
        partitions_def=PROJECTS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=group,
        kinds=kinds,
        owners=OWNERS,
        description=table.meaning,
        metadata=described(table),
        check_specs=check_specs(table),
        pool=pool,
        code_version="1",
    )
    def asset(
        context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop], refresh: RefreshResource
    ) -> dg.MaterializeResult:
        wanted = projects(context)
        for project in wanted:
            with workshop.work(project, refresh.full, context.log.info) as work:
                outcome = stage(work)
            workshop.done(project, outcome)
            show(context, outcome, project)
        return dg.MaterializeResult(check_results=list(check_results(workshop.lake, table.name, wanted)))

    return asset


def _topics() -> dg.AssetsDefinition:
    """Return the assets that one step makes: a fit gives the topics, who has them, and what became of the old ones."""

    def spec(table: Table) -> dg.AssetSpec:
        return dg.AssetSpec(
            table.name,
            deps=[MESSAGES.name, EMBEDDINGS.name],
            group_name="topics",
            kinds={"deltalake", "bertopic"},
            owners=OWNERS,
            description=table.meaning,
            metadata=described(table),
            code_version="1",
        )

    @dg.multi_asset(
        name="fit_and_assign",
        specs=[spec(table) for table in OF_A_FIT],
        partitions_def=PROJECTS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=check_specs(*OF_A_FIT),
        pool=MODELS_POOL,
    )
    def topics(
        context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop], refresh: RefreshResource
    ) -> Iterator[dg.MaterializeResult]:
        wanted = projects(context)
        for project in wanted:
            with workshop.work(project, refresh.full, context.log.info) as work:
                outcomes = bring_topics(work)
            for outcome in outcomes:
                workshop.done(project, outcome)
                show(context, outcome, project, outcome.stage)
        for table in OF_A_FIT:
            results = list(check_results(workshop.lake, table.name, wanted))
            yield dg.MaterializeResult(asset_key=table.name, check_results=results)

    return topics
