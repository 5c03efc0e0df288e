"""`journey_edges`: how a project's sessions move from topic to topic, in each text field."""

from __future__ import annotations

import polars as pl

from turret_pipeline.lake import failpoint
from turret_pipeline.lake.tables import FIELD_TYPES, JOURNEY_EDGES, MESSAGES, TOPIC_ASSIGNMENTS
from turret_pipeline.lake.visits import journey_edges, visits
from turret_pipeline.stages.inputs import TEXT_FIELDS, journey_inputs
from turret_pipeline.stages.messages import text_fields
from turret_pipeline.stages.work import Outcome, Work


def bring_journey_edges(work: Work) -> Outcome:
    """After this call the edges of all text fields follow from all messages and their topics; one commit."""
    outcome = Outcome("journey_edges")
    messages, assignments, table = work.open(MESSAGES), work.open(TOPIC_ASSIGNMENTS), work.open(JOURNEY_EDGES)
    types = work.open(FIELD_TYPES)
    wanted = journey_inputs(messages.state(), assignments.state(), types.mark(TEXT_FIELDS))
    if work.full_refresh or table.inputs() != wanted:
        frames = [JOURNEY_EDGES.empty()]
        for field in text_fields(types):
            topics = assignments.scan().filter(pl.col("field") == field).select("text_id", "topic_id")
            spoken = messages.scan().filter(pl.col("field") == field).drop("text", "project_id", "field")
            edges = journey_edges(visits(spoken.join(topics, on="text_id", how="left")))
            frames.append(
                edges.with_columns(project_id=pl.lit(work.project_id), field=pl.lit(field)).select(
                    JOURNEY_EDGES.schema.names()
                )
            )
        failpoint.reached("journey_edges.after_analysis")
        rows = pl.concat(frames).sort(*JOURNEY_EDGES.key)
        table.replace(rows, inputs=wanted)
        outcome.n_rows = rows.height
        failpoint.reached("journey_edges.after_commit")
    return outcome.finish(work, table, wanted)
