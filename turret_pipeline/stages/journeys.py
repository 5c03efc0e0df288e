"""`journey_moves`, `journey_edges`: how a project's sessions move from topic to topic, in each text field.

Sessions lie on the day on which their first message was received, each whole, so moves are counted by day and add up:
one more day costs that day, and a sum over the moves of all days.
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake.tables import JOURNEY_EDGES, JOURNEY_MOVES, JOURNEY_STEPS
from turret_pipeline.semantics.visits import MOVES, UNASSIGNED, edges_of, moves, visits_of
from turret_pipeline.stages.inputs import edges_inputs, moves_inputs
from turret_pipeline.stages.steps import batches
from turret_pipeline.stages.work import Outcome, Work

STEP = ("received_date", "field", "session_id", "place", "topic_id", "timestamp")
"""Columns of `journey_steps` that moves are counted from."""


def bring_journey_moves(work: Work) -> Outcome:
    """After this call each day has the moves of the sessions that lie on it; only days that changed are counted."""
    outcome = Outcome("journey_moves")
    steps, table = work.open(JOURNEY_STEPS), work.open(JOURNEY_MOVES)
    wanted = {day: moves_inputs(steps.state(day)) for day in {*steps.days(), *table.days()}}
    todo = sorted(day for day in wanted if work.full_refresh or table.inputs(day) != wanted[day])
    outcome.looked_at = todo
    done = 0
    for days, there in batches(steps, todo, STEP):
        rows = pl.concat([_moves_of_day(there.filter(pl.col("received_date") == day), day) for day in days])
        failpoint.reached("journey_moves.after_analysis")
        declared = rows.with_columns(project_id=pl.lit(work.project_id)).select(JOURNEY_MOVES.schema.names())
        table.replace(declared, days, days={day: wanted[day] for day in days})
        outcome.n_rows += rows.height
        done += len(days)
        work.tell("journey_moves", done, len(todo))
        failpoint.reached("journey_moves.after_days")
    return outcome.finish(work, table, moves_inputs(steps.state()))


def bring_journey_edges(work: Work) -> Outcome:
    """After this call the edges of all text fields are the sums of the moves of all days; one commit."""
    outcome = Outcome("journey_edges")
    days, table = work.open(JOURNEY_MOVES), work.open(JOURNEY_EDGES)
    wanted = edges_inputs(days.state())
    if work.full_refresh or table.inputs() != wanted:
        frames = [JOURNEY_EDGES.empty()]
        for field in days.scan().select("field").unique().collect()["field"].sort():
            edges = edges_of(days.scan().filter(pl.col("field") == field).select(MOVES.names()).collect())
            named = edges.with_columns(project_id=pl.lit(work.project_id), field=pl.lit(field))
            frames.append(named.select(JOURNEY_EDGES.schema.names()))
        failpoint.reached("journey_edges.after_analysis")
        rows = pl.concat(frames)
        table.replace(rows, inputs=wanted)
        outcome.n_rows = rows.height
        failpoint.reached("journey_edges.after_commit")
    return outcome.finish(work, table, wanted)


def _moves_of_day(steps: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """Return the moves of one day's steps: `received_date`, `field` and those of `MOVES`, in order."""
    frames = [pl.DataFrame(schema={"received_date": pl.Date, "field": pl.String, **MOVES})]
    topics = pl.col("topic_id").fill_null(UNASSIGNED).cast(pl.Categorical(pl.Categories.random()))
    for (field,), of_field in steps.group_by("field"):
        ordered = of_field.sort("session_id", "place").select("session_id", topics, "timestamp")
        found = moves(visits_of(ordered)).with_columns(received_date=pl.lit(day), field=pl.lit(field))
        frames.append(found.select(frames[0].columns))
    return pl.concat(frames).sort("field", "from_topic", "to_topic")
