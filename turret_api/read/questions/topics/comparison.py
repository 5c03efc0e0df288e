"""The topics of two segments, periods or releases side by side: what grew, what shrank, what is new.

Sessions are independent of each other, messages within one are not. So each topic is a question about sessions: which
share of them has it at least once.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.queries import Queries, Views
from turret_api.read.engine.question import FieldAnswer, Meaning, Next, typed_rows
from turret_api.read.questions.journeys.comparison import SideCounts
from turret_api.read.questions.journeys.statistics import difference_of_shares, p_values, q_values
from turret_api.read.questions.of_field import TOPICS_BUILT, OfField
from turret_api.read.sql.sides import side_views
from turret_api.read.sql.views import field_views, value_views
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.sides import NO_PERIOD, NO_SIDES, Periods, Sides, apart, periods_of
from turret_api.read.views.steps import passing_steps
from turret_api.read.views.topics import edits_of, labels_of
from turret_api.read.views.windows import topic_sessions
from turret_pipeline.semantics.changes import share_change
from turret_pipeline.semantics.visits import ONLY_MOVES

MARKS = ("new", "grew", "shrank", "gone")
FALSE_ALARMS = 0.05
"""Share of false alarms among the marks."""


class TopicDifference(TypedDict):
    """A topic among the sessions of both sides, and how sure it is that they differ."""

    topic_id: str
    label: str
    a_sessions: Annotated[int, Meaning("of a's sessions, those that have the topic")]
    a_share: float
    b_sessions: int
    b_share: float
    difference: Annotated[float | None, Meaning("a_share less b_share; null: a side has no session")]
    low: Annotated[float | None, Meaning("lower end of its 95% confidence interval (Newcombe)")]
    high: float | None
    change: Annotated[float | None, Meaning("a_share over b_share, less 1; null: none on side b")]
    p_value: Annotated[float | None, Meaning("that the shares are equal: Fisher's exact test, mid-p")]
    q_value: Annotated[float | None, Meaning("adjusted over all topics (Benjamini-Hochberg)")]
    mark: Annotated[
        Literal["new", "grew", "shrank", "gone"] | None,
        Meaning("how a's share differs from b's, at most 5% false alarms; new, gone: the other side has none"),
    ]


@dataclass(frozen=True)
class TopicComparison(FieldAnswer):
    """The topics of both sides."""

    data: Annotated[list[TopicDifference], Meaning("the surest differences first; hidden topics are left out")] = (
        dataclasses.field(default_factory=list)
    )
    n_sessions: SideCounts = dataclasses.field(default_factory=lambda: SideCounts(a=0, b=0))
    n_sessions_in_both: Annotated[int, Meaning("sessions of both sides; they count on neither")] = 0
    periods: Annotated[Periods, Meaning("when the sessions of each side began")] = dataclasses.field(
        default_factory=lambda: Periods(a=NO_PERIOD, b=NO_PERIOD)
    )
    rest: Annotated[int, Meaning("topics past the limit")] = 0
    next: Next = None


@dataclass(frozen=True)
class ComparisonOfTopics(OfField):
    """Which topics do the sessions of side `a` have more often than those of side `b`, and how sure is that?"""

    sides: Sides = NO_SIDES
    level: int = 0
    limit: int = 100

    tables = SOURCES
    built = TOPICS_BUILT
    answers = TopicComparison

    def of_field(self, snapshot: Snapshot, field: str) -> TopicComparison:
        """Return the topics of both sides, the surest differences first."""
        sides = self.sides.resolved(snapshot, field, self.filters)
        a, b, n_both = apart(
            *(side.only(snapshot, field, passing_steps(snapshot, field, side.of(self.filters), self.level))
              for side in sides)
        )  # fmt: skip
        (of_a, n_a), (of_b, n_b) = (topic_sessions(steps, self.filters) for steps in (a, b))
        hidden = list(edits_of(snapshot, field).hidden)
        met = (
            of_a.rename({"sessions": "a_sessions"})
            .join(of_b.rename({"sessions": "b_sessions"}), on="topic_id", how="full", coalesce=True)
            .with_columns(pl.col("a_sessions", "b_sessions").fill_null(0))
            .filter(~pl.col("topic_id").is_in(hidden))
            .sort("topic_id")
        )
        tested = topic_differences(met, n_a, n_b)
        named = tested.with_columns(label=pl.col("topic_id").replace(labels_of(snapshot, field)))
        return TopicComparison(
            typed_rows(named.head(self.limit), TopicDifference),
            SideCounts(a=n_a, b=n_b),
            n_both,
            periods_of(sides),
            max(named.height - self.limit, 0),
        )

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the counts of both sides, of all topics."""
        views: Views = {}
        sides = dict(zip(("a", "b"), self.sides.resolved(snapshot, field, self.filters), strict=True))
        for name, side in sides.items():
            views |= field_views(field, side.of(self.filters).placed(snapshot, field), self.level, f"{name}_")
        segments = (*self.filters.segments, *(each for side in sides.values() for each in side.segments))
        views |= value_views(field, [name for name, _ in segments])
        views |= side_views(field, sides)
        return Queries({"data": _data_sql(field), "totals": _TOTALS_SQL}, views, LEFT_OUT)


LEFT_OUT = (
    "Left out: intervals (Newcombe), p-values (Fisher's exact test, mid-p), q-values (Benjamini and Hochberg over all "
    "topics) and marks, which follow from these counts."
)

_TOTALS_SQL = """
SELECT (SELECT count(*) FROM a_sessions) AS "n_sessions.a", (SELECT count(*) FROM b_sessions) AS "n_sessions.b",
    (SELECT count(*) FROM in_both) AS n_sessions_in_both"""


def _data_sql(field: str) -> str:
    had = "\n    UNION ALL".join(
        f"""
    SELECT DISTINCT '{side}' AS side, session_id, coalesce(step.topic_id, {literal(ONLY_MOVES)}) AS topic_id
    FROM {side}_sessions LEFT JOIN {side}_counted_steps AS step USING (session_id)"""
        for side in ("a", "b")
    )
    return f"""
WITH had AS ({had}
), counted AS (
    SELECT topic_id, count(*) FILTER (side = 'a') AS a_sessions, count(*) FILTER (side = 'b') AS b_sessions
    FROM had WHERE topic_id NOT IN (SELECT topic_id FROM hidden WHERE field = {literal(field)}) GROUP BY topic_id
), whole AS (
    SELECT count(DISTINCT session_id) FILTER (side = 'a') AS n_a, count(DISTINCT session_id) FILTER (side = 'b') AS n_b
    FROM had
)
SELECT topic_id, coalesce(label, topic_id) AS label,
    a_sessions, a_sessions / greatest(n_a, 1) AS a_share, b_sessions, b_sessions / greatest(n_b, 1) AS b_share,
    CASE WHEN n_a > 0 AND n_b > 0 THEN a_share - b_share END AS difference,
    CASE WHEN n_a > 0 AND b_sessions > 0 THEN a_share / b_share - 1 END AS change
FROM counted CROSS JOIN whole LEFT JOIN labels USING (topic_id)
ORDER BY a_sessions + b_sessions DESC, topic_id"""


def topic_differences(topics: pl.DataFrame, n_a: int, n_b: int) -> pl.DataFrame:
    """Return `topics` with their shares and how sure it is that these differ, the surest first.

    topics: `topic_id`, `a_sessions`, `b_sessions`. n_a, n_b: all sessions of either side.
    """
    k_a, k_b = topics["a_sessions"].to_numpy(), topics["b_sessions"].to_numpy()
    tested = topics.with_columns(
        n_a=pl.lit(n_a),
        n_b=pl.lit(n_b),
        a_share=pl.col("a_sessions") / max(n_a, 1),
        b_share=pl.col("b_sessions") / max(n_b, 1),
    )
    names = ("difference", "low", "high", "p_value")
    columns: dict[str, np.ndarray | None] = dict.fromkeys(names)
    if n_a and n_b and topics.height:
        differences = (*difference_of_shares(k_a, n_a, k_b, n_b), p_values(k_a, n_a, k_b, n_b))
        columns = dict(zip(names, differences, strict=True))
    tested = tested.with_columns(
        pl.Series(name, [None] * topics.height if values is None else values, dtype=pl.Float64)
        for name, values in columns.items()
    )
    tested = tested.with_columns(q_value=q_values(tested["p_value"]))
    sure = pl.col("q_value") < FALSE_ALARMS
    mark = (
        pl.when(~sure.fill_null(False))
        .then(None)
        .when(pl.col("b_sessions") == 0)
        .then(pl.lit("new"))
        .when(pl.col("a_sessions") == 0)
        .then(pl.lit("gone"))
        .when(pl.col("difference") > 0)
        .then(pl.lit("grew"))
        .otherwise(pl.lit("shrank"))
    )
    size = pl.col("a_sessions") + pl.col("b_sessions")
    return tested.with_columns(change=share_change("a_sessions", "n_a", "b_sessions", "n_b"), mark=mark).sort(
        "p_value", -size, "topic_id", nulls_last=True
    )
