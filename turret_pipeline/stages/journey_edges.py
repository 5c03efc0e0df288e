"""`journey_edges`: how sessions move from topic to topic over all time, in each text field."""

from __future__ import annotations

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import JOURNEY_EDGES, JOURNEY_MOVES, JOURNEY_STEPS, TOPICS
from turret_pipeline.semantics.visits import END, MOVES, START, edges_of
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding
from turret_pipeline.stages.stage import Product, Source, Stage, Task
from turret_pipeline.stages.work import Outcome, Work


def bring(task: Task) -> Outcome:
    """After this call the edges of all text fields are the sums of the moves of all days; one commit."""
    outcome = Outcome("journey_edges")
    if task.has_news:
        moves = task.open(JOURNEY_MOVES)
        frames = [JOURNEY_EDGES.empty()]
        for field in moves.scan().select("field").unique().collect()["field"].sort():
            edges = edges_of(moves.scan().filter(pl.col("field") == field).select(MOVES.names()).collect())
            named = edges.with_columns(project_id=pl.lit(task.work.project_id), field=pl.lit(field))
            frames.append(named.select(JOURNEY_EDGES.schema.names()))
        failpoint.reached("journey_edges.after_analysis")
        rows = pl.concat(frames)
        task.table.replace(rows, inputs=task.inputs())
        outcome.n_rows = rows.height
        failpoint.reached("journey_edges.after_commit")
    return task.finish(outcome)


def edges_balance(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """As many moves lead into a node as out of it, and each session starts and ends once."""
    edges = store.read(lake, JOURNEY_EDGES, project_id)
    out = edges.group_by("field", node="from_topic").agg(left=pl.col("count").sum())
    into = edges.group_by("field", node="to_topic").agg(entered=pl.col("count").sum())
    nodes = out.join(into, on=["field", "node"], how="full", coalesce=True).fill_null(0)
    first = store.scan(lake, JOURNEY_STEPS, project_id).filter(pl.col("place") == 0)
    spoken = first.group_by("field").agg(sessions=pl.len())
    met = nodes.join(spoken.collect(), on="field", how="left").fill_null(0)
    start, end = pl.col("node") == START, pl.col("node") == END
    wrong = met.filter(
        (start & (pl.col("left") != pl.col("sessions")))
        | (end & (pl.col("entered") != pl.col("sessions")))
        | (~start & ~end & (pl.col("left") != pl.col("entered")))
    )
    return finding(met, wrong)


def _most_frequent(work: Work, rows: pl.LazyFrame) -> dict[str, object]:
    labels = work.open(TOPICS).scan().select("field", "topic_id", "label")
    moves = rows.sort("count", "field", "from_topic", "to_topic", descending=[True, False, False, False])
    for end in ("from", "to"):
        named = labels.rename({"topic_id": f"{end}_topic", "label": end})
        moves = moves.join(named, on=["field", f"{end}_topic"], how="left", maintain_order="left")
        moves = moves.with_columns(pl.coalesce(end, f"{end}_topic").alias(end))
    inner = (pl.col("from_topic") != START) & (pl.col("to_topic") != END)
    started = pl.col("count").filter(pl.col("from_topic") == START).sum()
    counts = rows.select(moves=pl.col("count").filter(inner).sum(), sessions=started).collect()
    columns = ("field", "from", "to", "count", "sessions", "probability", "median_gap_s")
    return {"most frequent moves": moves.filter(inner).select(columns), **counts.row(0, named=True)}


STAGE = Stage(
    makes=(
        Product(
            JOURNEY_EDGES,
            "How sessions move from topic to topic, with start, end and how long it takes.",
            {
                "probability": "journey_moves.count",
                "median_gap_s p25_gap_s p75_gap_s p95_gap_s": "journey_moves.gaps_s",
            },
            {"edges_balance": Check("nodes are left as often as entered; sessions start and end once", edges_balance)},
            _most_frequent,
        ),
    ),
    reads=(Source(JOURNEY_MOVES),),
    method=bring,
    group="journeys",
)
