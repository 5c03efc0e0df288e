"""`journey_moves`: how the sessions of each day move from topic to topic, in each text field.

Sessions lie on the day on which their first message was received, each whole, so moves are counted by day and add up.
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import JOURNEY_MOVES, JOURNEY_STEPS
from turret_pipeline.semantics.visits import END, MOVES, START, folded, is_move, moves, node, visits_of
from turret_pipeline.stages.by_day import bring_days
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding, of_days
from turret_pipeline.stages.stage import Product, Source, Stage, Task
from turret_pipeline.stages.work import Outcome

STEP = ("received_date", "field", "session_id", "place", "topic_id", "kind", "timestamp")
"""Columns of `journey_steps` that moves are counted from."""


def bring(task: Task) -> Outcome:
    """After this call each day has the moves of the sessions that lie on it; only days that changed are counted."""
    return bring_days(task, STEP, _moves)


def _moves(task: Task, days: list[dt.date], steps: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of these days."""
    rows = pl.concat([_moves_of_day(steps.filter(pl.col("received_date") == day), day) for day in days])
    return rows.with_columns(project_id=pl.lit(task.work.project_id)).select(JOURNEY_MOVES.schema.names())


def _moves_of_day(steps: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """Return the moves of one day's steps: `received_date`, `field` and those of `MOVES`, in order."""
    frames = [pl.DataFrame(schema={"received_date": pl.Date, "field": pl.String, **MOVES})]
    topics = node().cast(pl.Categorical(pl.Categories.random()))
    for (field,), of_field in steps.group_by("field"):
        ordered = of_field.sort("session_id", "place").select("session_id", topics, "timestamp", is_move=is_move())
        seen = visits_of(ordered.drop("is_move").with_columns(folded(ordered)))
        found = moves(seen).with_columns(received_date=pl.lit(day), field=pl.lit(field))
        frames.append(found.select(frames[0].columns))
    return pl.concat(frames).sort("field", "from_topic", "to_topic")


def moves_balance(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """On each day as many sessions leave `start` as enter `end`, and each move between visits has its gap."""
    there = of_days(store.scan(lake, JOURNEY_MOVES, project_id), days)
    moves = there.with_columns(n_gaps=pl.col("gaps_s").list.len()).collect()
    start, end = pl.col("from_topic") == START, pl.col("to_topic") == END
    wrong = moves.filter(
        pl.when(start | end).then(pl.col("n_gaps") != 0).otherwise(pl.col("n_gaps") != pl.col("count"))
        | (pl.col("count").filter(start).sum() != pl.col("count").filter(end).sum()).over("received_date", "field")
    )
    return finding(moves, wrong.drop("gaps_s"))


STAGE = Stage(
    makes=(
        Product(
            JOURNEY_MOVES,
            "The moves from topic to topic of each day's sessions, so that a new day touches no other.",
            {
                "from_topic to_topic count": "journey_steps.topic_id journey_steps.kind",
                "sessions": "journey_steps.session_id",
                "gaps_s": "journey_steps.timestamp",
            },
            {"moves_balance": Check("sessions of a day start and end once; each move has its gap", moves_balance)},
        ),
    ),
    reads=(Source(JOURNEY_STEPS),),
    method=bring,
    group="journeys",
    version=2,
)
