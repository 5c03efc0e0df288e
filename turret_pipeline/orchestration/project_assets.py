"""Assets by project: what the fields are, the messages in them, their vectors and topics, and the journeys."""

# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import dagster as dg

from turret_pipeline.lake.tables import (
    EMBEDDINGS,
    FIELD_HISTORY,
    FIELD_TOTALS,
    FIELD_TYPES,
    JOURNEY_EDGES,
    JOURNEY_MOVES,
    JOURNEY_STEPS,
    MESSAGES,
    STEP_VALUES,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPIC_FITS,
    TOPIC_LINEAGE,
    TOPICS,
    Table,
)
from turret_pipeline.orchestration.attempts import Attempts
from turret_pipeline.orchestration.columns import COLUMN_LINEAGE, described, lineage
from turret_pipeline.orchestration.pictures import pictures
from turret_pipeline.orchestration.verdicts import check_results, check_specs
from turret_pipeline.orchestration.workshop import OWNERS, PROJECTS, RefreshResource, Workshop, row_count
from turret_pipeline.stages.embeddings import bring_embeddings
from turret_pipeline.stages.fields import bring_field_types
from turret_pipeline.stages.journeys import bring_journey_edges, bring_journey_moves
from turret_pipeline.stages.messages import bring_messages
from turret_pipeline.stages.pending import READS
from turret_pipeline.stages.step_values import bring_step_values
from turret_pipeline.stages.steps import bring_journey_steps
from turret_pipeline.stages.topic_days import bring_topic_days
from turret_pipeline.stages.topics import bring_topics
from turret_pipeline.stages.work import Outcome, Work

MODELS_POOL = "models"
"""Steps that hold a model in memory; the instance lets one at a time run."""


@dataclass(frozen=True)
class Step:
    """One step of a project's run: the tables that it brings up to date, and what a person is told of each.

    Args:
        makes: table to what it is good for, in words that need no knowledge of the code.
        bring: the stage; the outcomes it gives bear the names of the tables.
        pool: the pool that limits how many such steps run at once, or None.
    """

    name: str
    makes: dict[Table, str]
    bring: Callable[[Work], Outcome | tuple[Outcome, ...]]
    group: str
    kinds: set[str] = field(default_factory=lambda: {"deltalake", "polars"})
    pool: str | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the tables that the step reads."""
        return tuple(table.name for table in READS[next(iter(self.makes)).name])


STEPS = (
    Step(
        "field_types",
        {
            FIELD_TYPES: "What each metadata field is: text that people wrote, a choice among few values, or a number. "
            "A person's decision wins over what the values show.",
            FIELD_HISTORY: "When the type of a field changed, from what to what, and why.",
            FIELD_TOTALS: "What all days but the latest show about each field, summed up, so that a new day is cheap.",
        },
        bring_field_types,
        "fields",
    ),
    Step(
        "messages",
        {MESSAGES: "What people wrote: one row for each value of a text field. Topics and journeys are about these."},
        bring_messages,
        "fields",
    ),
    Step(
        "embeddings",
        {
            EMBEDDINGS: "The meaning of each distinct text as a vector, so that texts that mean the same lie close "
            "together. Each text is embedded once."
        },
        bring_embeddings,
        "topics",
        {"deltalake", "huggingface"},
        MODELS_POOL,
    ),
    Step(
        "fit_and_assign",
        {
            TOPICS: "What people talk about: topics with a name, key words and examples, and themes over them. "
            "Found anew only when there is reason to; a topic keeps its id.",
            TOPIC_ASSIGNMENTS: "Which topic each distinct text belongs to, or that it fits none.",
            TOPIC_LINEAGE: "What became of topics when they were found anew: carried on, split, merged, born, ended.",
            TOPIC_FITS: "Each time topics were found anew: why, from how much, and how much changed.",
        },
        bring_topics,
        "topics",
        {"deltalake", "bertopic"},
        MODELS_POOL,
    ),
    Step(
        "topic_days",
        {TOPIC_DAYS: "How many messages and sessions each topic had on each day: the series that trends follow from."},
        bring_topic_days,
        "topics",
    ),
    Step(
        "journey_steps",
        {JOURNEY_STEPS: "Each message in its place in its session, with its topic: who went where, one by one."},
        bring_journey_steps,
        "journeys",
    ),
    Step(
        "step_values",
        {
            STEP_VALUES: "What each step's event has in the fields that are choices or numbers, so that topics and "
            "journeys are told apart by them without a look into the events."
        },
        bring_step_values,
        "journeys",
    ),
    Step(
        "journey_moves",
        {JOURNEY_MOVES: "The moves from topic to topic of each day's sessions, so that a new day touches no other."},
        bring_journey_moves,
        "journeys",
    ),
    Step(
        "journey_edges",
        {JOURNEY_EDGES: "How sessions move from topic to topic, with start, end and how long it takes."},
        bring_journey_edges,
        "journeys",
    ),
)
"""The steps in the order in which they run."""


def model_assets() -> list[dg.AssetsDefinition]:
    """Return the assets of this room."""
    return [_assets(step) for step in STEPS]


def _assets(step: Step) -> dg.AssetsDefinition:
    """Return the assets that one step brings up to date, project after project."""
    tables = {table.name: table for table in step.makes}

    @dg.multi_asset(
        name=step.name,
        specs=[
            dg.AssetSpec(
                table.name,
                deps=list(step.reads),
                group_name=step.group,
                kinds=step.kinds,
                owners=OWNERS,
                description=about,
                metadata=described(table, step.reads),
                code_version="1",
            )
            for table, about in step.makes.items()
        ],
        partitions_def=PROJECTS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=check_specs(*step.makes),
        pool=step.pool,
    )
    def assets(
        context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop], refresh: RefreshResource
    ) -> Iterator[dg.MaterializeResult]:
        attempts = Attempts(context)
        days: dict[str, dict[str, list[dt.date] | None]]
        days = {name: dict.fromkeys(context.partition_keys) for name in tables}
        for project in context.partition_keys:
            with attempts.at(project), workshop.work(project, refresh.full, context.log.info) as work:
                done = step.bring(work)
                for outcome in done if isinstance(done, tuple) else (done,):
                    workshop.done(project, outcome)
                    facts = {"rows written": outcome.n_rows, "seconds": outcome.seconds, **outcome.facts}
                    facts = {name: round(of, 4) if isinstance(of, float) else of for name, of in facts.items()}
                    attempts.show(project, outcome.stage, facts)
                    days[outcome.stage][project] = outcome.to_check
                for name, table in tables.items():
                    attempts.show(project, name, row_count(work.open(table)))
                    attempts.show(project, name, pictures(work, table) | {COLUMN_LINEAGE: lineage(table, step.reads)})
        attempts.settle()
        for name in tables:
            results = list(check_results(workshop, name, days[name], context.log.info))
            yield dg.MaterializeResult(asset_key=name, check_results=results)

    return assets
