"""The edges of journeys: how often sessions move from topic to topic.

The pipeline keeps those of topics without filters as a table; all others are counted here from the steps of the
messages that pass, by the same functions (`semantics.visits`). So are those of the table while they are of other steps
than there are, or of topics that are there no more.
"""

from __future__ import annotations

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.all_steps import other_names, users_of_sessions
from turret_api.read.views.few_edges import ENDS, folding
from turret_api.read.views.filters import Filters
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import field_visits, numbered
from turret_api.read.views.topics import FEW
from turret_pipeline.lake.tables import JOURNEY_EDGES
from turret_pipeline.semantics.visits import END, GAPS, START, journey_edges

JOURNEY_SOURCES = (*SOURCES, JOURNEY_EDGES)
"""Tables that answers about journeys follow from."""

EDGE = ("from_topic", "to_topic", "count", "sessions", "probability", "median_gap_s")
"""Columns of `turret export journeys`."""


def graph_edges(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the edges (columns `EDGE` and the further ones of `GAPS`) of the journeys of the messages that pass."""
    is_kept = not filters and not filters.has_moves and level == 0 and snapshot.is_of_steps(JOURNEY_EDGES)
    if is_kept and not other_names(snapshot, field):
        return snapshot.remember(
            ("edges", field),
            (JOURNEY_EDGES,),
            lambda: snapshot.scan(JOURNEY_EDGES).filter(pl.col("field") == field).drop("project_id", "field").collect(),
        )

    def compute() -> pl.DataFrame:
        found = journey_edges(numbered(field_visits(snapshot, field, filters, level)))
        return _led_over_few(snapshot, field, filters, level, found) if filters.few else found

    return snapshot.remember(("edges", field, filters, level), SOURCES, compute)


def all_moves(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return each move: `from_topic` (null: the session starts), `to_topic` (null: it ends), `session`, `user`."""
    visits = field_visits(snapshot, field, filters, level).select("session", "topic_id")
    visits = visits.with_columns(users_of_sessions(snapshot, field).gather(visits["session"]))
    topic, session = pl.col("topic_id"), pl.col("session")
    first, last = session != session.shift(), session != session.shift(-1)
    before = pl.when(~first.fill_null(True)).then(topic.shift())
    into = visits.select(before.alias("from_topic"), topic.alias("to_topic"), "session", "user")
    out = visits.filter(last.fill_null(True)).select(
        topic.alias("from_topic"), pl.when(False).then(topic).alias("to_topic"), "session", "user"
    )
    return pl.concat([into, out])


def moves_over_few(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return `all_moves` with texts and names for all ends, and those that few users make led over `few`."""

    def compute() -> pl.DataFrame:
        named = named_ends(all_moves(snapshot, field, filters, level))
        return folding(named, filters.few).apply(named)

    return snapshot.remember(("moves over few", field, filters, level), SOURCES, compute)


def named_ends(moves: pl.DataFrame) -> pl.DataFrame:
    """Return `moves` with texts as ends, and names where a session starts or ends."""
    texts = moves.with_columns(pl.col(ENDS).cast(pl.String))
    return texts.with_columns(pl.col("from_topic").fill_null(START), pl.col("to_topic").fill_null(END))


def _led_over_few(snapshot: Snapshot, field: str, filters: Filters, level: int, edges: pl.DataFrame) -> pl.DataFrame:
    """Return `edges` as they are once moves of few users lead over `few`; of edges from and to it no gap is told."""
    moves = moves_over_few(snapshot, field, filters, level)
    counted = moves.group_by(ENDS).agg(
        pl.len().cast(pl.Int64).alias("count"), pl.col("session").n_unique().cast(pl.Int64).alias("sessions")
    )
    found = counted.join(edges.select(*ENDS, *GAPS), on=ENDS, how="left")
    is_few = pl.any_horizontal(pl.col(ENDS) == FEW)
    gaps = [pl.when(~is_few).then(name).alias(name) for name in GAPS]
    share = pl.col("count") / pl.col("count").sum().over("from_topic")
    return found.with_columns(*gaps, probability=share).select(edges.columns).sort(ENDS)
