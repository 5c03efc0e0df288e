"""The journeys of two segments, periods or releases side by side: which moves the sessions of one make more often.

Sessions are independent of each other, moves within one are not. So each edge is a question about sessions: which
share of them makes the move at least once. A session that has messages on both sides is on neither here. Likewise
the gap before the move: each session that makes it has one, the median of its own.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, cast

import numpy as np
import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries, Views
from turret_api.read.engine.question import FieldAnswer, Meaning, Next
from turret_api.read.questions.journeys.graph import Ends, Rest
from turret_api.read.questions.journeys.statistics import (
    LEAST_UNITS,
    difference_of_shares,
    differences_of_medians,
    p_values,
    q_values,
)
from turret_api.read.questions.of_field import OfJourneys
from turret_api.read.sql.sides import side_views
from turret_api.read.sql.views import field_views, value_views
from turret_api.read.views.sides import NO_PERIOD, NO_SIDES, Periods, Sides, apart, periods_of
from turret_api.read.views.steps import field_visits, numbered
from turret_api.read.views.topics import labels_of
from turret_pipeline.semantics.visits import edges_of, moves

SIDES = ("a", "b")
EDGE = ["from_topic", "to_topic"]


class EdgeDifference(Ends):
    """An edge, of the sessions of both sides, and how sure it is that they differ."""

    labels: list[str]
    a_sessions: int
    a_share: Annotated[float, Meaning("of a's sessions, those that make the move")]
    a_count: int
    a_probability: float | None
    a_median_gap_s: float | None
    b_sessions: int
    b_share: float
    b_count: int
    b_probability: float | None
    b_median_gap_s: float | None
    difference: Annotated[float | None, Meaning("a_share less b_share; null: a side has no session")]
    low: Annotated[float | None, Meaning("lower end of its 95% confidence interval (Newcombe)")]
    high: float | None
    p_value: Annotated[float | None, Meaning("that the shares are equal: Fisher's exact test, mid-p")]
    q_value: Annotated[float | None, Meaning("adjusted over all edges and both tests (Benjamini-Hochberg)")]
    gap_difference_s: Annotated[
        float | None,
        Meaning("median over a's sessions of their gaps before the move less that of b's; null: too few make it"),
    ]
    gap_low_s: Annotated[float | None, Meaning("lower end of its 95% confidence interval (Bonett and Price)")]
    gap_high_s: float | None
    gap_p_value: Annotated[float | None, Meaning("that the gaps are alike: test of Mann and Whitney")]
    gap_q_value: Annotated[float | None, Meaning("as `q_value`")]


class SideCounts(TypedDict):
    """A number of each side."""

    a: int
    b: int


@dataclass(frozen=True)
class Comparison(FieldAnswer):
    """The edges of both sides."""

    data: Annotated[list[EdgeDifference], Meaning("the surest differences first")] = dataclasses.field(
        default_factory=list
    )
    n_sessions: SideCounts = dataclasses.field(default_factory=lambda: SideCounts(a=0, b=0))
    n_sessions_in_both: Annotated[int, Meaning("sessions of both sides; they count on neither")] = 0
    periods: Annotated[Periods, Meaning("when the sessions of each side began")] = dataclasses.field(
        default_factory=lambda: Periods(a=NO_PERIOD, b=NO_PERIOD)
    )
    rest: Rest = dataclasses.field(default_factory=lambda: Rest(edges=0, count=0))
    next: Next = None


@dataclass(frozen=True)
class ComparisonOfSegments(OfJourneys):
    """Which moves do the sessions of side `a` make more often than those of side `b`, and how sure is that?"""

    sides: Sides = NO_SIDES
    limit: int = 100

    answers = Comparison

    def of_field(self, snapshot: Snapshot, field: str) -> Comparison:
        """Return the edges of both sides, the surest differences first; those past `limit` are counted in `rest`."""
        sides = self.sides.resolved(snapshot, field, self.filters)
        *alone, n_both = apart(
            *(side.only(snapshot, field, field_visits(snapshot, field, side.of(self.filters), self.level))
              for side in sides)
        )  # fmt: skip
        sizes = [visits["session"].n_unique() for visits in alone]
        tested = _tested(_edges(alone, sizes).join(_gaps(alone), on=EDGE, how="left"), *sizes)
        rest = tested.tail(max(tested.height - self.limit, 0))
        return Comparison(
            _labelled(tested.head(self.limit), labels_of(snapshot, field)),
            {"a": sizes[0], "b": sizes[1]},
            n_both,
            periods_of(sides),
            {"edges": rest.height, "count": int(rest["a_count"].sum()) + int(rest["b_count"].sum())},
        )

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the counts of both sides, of all edges."""
        views: Views = {}
        sides = dict(zip(SIDES, self.sides.resolved(snapshot, field, self.filters), strict=True))
        for name, side in sides.items():
            views |= field_views(field, side.of(self.filters).placed(snapshot, field), self.level, f"{name}_")
        segments = (*self.filters.segments, *(each for side in sides.values() for each in side.segments))
        views |= value_views(field, [name for name, _ in segments])
        views |= side_views(field, sides)
        views["compared_moves"] = (
            "the moves of both sides",
            "\nUNION ALL".join(
                f"\nSELECT '{name}' AS side, * FROM {name}_session_moves"
                f" WHERE session_id IN (SELECT session_id FROM {name}_sessions)"
                for name in SIDES
            ),
        )
        return Queries(
            {"data": _edges_sql(), "totals": _TOTALS_SQL},
            views,
            "Left out: intervals, p-values and q-values. They are computed from these counts: Newcombe's interval and "
            "Fisher's exact test (mid-p) of the sessions that make a move, Bonett and Price's interval and the test of "
            "Mann and Whitney of their gaps, Benjamini and Hochberg over all of them.",
        )


def _labelled(edges: pl.DataFrame, labels: dict[str, str]) -> list[EdgeDifference]:
    found = []
    for edge in edges.iter_rows(named=True):
        ends = edge.pop("from_topic"), edge.pop("to_topic")
        found.append({"from": ends[0], "to": ends[1], "labels": [labels.get(end, end) for end in ends], **edge})
    return cast(list[EdgeDifference], found)


def _edges(alone: list[pl.DataFrame], sizes: list[int]) -> pl.DataFrame:
    """Return the counts of both sides by edge. alone: the visits of a and of b. sizes: their sessions."""
    edges = [
        edges_of(moves(numbered(visits))).select(
            *EDGE,
            *(pl.col(name).alias(f"{side}_{name}") for name in ("sessions", "count", "probability", "median_gap_s")),
        )
        for side, visits in zip(SIDES, alone, strict=True)
    ]
    met = edges[0].join(edges[1], on=EDGE, how="full", coalesce=True)
    met = met.with_columns(pl.col("^[ab]_(sessions|count)$").fill_null(0))
    return met.with_columns(
        a_share=pl.col("a_sessions") / max(sizes[0], 1), b_share=pl.col("b_sessions") / max(sizes[1], 1)
    )


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
    # One family: a reader of the list looks at the shares and at the gaps.
    q = q_values(pl.concat([found["p_value"], found["gap_p_value"]]))
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


_TOTALS_SQL = """
SELECT count(DISTINCT session_id) FILTER (side = 'a') AS "n_sessions.a",
    count(DISTINCT session_id) FILTER (side = 'b') AS "n_sessions.b",
    (SELECT count(*) FROM in_both) AS n_sessions_in_both
FROM compared_moves"""


def _edges_sql() -> str:
    of_side = ",\n    ".join(
        f"""count(DISTINCT session_id) FILTER (side = '{side}') AS {side}_sessions,
    count(DISTINCT session_id) FILTER (side = '{side}') / greatest(n_{side}, 1) AS {side}_share,
    count(*) FILTER (side = '{side}') AS {side}_count,
    nullif(count(*) FILTER (side = '{side}'), 0)
        / sum(count(*) FILTER (side = '{side}')) OVER (PARTITION BY from_topic) AS {side}_probability,
    median(gap_s) FILTER (side = '{side}') AS {side}_median_gap_s"""
        for side in SIDES
    )
    return f"""
WITH sides AS (
    SELECT count(DISTINCT session_id) FILTER (side = 'a') AS n_a, count(DISTINCT session_id) FILTER (side = 'b') AS n_b
    FROM compared_moves
), counted AS (
    SELECT from_topic, to_topic,
    {of_side},
    any_value(n_a) AS n_a, any_value(n_b) AS n_b
    FROM compared_moves CROSS JOIN sides GROUP BY from_topic, to_topic, n_a, n_b
), session_gaps AS (
    SELECT side, from_topic, to_topic, session_id, median(gap_s) AS gap_s
    FROM compared_moves WHERE gap_s IS NOT NULL GROUP BY side, from_topic, to_topic, session_id
), gaps AS (
    SELECT from_topic, to_topic,
        median(gap_s) FILTER (side = 'a') - median(gap_s) FILTER (side = 'b') AS gap_difference_s
    FROM session_gaps GROUP BY from_topic, to_topic
    HAVING least(count(*) FILTER (side = 'a'), count(*) FILTER (side = 'b')) >= {LEAST_UNITS}
)
SELECT from_topic AS "from", to_topic AS "to",
    [coalesce(one.label, from_topic), coalesce(other.label, to_topic)] AS labels,
    counted.* EXCLUDE (from_topic, to_topic, n_a, n_b),
    CASE WHEN n_a > 0 AND n_b > 0 THEN a_share - b_share END AS difference, gap_difference_s
FROM counted LEFT JOIN gaps USING (from_topic, to_topic)
LEFT JOIN labels AS one ON one.topic_id = from_topic LEFT JOIN labels AS other ON other.topic_id = to_topic
ORDER BY a_count + b_count DESC, "from", to_topic"""
