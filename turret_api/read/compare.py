"""The journeys of two segments side by side: which moves the sessions of one make more often than those of the other.

Sessions are independent of each other, moves within one are not. So each edge is a question about sessions: which
share of them makes the move at least once. A session that has messages in both segments is in neither here. Likewise
the gap before the move: each session that makes it has one, the median of its own.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import polars as pl
from fastapi import Depends, Query, Request

from turret_api.errors import invalid
from turret_api.read.filters import MAX_SEGMENTS, SEGMENT, Filters
from turret_api.read.journeys import labels_of
from turret_api.read.snapshot import Snapshot
from turret_api.read.statistics import difference_of_shares, differences_of_medians, p_values, q_values
from turret_api.read.steps import field_visits, numbered
from turret_api.read.values import Segments
from turret_pipeline.semantics.visits import edges_of, moves

SIDES = ("a", "b")
EDGE = ["from_topic", "to_topic"]


def sides(
    request: Request,
    a: Annotated[
        str | None,
        Query(alias="a.segment.<field>", description="a value of the field, or a range, as `segment.<field>`"),
    ] = None,
    b: Annotated[str | None, Query(alias="b.segment.<field>", description="likewise of the other side")] = None,
) -> tuple[Segments, Segments]:
    """Return the segments of the two sides, read off the query string; both must have one."""
    found = []
    for side in SIDES:
        prefix = f"{side}.{SEGMENT}"
        segments: dict[str, list[str]] = {}
        for key, value in request.query_params.multi_items():
            if key.startswith(prefix):
                segments.setdefault(key.removeprefix(prefix), []).append(value)
        if not segments or sum(map(len, segments.values())) > MAX_SEGMENTS:
            raise invalid(f"{prefix}<field>=value is needed, 1 to {MAX_SEGMENTS} times.", field=f"{prefix}<field>")
        found.append(tuple((field, tuple(sorted(values))) for field, values in sorted(segments.items())))
    return found[0], found[1]


Sides = Annotated[tuple[Segments, Segments], Depends(sides)]


def compare(
    snapshot: Snapshot, field: str, filters: Filters, level: int, segments: tuple[Segments, Segments], limit: int
) -> dict[str, Any]:
    """Return the edges of both sides, the surest differences first; those past `limit` are counted in `rest`.

    `difference` is the share of a's sessions that make the move less the share of b's, `low` to `high` its 95%
    confidence interval, `p_value` of Fisher's exact test (mid-p); `gap_…` the same of the sessions' gaps, by the
    test of Mann and Whitney. `q_value` and `gap_q_value` are those of all of these tests by Benjamini-Hochberg.
    """
    seen = [
        field_visits(
            snapshot, field, Filters(filters.since, filters.until, filters.name, filters.segments + each), level
        )
        for each in segments
    ]
    both = seen[0].select("session").unique().join(seen[1].select("session").unique(), on="session")
    alone = [visits.join(both, on="session", how="anti", maintain_order="left") for visits in seen]
    sizes = [visits["session"].n_unique() for visits in alone]
    edges = [
        edges_of(moves(numbered(visits))).select(
            *EDGE,
            *(pl.col(name).alias(f"{side}_{name}") for name in ("sessions", "count", "probability", "median_gap_s")),
        )
        for side, visits in zip(SIDES, alone, strict=True)
    ]
    met = edges[0].join(edges[1], on=EDGE, how="full", coalesce=True)
    met = met.with_columns(pl.col("^[ab]_(sessions|count)$").fill_null(0))
    met = met.with_columns(
        a_share=pl.col("a_sessions") / max(sizes[0], 1), b_share=pl.col("b_sessions") / max(sizes[1], 1)
    )
    tested = _tested(met.join(_gaps(alone), on=EDGE, how="left"), *sizes)
    labels = labels_of(snapshot, field)
    data = []
    for row in tested.head(limit).iter_rows(named=True):
        ends = row.pop("from_topic"), row.pop("to_topic")
        data.append({"from": ends[0], "to": ends[1], "labels": [labels.get(end, end) for end in ends], **row})
    rest = tested.tail(max(tested.height - limit, 0))
    return {
        "data": data,
        "n_sessions": dict(zip(SIDES, sizes, strict=True)),
        "n_sessions_in_both": both.height,
        "rest": {"edges": rest.height, "count": int(rest["a_count"].sum()) + int(rest["b_count"].sum())},
    }


def _tested(edges: pl.DataFrame, n_a: int, n_b: int) -> pl.DataFrame:
    """Return `edges` with their differences and how sure they are, the surest first; null where nothing can be said."""
    k_a, k_b = edges["a_sessions"].to_numpy(), edges["b_sessions"].to_numpy()
    names = ("difference", "low", "high", "p_value")
    columns: tuple[np.ndarray | None, ...] = (None,) * len(names)
    if n_a and n_b and edges.height:
        columns = (*difference_of_shares(k_a, n_a, k_b, n_b), p_values(k_a, n_a, k_b, n_b))
    found = edges.with_columns(
        pl.Series(name, values if values is not None else [None] * edges.height, dtype=pl.Float64)
        for name, values in zip(names, columns, strict=True)
    )
    # One family: whoever reads down the list looks at the shares and at the gaps.
    p = pl.concat([found["p_value"], found["gap_p_value"]]).rename("p").to_frame().with_row_index("row")
    known = p.drop_nulls()
    known = known.select("row", q=pl.Series(q_values(known["p"].to_numpy()), dtype=pl.Float64))
    q = p.join(known, on="row", how="left", maintain_order="left")["q"]
    found = found.with_columns(q_value=q.head(found.height), gap_q_value=q.tail(found.height))
    size = pl.col("a_count") + pl.col("b_count")
    return found.sort("p_value", -size, *EDGE, nulls_last=True)


def _gaps(sides: list[pl.DataFrame]) -> pl.DataFrame:
    """Return for each edge that enough sessions of both sides make how their gaps differ.

    sides: the visits of a and of b.
    """
    names = pl.Enum(pl.concat([visits["topic_id"].unique().cast(pl.String) for visits in sides]).unique().sort())
    frames = [
        numbered(visits)
        .lazy()
        .with_columns(
            pl.col("topic_id").cast(names).alias("to_topic"),
            from_topic=pl.col("topic_id").cast(names).shift(),
            value=(pl.col("started_at") - pl.col("ended_at").shift()).dt.total_microseconds() / 1e6,
        )
        .filter(pl.col("visit") != 0)
        .group_by("session", *EDGE)
        .agg(pl.col("value").median())
        .with_columns(is_a=pl.lit(side == SIDES[0]))
        for side, visits in zip(SIDES, sides, strict=True)
    ]
    found = differences_of_medians(pl.concat(frames).collect(), EDGE)
    named = {"difference": "gap_difference_s", "low": "gap_low_s", "high": "gap_high_s", "p_value": "gap_p_value"}
    return found.rename(named).cast(dict.fromkeys(EDGE, pl.String))
