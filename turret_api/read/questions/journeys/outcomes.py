"""What precedes a good or a bad outcome: topics, moves and signs of friction, each with how sure that is.

Sessions are independent of each other, messages within one are not: a session is the unit, and has one outcome
(`views.outcomes`). It has a topic, a move or a sign if it came to it at the latest when its last value of the outcome
was sent; what is behind that cannot have led to it. Sessions with a thing are compared with all others that have an
outcome. This shows what goes together, not what causes what.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, cast

import numpy as np
import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import FieldAnswer, Meaning
from turret_api.read.questions.journeys.contrasts import contrasts_of_medians, contrasts_of_shares
from turret_api.read.questions.journeys.statistics import q_values, wilson
from turret_api.read.questions.of_field import OfField
from turret_api.read.sql.friction import signed_views
from turret_api.read.sql.outcomes import outcome_views, thing_views
from turret_api.read.sql.views import now, value_views
from turret_api.read.views.friction import has_sign
from turret_api.read.views.outcomes import (
    OUTCOME_SOURCES,
    MarkedOutcome,
    choose_outcome,
    marked_outcomes,
    session_outcomes,
    told_outcomes,
)
from turret_api.read.views.steps import signed_steps
from turret_api.read.views.topics import edits_of, labels_of
from turret_pipeline.lake.tables import FRICTION, JOURNEY_STEPS
from turret_pipeline.semantics.friction import SIGNS
from turret_pipeline.semantics.outcomes import Outcome
from turret_pipeline.semantics.visits import START

SURE = 0.05
"""q below which a difference counts."""
ANY = "any"
Kind = Literal["topic", "move", "sign"]
KINDS: tuple[Kind, ...] = ("topic", "move", "sign")
_POOL = "all"
MOST_KEYS = 1 << 22
"""Keys up to this number are told apart by a table of them, which is several times as fast as sorting them."""

_MoveEnds = TypedDict(
    "_MoveEnds",
    {
        "from": Annotated[str | None, Meaning("of a move: a topic or `start`")],
        "to": Annotated[str | None, Meaning("of a move")],
    },
)


class Factor(_MoveEnds):
    """A topic, a move or a sign of friction, and how sessions with it went beside those without."""

    kind: Kind
    topic_id: Annotated[str | None, Meaning("of a topic")]
    sign: Annotated[str | None, Meaning("of a sign: " + ", ".join(SIGNS) + "; any: at least one of them")]
    labels: Annotated[list[str], Meaning("of the topic, of both ends of the move, or the sign")]
    n_with: Annotated[int, Meaning("sessions with an outcome that came to it no later than that")]
    n_without: Annotated[int, Meaning("all other sessions with an outcome")]
    value_with: Annotated[float | None, Meaning("share with a good value, or median, of those with it")]
    value_without: float | None
    difference: Annotated[float | None, Meaning("value_with less value_without; null: a side has no session")]
    low: Annotated[
        float | None,
        Meaning("lower end of its 95% confidence interval: Newcombe's; of medians Bonett and Price's, null of too few"),
    ]
    high: float | None
    superiority: Annotated[
        float | None,
        Meaning("probability that a session with it has the larger value of two, one without it; ties count half"),
    ]
    p_value: Annotated[
        float | None,
        Meaning("that it makes no difference: Fisher's mid-p; of numbers Mann and Whitney's; null: too few sessions"),
    ]
    q_value: Annotated[float | None, Meaning("adjusted over all topics, moves and signs (Benjamini-Hochberg)")]
    effect: Annotated[Literal["better", "worse"] | None, Meaning(f"null: within chance (q of {SURE} or more)")]


class Tested(TypedDict):
    """How many topics, moves or signs there are, and how many of them go with another outcome."""

    kind: Kind
    n: int
    n_tested: Annotated[int, Meaning("with enough sessions on either side")]
    n_better: int
    n_worse: int


@dataclass(frozen=True)
class OutcomeFigures(FieldAnswer):
    """Topics, moves and signs, the surest first; nothing where no field is marked, or where it cannot be told."""

    data: list[Factor] = dataclasses.field(default_factory=list)
    counts: Annotated[list[Tested], Meaning("of all, whatever `limit` leaves out")] = dataclasses.field(
        default_factory=list
    )
    outcome: Annotated[MarkedOutcome | None, Meaning("what sessions are compared by; null: no field is marked")] = None
    outcomes: Annotated[list[MarkedOutcome], Meaning("all fields that are marked")] = dataclasses.field(
        default_factory=list
    )
    n_sessions: Annotated[int, Meaning("with a message that passes the filters")] = 0
    n_with_outcome: Annotated[int, Meaning("of them, that have an outcome; the others count nowhere")] = 0
    value: Annotated[float | None, Meaning("share of them with a good value, or median")] = None
    low: Annotated[float | None, Meaning("lower end of the share's 95% interval (Wilson); null of a median")] = None
    high: float | None = None


@dataclass(frozen=True)
class OutcomesOfField(OfField):
    """What precedes a good or a bad `outcome` (None: the first that is marked)?

    topic_id: only this topic, and the moves from it and to it; None: all. limit: most rows of each kind.
    """

    outcome: str | None = None
    level: int = 0
    topic_id: str | None = None
    limit: int = 100

    tables = (*OUTCOME_SOURCES, FRICTION)
    built = (JOURNEY_STEPS, FRICTION)
    answers = OutcomeFigures

    def of_field(self, snapshot: Snapshot, field: str) -> OutcomeFigures:
        """Return the topics, moves and signs; raise an `ApiError` if the field `outcome` is not marked."""
        chosen, marked = choose_outcome(snapshot, self.outcome), list(told_outcomes(snapshot).values())
        if chosen is None or chosen["problem"] is not None:
            return OutcomeFigures(outcome=chosen, outcomes=marked)
        outcome = marked_outcomes(snapshot)[chosen["field"]]

        def compute() -> pl.DataFrame:
            steps = signed_steps(snapshot, field, self.filters, self.level)
            return factors(steps, session_outcomes(snapshot, field, outcome), outcome, edits_of(snapshot, field).hidden)

        key = ("factors", field, outcome, self.filters, self.level)
        found = snapshot.remember(key, (*OUTCOME_SOURCES, FRICTION), compute)
        whole = found.filter(pl.col("kind") == _POOL).row(0, named=True)
        told = found.filter(pl.col("kind") != _POOL)
        n, value = whole["n_with"], whole["value_with"]
        low, high = (None, None) if outcome.is_number or not n else wilson(value * n, n)
        return OutcomeFigures(
            _labelled(self._asked(told, edits_of(snapshot, field).merged), labels_of(snapshot, field)),
            _counts(told),
            chosen,
            marked,
            n + whole["n_without"],
            n,
            value,
            low,
            high,
        )

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of how sessions with each topic, move and sign went, beside those without."""
        chosen = choose_outcome(snapshot, self.outcome)
        if chosen is None or chosen["problem"] is not None:
            return Queries({}, left_out="No field is marked as an outcome that can be told.")
        outcome = marked_outcomes(snapshot)[chosen["field"]]
        views = signed_views(field, self.filters, self.level)
        views |= value_views(field, [outcome.field, *(name for name, _ in self.filters.segments)])
        views |= outcome_views(field, outcome) | thing_views(field)
        middle = "median" if outcome.is_number else "avg"
        about = "true"
        if self.topic_id is not None:
            about = f"{now(self.topic_id)} IN (coalesce(topic_id, ''), coalesce(\"from\", ''), coalesce(\"to\", ''))"
        data = f"""
WITH things AS (SELECT DISTINCT kind, topic_id, "from", "to", sign FROM came_to WHERE {about}),
beside AS (
    SELECT things.*, pool.value, came_to.session_id IS NOT NULL AS has_it
    FROM things CROSS JOIN pool
    LEFT JOIN came_to ON came_to.session_id = pool.session_id AND came_to.kind = things.kind
        AND came_to.topic_id IS NOT DISTINCT FROM things.topic_id AND came_to.sign IS NOT DISTINCT FROM things.sign
        AND came_to."from" IS NOT DISTINCT FROM things."from" AND came_to."to" IS NOT DISTINCT FROM things."to"
), named AS (SELECT map_from_entries(list((topic_id, label))) AS names FROM labels)
SELECT kind, topic_id, "from", "to", sign,
    [coalesce(any_value(names)[each], each) for each IN [topic_id, "from", "to", sign] IF each IS NOT NULL] AS labels,
    count(*) FILTER (has_it) AS n_with, count(*) FILTER (NOT has_it) AS n_without,
    {middle}(value) FILTER (has_it) AS value_with, {middle}(value) FILTER (NOT has_it) AS value_without,
    value_with - value_without AS difference
FROM beside CROSS JOIN named GROUP BY kind, topic_id, "from", "to", sign
ORDER BY kind, n_with DESC, topic_id, "from", "to", sign"""
        totals = f"""
SELECT (SELECT count(DISTINCT session_id) FROM signed_steps) AS n_sessions, count(*) AS n_with_outcome,
    {middle}(value) AS value
FROM pool"""
        left_out = (
            "Left out: intervals, superiority, p-values, q-values and effects. They are computed from these sessions: "
            "Newcombe's interval and Fisher's exact test (mid-p) of shares, Bonett and Price's interval and the test "
            "of Mann and Whitney of medians, Benjamini and Hochberg over all of them."
        )
        return Queries({"data": data, "totals": totals}, views, left_out)

    def _asked(self, told: pl.DataFrame, merged: Mapping[str, str]) -> pl.DataFrame:
        if self.topic_id is not None:
            topic_id = merged.get(self.topic_id, self.topic_id)
            is_about = [(pl.col(name) == topic_id).fill_null(False) for name in ("topic_id", "from", "to")]
            told = told.filter(pl.any_horizontal(is_about))
        return told.filter(pl.int_range(pl.len()).over("kind") < self.limit)


def factors(
    steps: pl.DataFrame, went: pl.DataFrame, outcome: Outcome, hidden: frozenset[str] = frozenset()
) -> pl.DataFrame:
    """Return what sessions came to before their outcome, the surest differences first.

    Columns: those of `Factor` but `labels`. One row more, of the kind `all`, tells of the pool: `n_with` (sessions with
    an outcome), `n_without` (those that have none) and `value_with`.

    steps: session after session in order, `session` (a number), `topic_id` (categorical), `timestamp`, `signs`. went:
    `session`, `at`, `value` of sessions. hidden: topics that are not told of.
    """
    sessions = steps["session"].unique()
    pool = went.filter(pl.col("session").is_in(sessions.implode()))
    values, numbers = pool["value"].to_numpy(), pool["session"].to_numpy()
    size = int(sessions.to_numpy().max(initial=0)) + 1
    unit, at = np.full(size, -1), np.full(size, np.iinfo(np.int64).min)
    unit[numbers], at[numbers] = np.arange(pool.height), pool["at"].to_physical().to_numpy()
    session = steps["session"].to_numpy()
    is_before = steps["timestamp"].to_physical().to_numpy() <= at[session]
    things, pairs = _things(steps, unit[session], is_before, hidden)
    contrast = contrasts_of_medians if outcome.is_number else contrasts_of_shares
    told = things.hstack(contrast(*pairs, values, things.height)).filter(pl.col("n_with") > 0)
    q = q_values(told["p_value"])
    is_more = pl.col("superiority") > 0.5
    good, bad = ("better", "worse") if outcome.is_more_better else ("worse", "better")
    told = told.with_columns(q_value=q).with_columns(
        effect=pl.when((pl.col("q_value") < SURE) & (pl.col("superiority") != 0.5)).then(
            pl.when(is_more).then(pl.lit(good)).otherwise(pl.lit(bad))
        )
    )
    value = None if not values.size else float(np.median(values) if outcome.is_number else values.mean())
    whole = pl.DataFrame(
        {"kind": [_POOL], "n_with": [pool.height], "n_without": [sessions.len() - pool.height], "value_with": [value]},
        schema_overrides={"value_with": pl.Float64},
    )
    ordered = told.sort("p_value", pl.col("n_with") * -1, "kind", "topic_id", "from", "to", "sign", nulls_last=True)
    return pl.concat([ordered, whole], how="diagonal")


def _things(
    steps: pl.DataFrame, unit: np.ndarray, is_before: np.ndarray, hidden: frozenset[str]
) -> tuple[pl.DataFrame, tuple[np.ndarray, np.ndarray]]:
    """Return the things that steps come to (`kind`, `topic_id`, `from`, `to`, `sign`), and which unit has which.

    The second part is the rows of the first and the units, both int64 of shape (n_pairs,), each pair once. Steps that
    are not `is_before` bring nothing, but a move may lead out of none of them either.
    """
    used = steps["topic_id"].unique()
    codes = used.to_physical().cast(pl.Int64)
    names = dict(zip(codes, used.cast(pl.String), strict=True))
    start = max(names, default=-1) + 1
    width = start + 1
    topic = steps["topic_id"].to_physical().cast(pl.Int64).to_numpy()
    new_session = _differs(steps["session"].to_numpy())
    begins = new_session | _differs(topic)
    before = np.where(new_session, start, np.append(start, topic[:-1])[: topic.size])
    shown = np.array([names.get(code) not in hidden for code in range(width)], dtype=bool)
    counted = {
        "topic": (begins & shown[topic], topic),
        "move": (begins, before * width + topic),
    }
    rows: list[dict[str, str]] = []
    things: list[np.ndarray] = []
    units: list[np.ndarray] = []
    for kind, (which, key) in counted.items():
        of = which & is_before
        keys, place = _numbered(key[of])
        things.append(place + len(rows))
        units.append(unit[of])
        names_of = {**names, start: START}
        if kind == "topic":
            rows += [{"kind": kind, "topic_id": names_of[code]} for code in keys.tolist()]
        else:
            rows += [
                {"kind": kind, "from": names_of[code // width], "to": names_of[code % width]} for code in keys.tolist()
            ]
    for sign in (ANY, *SIGNS):
        of = steps.select(has_sign(sign)).to_series().to_numpy() & is_before
        things.append(np.full(int(of.sum()), len(rows)))
        units.append(unit[of])
        rows.append({"kind": "sign", "sign": sign})
    n_units = int(unit.max(initial=0)) + 1
    packed = np.sort(np.concatenate(things).astype(np.int64) * n_units + np.concatenate(units))
    packed = packed[_differs(packed)]
    schema = dict.fromkeys(("kind", "topic_id", "from", "to", "sign"), pl.String)
    return pl.DataFrame(rows, schema=schema), (packed // n_units, packed % n_units)


def _numbered(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct `keys` (whole numbers from 0) in order, and the place of each key among them."""
    most = int(keys.max(initial=0))
    if most > max(keys.size, MOST_KEYS):
        distinct, place = np.unique(keys, return_inverse=True)
        return distinct, place
    is_there = np.zeros(most + 1, dtype=bool)
    is_there[keys] = True
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[keys]


def _differs(codes: np.ndarray) -> np.ndarray:
    return np.append(True, codes[1:] != codes[:-1])[: codes.size]


def _counts(told: pl.DataFrame) -> list[Tested]:
    effect = pl.col("effect")
    counted = told.group_by("kind").agg(
        n=pl.len().cast(pl.Int64),
        n_tested=pl.col("p_value").count().cast(pl.Int64),
        n_better=(effect == "better").sum().cast(pl.Int64),
        n_worse=(effect == "worse").sum().cast(pl.Int64),
    )
    by_kind = {row["kind"]: row for row in counted.iter_rows(named=True)}
    return [
        cast(Tested, by_kind.get(kind, {"kind": kind, "n": 0, "n_tested": 0, "n_better": 0, "n_worse": 0}))
        for kind in KINDS
    ]


def _labelled(told: pl.DataFrame, labels: Mapping[str, str]) -> list[Factor]:
    found = []
    for row in told.iter_rows(named=True):
        parts = [row[name] for name in ("topic_id", "from", "to", "sign") if row[name] is not None]
        found.append({"kind": row["kind"], "labels": [labels.get(each, each) for each in parts], **row})
    return cast(list[Factor], found)
