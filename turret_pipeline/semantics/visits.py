"""Steps, visits and edges: what a journey is, as pure functions over frames, for the pipeline and the read API alike.

A step is a message in its place in its session: by `timestamp`, then by receipt, which is `received_at`, `part`, `seq`,
and last `event_id`, so that the order never depends on how rows were read. A visit is a run of consecutive steps with
one topic; requests without a topic are visits to `unassigned`. Moves of conversation are part of the visit before them,
or at a session's start of the one after; a session of moves only is one visit to `moves`. Edges lead from visit to
visit, from `start` to a session's first visit and from its last to `end`; so each session leaves `start` once and
enters `end` once, and every other node is entered as often as it is left. Nothing is cut off here; a view that shows
the largest only has to name the rest.

Moves add up: those of two sets of sessions that have none in common are those of both, so edges are kept by day.
Sorting numbers is several times faster than sorting or grouping texts, so whatever is sorted here is first made a
number, and two numbers are packed into one where they fit.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from turret_pipeline.semantics import kinds

START, END, UNASSIGNED, ONLY_MOVES = "start", "end", "unassigned", "moves"
"""Names of nodes that are no topics; those of `kinds.MOVES` are names of nodes too where moves are not folded."""

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

MOVES = pl.Schema(
    {
        "from_topic": pl.String(),
        "to_topic": pl.String(),
        "count": pl.Int64(),
        "sessions": pl.Int64(),
        "gaps_s": pl.List(pl.Float64()),
    }
)
"""Columns of `moves`: `sessions` are distinct, `gaps_s` runs from the end of the one visit to the start of the next, in
order of size; it is empty at start and end."""

GAPS = {"median_gap_s": 0.5, "p25_gap_s": 0.25, "p75_gap_s": 0.75, "p95_gap_s": 0.95}
"""Columns of `journey_edges` about gaps, and the share of gaps that is no longer (linear between neighbours)."""

MOST = 1 << 63


def steps(messages: pl.DataFrame) -> pl.DataFrame:
    """Return `messages` session after session in any order, those of each in order, with a column `place` from 0.

    messages: `session_id` and the columns of `ORDER`, of one field, in any order.
    """
    ordered = _in_order(messages)
    session = ordered["session_id"].to_numpy()
    return messages[ordered["row"]].with_columns(place=pl.Series(_since(_changes(session)), dtype=pl.Int64))


def visits(messages: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Return the visits (`VISITS`) of messages, session after session in any order, the visits of each in their order.

    messages: `session_id`, `topic_id` (null: none), `kind` (left out: all are requests) and the columns of `ORDER`, of
    one field, in any order.
    """
    rows = messages.lazy().collect()
    found = coded_visits(rows)
    session = rows["session_id"].gather(found["row"])
    return found.with_columns(session, pl.col("topic_id").cast(pl.String)).select(VISITS.names())


def coded_visits(messages: pl.DataFrame) -> pl.DataFrame:
    """Return the same visits with `session_id` a number and `topic_id` categorical, which is all that `moves` needs.

    `row` is the place in `messages` of the visit's first.
    """
    ordered = _in_order(messages)
    if "kind" in messages.columns:
        messages = messages.with_columns(node(), is_move=is_move())
    else:
        messages = messages.with_columns(pl.col("topic_id").fill_null(UNASSIGNED), is_move=False)
    there = messages.select("is_move", _coded(messages["topic_id"]))[ordered["row"]]
    return visits_of(ordered.with_columns(folded(there.hstack([ordered["session_id"]]))))


def is_move() -> pl.Expr:
    """Return whether the `kind` of a message is a move of conversation; null, from before there were kinds, is none."""
    return pl.col("kind").is_in(kinds.MOVES).fill_null(False)


def node() -> pl.Expr:
    """Return as `topic_id` the node of a message by itself: its topic, `unassigned`, or its kind if it is a move."""
    return pl.when(is_move()).then("kind").otherwise(pl.col("topic_id").fill_null(UNASSIGNED)).alias("topic_id")


def folded(steps: pl.DataFrame) -> pl.Series:
    """Return the node of the visit that each step is part of, `topic_id`, in the order of `steps`.

    steps: `session_id`, `topic_id` (as `node` says, text or categorical) and `is_move`, session after session in order.
    """
    topic, moves = steps["topic_id"], steps["is_move"].to_numpy()
    if not moves.any():
        return topic
    rows = np.arange(steps.height)
    session = np.cumsum(_changes(steps["session_id"]))
    before = np.maximum.accumulate(np.where(moves, 0, rows))
    after = np.minimum.accumulate(np.where(moves, rows.size - 1, rows)[::-1])[::-1]
    found = rows.copy()
    for near in (after, before):  # what is before comes last, and so counts where there are both
        is_there = moves & ~moves[near] & (session[near] == session)
        found[is_there] = near[is_there]
    alone = pl.Series([ONLY_MOVES], dtype=pl.String).cast(topic.dtype)
    is_alone = pl.Series(moves[found])
    named = pl.when(is_alone).then(alone).otherwise(topic.gather(found)).alias("topic_id")
    return pl.select(named).to_series()


def visits_of(steps: pl.DataFrame) -> pl.DataFrame:
    """Return the visits of steps that are in order, as `visits` does, with `session_id` and `topic_id` as they are.

    steps: `session_id`, `topic_id` (of any type, none null), `timestamp`; further columns stay as at the visit's first.
    """
    new_session = _changes(steps["session_id"])
    firsts = np.flatnonzero(new_session | _changes(steps["topic_id"]))
    behind = np.append(firsts[1:], steps.height)[: firsts.size]
    found = steps if firsts.size == steps.height else steps[firsts]
    return found.rename({"timestamp": "started_at"}).with_columns(
        steps["timestamp"].gather(behind - 1).alias("ended_at"),
        pl.Series("visit", _since(new_session[firsts]), dtype=pl.Int64),
        pl.Series("n_messages", behind - firsts, dtype=pl.Int64),
    )


def moves(visits: pl.DataFrame) -> pl.DataFrame:
    """Return the moves (`MOVES`) of whole sessions' visits, one row for each kind, in no order.

    visits: `visit`, `topic_id` (text or categorical), `started_at`, `ended_at`, in order; `visit` is 0 where a session
    begins, and nothing else says so.
    """
    if visits.is_empty():
        return MOVES.to_frame(eager=True)
    topic = visits["topic_id"] if isinstance(visits.schema["topic_id"], pl.Categorical) else _coded(visits["topic_id"])
    used = topic.unique()
    names = dict(zip(used.to_physical(), used.cast(pl.String), strict=True))
    start = max(names) + 1
    end, width = start + 1, start + 2
    names |= {start: START, end: END}
    to = topic.to_physical().to_numpy().astype(np.int64)
    first = visits["visit"].to_numpy() == 0
    last = np.append(first[1:], True)
    session = np.cumsum(first) - 1
    inner = np.flatnonzero(~first)
    from_ = np.full(to.size, start)
    from_[inner] = to[inner - 1]
    pairs, kind, count = _kinds(np.concatenate([from_ * width + to, to[last] * width + end]), width * width)
    started, ended = (visits[name].to_physical().to_numpy() for name in ("started_at", "ended_at"))
    gaps = _sorted_within(kind[inner], started[inner] - ended[inner - 1])
    ends = np.append(0, np.cumsum(np.bincount(kind[inner], minlength=pairs.size)))
    # Not by `pa.array`, which would load pandas: 40 MiB in the process that works questions out.
    lists = pa.LargeListArray.from_arrays(pl.Series(ends).to_arrow(), pl.Series(gaps / 1e6).to_arrow())
    return pl.DataFrame(
        {
            "from_topic": [names[code] for code in (pairs // width).tolist()],
            "to_topic": [names[code] for code in (pairs % width).tolist()],
            "count": count,
            "sessions": _n_distinct(kind, np.concatenate([session, session[last]]), pairs.size),
            "gaps_s": pl.Series(lists, dtype=MOVES["gaps_s"]),
        },
        schema=MOVES,
    )


def edges_of(moves: pl.DataFrame) -> pl.DataFrame:
    """Return the edges that `moves` (as `moves` returns them, of any number of days) add up to, in order.

    Columns: `from_topic`, `to_topic`, `count` (moves), `sessions` (distinct ones that made it), `probability` (share of
    the moves out of `from_topic`), and those of `GAPS` (null at start and end).
    """
    gaps = pl.col("gaps_s")
    return (
        moves.lazy()
        .group_by("from_topic", "to_topic")
        .agg(pl.col("count", "sessions").sum(), gaps.explode(empty_as_null=False).sort())
        .with_columns(_quantile(gaps, share).alias(name) for name, share in GAPS.items())
        .with_columns(probability=pl.col("count") / pl.col("count").sum().over("from_topic"))
        .select("from_topic", "to_topic", "count", "sessions", "probability", *GAPS)
        .sort("from_topic", "to_topic")
        .collect()
    )


def journey_edges(visits: pl.DataFrame) -> pl.DataFrame:
    """Return the edges, as `edges_of` does, of whole sessions' visits."""
    return edges_of(moves(visits))


def _quantile(ordered: pl.Expr, share: float) -> pl.Expr:
    """Return the quantile of each list of ordered numbers; null for an empty list."""
    place = (ordered.list.len().cast(pl.Float64) - 1).clip(0) * share
    below, above = place.floor(), place.ceil()
    weight = place - below
    get = [ordered.list.get(at.cast(pl.Int64), null_on_oob=True) for at in (below, above)]
    return get[0] * (1 - weight) + get[1] * weight


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `row` (place in `rows`), `session_id` (as a number) and `timestamp`, in order of journeys.

    Few messages of a session share a moment; the columns after the time in `ORDER` are compared for those alone.
    """
    order = [name for name in ORDER if name in rows.columns]
    session, time = _number(rows["session_id"]), rows["timestamp"].to_physical()
    row = _packed_order(session, time)
    ordered = pl.DataFrame({"row": row, "session_id": session.gather(row), "timestamp": rows["timestamp"].gather(row)})
    tied = ~(_changes(ordered["session_id"]) | _changes(ordered["timestamp"]))
    tied[:-1] |= tied[1:]
    if tied.any():
        places = np.flatnonzero(tied)
        among = ordered[places].with_columns(rows[ordered["row"].gather(places)].select(order[1:]))
        ordered = ordered.with_columns(ordered["row"].scatter(places, among.sort("session_id", *order)["row"]))
    return ordered


def _packed_order(session: pl.Series, time: pl.Series) -> pl.Series:
    """Return the places of rows in order of `session`, `time` (whole numbers)."""
    if session.is_empty():
        return pl.Series(dtype=pl.UInt32)
    least, most = int(time.min()), int(time.max())  # type: ignore[arg-type]
    if (int(session.max()) + 1) * (most - least + 1) >= MOST:  # type: ignore[arg-type]
        return pl.DataFrame({"session": session, "time": time}).select(pl.arg_sort_by("session", "time")).to_series()
    return (session.cast(pl.Int64) * (most - least + 1) + (time - least)).arg_sort()


def _kinds(keys: np.ndarray, n_possible: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct `keys` in order, for each key its place among them, and how often each is there."""
    if n_possible > max(keys.size, 1 << 20):
        return np.unique(keys, return_inverse=True, return_counts=True)
    counts = np.bincount(keys, minlength=n_possible)
    pairs = np.flatnonzero(counts)
    place = np.empty(n_possible, dtype=np.int64)
    place[pairs] = np.arange(pairs.size)
    return pairs, place[keys], counts[pairs]


def _sorted_within(group: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return the values in order of their group, then of size; neither is below 0."""
    width = int(value.max(initial=0)) + 1
    if (int(group.max(initial=0)) + 1) * width >= MOST:
        return value[np.lexsort((value, group))]
    packed = pl.Series(group.astype(np.int64) * width + value)
    return packed.sort().to_numpy() % width


def _n_distinct(group: np.ndarray, value: np.ndarray, n_groups: int) -> np.ndarray:
    """Return how many distinct values each of the groups 0 to `n_groups` has, whose own values come in order."""
    # Numbers of at most 16 bits are sorted by radix, which takes a fifth of the time.
    order = np.argsort(group.astype(np.min_scalar_type(n_groups)), kind="stable")
    group, value = group[order], value[order]
    return np.bincount(group[_changes(group) | _changes(value)], minlength=n_groups)


def _changes(values: pl.Series | np.ndarray) -> np.ndarray:
    """Return for each row whether its value differs from the row's before; true of the first."""
    if isinstance(values, pl.Series):
        return (values != values.shift()).fill_null(True).to_numpy(writable=True)
    return np.append(np.ones(min(1, values.size), dtype=bool), values[1:] != values[:-1])


def _since(new: np.ndarray) -> np.ndarray:
    """Return for each row how many rows ago `new` was true."""
    places = np.arange(new.size)
    return places - np.maximum.accumulate(np.where(new, places, 0))


def _coded(texts: pl.Series) -> pl.Series:
    return texts.cast(pl.Categorical(pl.Categories.random()))


def _number(texts: pl.Series) -> pl.Series:
    """Return a number for each text, from 0, equal for equal texts."""
    return _coded(texts).to_physical()
