"""Visits and edges: what a journey is, as pure functions over frames, for the pipeline and the read API alike.

A visit is a run of consecutive messages of one session with one topic. Messages stand in order of `timestamp`, then
of receipt: `received_at`, `part`, `seq`, and last `event_id`, so that the order never depends on how rows were read.
Messages without a topic are visits to `unassigned`. Edges lead from visit to visit, from `start` to a session's first
visit and from its last to `end`; so each session leaves `start` once and enters `end` once, and every other node is
entered as often as it is left. Nothing is cut off here; a view that shows the largest only has to name the rest.
"""

from __future__ import annotations

import polars as pl

START, END, UNASSIGNED = "start", "end", "unassigned"

ORDER = ("timestamp", "received_at", "part", "seq", "event_id")
"""Order of a session's messages; those of these columns that a frame lacks are left out."""

VISITS = pl.Schema(
    {
        "session_id": pl.String(),
        "visit": pl.Int64(),
        "topic_id": pl.String(),
        "started_at": pl.Datetime("us", "UTC"),
        "ended_at": pl.Datetime("us", "UTC"),
        "n_messages": pl.Int64(),
    }
)
"""Columns of `visits`: `visit` counts from 0 in its session; the times are of its first and its last message."""


def visits(messages: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Return the visits (`VISITS`) of messages, session after session (in no order of theirs), each as it happened.

    messages: `session_id`, `topic_id` (null: none) and the columns of `ORDER`, of one field, in any order.
    """
    columns = messages.lazy().collect_schema().names()
    order = [name for name in ORDER if name in columns]
    rows = messages.lazy().select("session_id", pl.col("topic_id").fill_null(UNASSIGNED), *order).collect()
    ordered = _in_order(rows, order)
    changed = pl.col("session") != pl.col("session").shift()
    return (
        ordered.lazy()
        .with_columns(
            new_session=changed.fill_null(True),
            new_visit=(changed | (pl.col("topic") != pl.col("topic").shift())).fill_null(True),
        )
        .with_row_index("place")
        .with_columns(last=pl.col("new_visit").shift(-1).fill_null(True))
        # First rows and last rows of the visits come in one order, so they pair up without a group-by.
        .select(
            pl.col("row", "new_session", "timestamp", "place").filter(pl.col("new_visit")),
            pl.col("timestamp").filter(pl.col("last")).alias("ended_at"),
            pl.col("place").filter(pl.col("last")).alias("end"),
        )
        .with_row_index("index")
        .select(
            session_id=pl.lit(rows["session_id"]).gather(pl.col("row")),
            visit=pl.col("index").cast(pl.Int64)
            - pl.when("new_session").then(pl.col("index")).forward_fill().cast(pl.Int64),
            topic_id=pl.lit(rows["topic_id"]).gather(pl.col("row")),
            started_at="timestamp",
            ended_at="ended_at",
            n_messages=pl.col("end").cast(pl.Int64) - pl.col("place").cast(pl.Int64) + 1,
        )
        .collect()
    )


def _in_order(rows: pl.DataFrame, order: list[str]) -> pl.DataFrame:
    """Return `row` (place in `rows`), `session` and `topic` (as numbers) and `timestamp`, in order of journeys.

    Sorting numbers is several times faster than sorting ids, and few messages of a session share a moment: the rest of
    `order` is looked at for those alone.
    """

    def coded(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.Categorical(pl.Categories.random())).to_physical()

    slim = rows.select(session=coded("session_id"), topic=coded("topic_id"), timestamp="timestamp").with_row_index(
        "row"
    )
    ordered = _by_session_and_time(slim)
    same = (pl.col("session") == pl.col("session").shift()) & (pl.col("timestamp") == pl.col("timestamp").shift())
    tied = ordered.select((same | same.shift(-1)).fill_null(False)).to_series()
    if tied.any():
        places = tied.arg_true()
        among = ordered[places].with_columns(rows[ordered["row"][places]].select(order[1:]))
        fixed = among.sort("session", *order).select("row", "topic")
        ordered = ordered.with_columns(
            ordered["row"].scatter(places, fixed["row"]), ordered["topic"].scatter(places, fixed["topic"])
        )
    return ordered


def _by_session_and_time(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `rows` sorted by `session`, `timestamp`: by one number made of both where it fits into 63 bits."""
    time = pl.col("timestamp").to_physical()
    last, least, most = rows.select(pl.col("session").max(), time.min().alias("least"), time.max().alias("most")).row(0)
    if last is None or (last + 1) * (most - least + 1) >= 1 << 63:
        return rows.sort("session", "timestamp")
    place = pl.col("session").cast(pl.Int64) * (most - least + 1) + (time - least)
    return rows.with_columns(place=place).sort("place").drop("place")


def moves(visits: pl.DataFrame) -> pl.DataFrame:
    """Return every move of `visits` (as `visits` returns them, whole sessions): one row for each edge passed.

    `session_id` may be of any type: only where it changes is looked at.

    Columns: `session` (a number, in order), `from_topic`, `to_topic`, `at` (when it happened: the start
    of the visit moved to, or the end of the session), `gap_s` (seconds from the end of the one visit to the start of
    the next; null at start and end). Order: all moves into visits, then all to `end`.
    """
    framed = visits.with_columns(
        session=pl.col("session_id").rle_id(),
        first=pl.col("visit") == 0,
        last=(pl.col("session_id") != pl.col("session_id").shift(-1)).fill_null(True),
        before=pl.col("topic_id").shift(),
        left_at=pl.col("ended_at").shift(),
    )
    into = framed.select(
        "session",
        from_topic=pl.when("first").then(pl.lit(START)).otherwise("before"),
        to_topic="topic_id",
        at="started_at",
        gap_s=pl.when(~pl.col("first")).then((pl.col("started_at") - pl.col("left_at")).dt.total_microseconds() / 1e6),
    )
    out = framed.filter("last").select(
        "session",
        from_topic="topic_id",
        to_topic=pl.lit(END),
        at="ended_at",
        gap_s=pl.lit(None, dtype=pl.Float64),
    )
    return pl.concat([into, out])


def journey_edges(visits: pl.DataFrame) -> pl.DataFrame:
    """Return the edges of whole sessions' visits, in order of `from_topic`, `to_topic`.

    Columns: `from_topic`, `to_topic`, `count` (moves), `sessions` (distinct ones that made it), `probability` (share of
    the moves out of `from_topic`), `median_gap_s` (null at start and end).
    """
    return edges_of(moves(visits))


def edges_of(moves: pl.DataFrame) -> pl.DataFrame:
    """Return the edges, as `journey_edges` does, that `moves` add up to."""
    return (
        moves.lazy()
        .group_by("from_topic", "to_topic")
        .agg(
            pl.len().cast(pl.Int64).alias("count"),
            pl.col("session").n_unique().cast(pl.Int64).alias("sessions"),
            pl.col("gap_s").median().alias("median_gap_s"),
        )
        .with_columns(probability=pl.col("count") / pl.col("count").sum().over("from_topic"))
        .select("from_topic", "to_topic", "count", "sessions", "probability", "median_gap_s")
        .sort("from_topic", "to_topic")
        .collect()
    )
