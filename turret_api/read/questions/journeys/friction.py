"""Where sessions did not get what they asked for: how often each sign of friction is, and in which topics and moves.

Sessions are independent of each other, messages within one are not. So the intervals of shares of messages are those
of sessions as they were drawn: as wide as the differences between sessions make them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import FieldAnswer, Meaning, typed_rows
from turret_api.read.questions.journeys.graph import Ends
from turret_api.read.questions.journeys.statistics import share_of_groups
from turret_api.read.questions.of_field import OfField
from turret_api.read.sql.friction import signed_views
from turret_api.read.sql.views import how_many
from turret_api.read.views.friction import has_sign
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import signed_steps
from turret_api.read.views.topics import edits_of, labels_of
from turret_api.read.views.units import COLUMN, Unit
from turret_pipeline.lake.tables import FRICTION, JOURNEY_STEPS
from turret_pipeline.semantics.friction import SIGNS
from turret_pipeline.semantics.visits import END

ANY = "any"
INTERVAL = Meaning("lower end of its 95% confidence interval (Wilson, for messages that come in sessions)")


class Sign(TypedDict):
    """How often a sign is."""

    sign: Annotated[str, Meaning(", ".join(SIGNS) + "; any: at least one of them")]
    n_messages: Annotated[int, Meaning("that have it")]
    share_of_messages: float | None
    share_of_messages_low: Annotated[float | None, INTERVAL]
    share_of_messages_high: float | None
    n_sessions: Annotated[int, Meaning("in which a message has it")]
    share_of_sessions: float | None
    share_of_sessions_low: Annotated[float | None, INTERVAL]
    share_of_sessions_high: float | None
    n_users: Annotated[int, Meaning("who sent a message that has it")]
    share_of_users: float | None
    share_of_users_low: Annotated[float | None, INTERVAL]
    share_of_users_high: float | None


class TopicFriction(TypedDict):
    """The requests of a topic that met with friction."""

    topic_id: str
    label: str
    n_requests: int
    n_with_friction: Annotated[
        int, Meaning("requests that have a sign, or a move of conversation (a complaint, say) behind them that has one")
    ]
    n_sessions: Annotated[int, Meaning("that met with friction in it")]
    n_users: Annotated[int, Meaning("who met with friction in it")]
    share: Annotated[
        float, Meaning("of its requests, those with friction; with `unit`: of the sessions, or users, that have one")
    ]
    low: Annotated[float, INTERVAL]
    high: float


class MoveFriction(Ends):
    """The moves from one topic to another that left a visit with friction."""

    labels: list[str]
    n_moves: int
    n_with_friction: Annotated[int, Meaning("moves out of a visit in which a message has a sign")]
    n_sessions: Annotated[int, Meaning("that made such a move")]
    n_users: Annotated[int, Meaning("who made such a move")]
    share: Annotated[
        float, Meaning("of the moves, those with friction; with `unit`: of the sessions, or users, that made the move")
    ]
    low: Annotated[float, INTERVAL]
    high: float


@dataclass(frozen=True)
class Friction(FieldAnswer):
    """Signs, topics and moves, those first that cost most: that the most sessions met with."""

    data: list[Sign] = dataclasses.field(default_factory=list)
    topics: Annotated[list[TopicFriction], Meaning("hidden ones are left out")] = dataclasses.field(
        default_factory=list
    )
    moves: Annotated[list[MoveFriction], Meaning("to `end` too")] = dataclasses.field(default_factory=list)
    n_messages: Annotated[int, Meaning("that pass the filters, moves of conversation too")] = 0
    n_sessions: int = 0
    n_users: int = 0


@dataclass(frozen=True)
class FrictionOfField(OfField):
    """Where did sessions not get what they asked for?"""

    level: int = 0
    limit: int = 100
    unit: Unit = "messages"

    tables = (*SOURCES, FRICTION)
    built = (JOURNEY_STEPS, FRICTION)
    answers = Friction

    def of_field(self, snapshot: Snapshot, field: str) -> Friction:
        """Return all signs, and the `limit` topics and moves that the most sessions (or users) met with friction in."""
        steps = signed_steps(snapshot, field, self.filters, self.level)
        labels, hidden = labels_of(snapshot, field), edits_of(snapshot, field).hidden
        topics = _of_topics(steps, self.unit).filter(~pl.col("topic_id").is_in(list(hidden))).head(self.limit)
        named = topics.with_columns(label=pl.col("topic_id").replace(labels))
        moves = _of_moves(steps, self.unit).head(self.limit)
        ends = (pl.col(end).replace(labels) for end in ("from", "to"))
        return Friction(
            typed_rows(_of_signs(steps), Sign),
            typed_rows(named, TopicFriction),
            typed_rows(moves.with_columns(labels=pl.concat_list(*ends)), MoveFriction),
            steps.height,
            steps["session"].n_unique(),
            steps["user"].n_unique(),
        )

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of all signs, topics and moves."""
        return Queries(
            {
                "data": _signs_sql(),
                "topics": _topics_sql(field, self.limit, self.unit),
                "moves": _moves_sql(self.limit, self.unit),
                "totals": """
SELECT count(*) AS n_messages, count(DISTINCT session_id) AS n_sessions, count(DISTINCT user_id) AS n_users
FROM signed_steps""",
            },
            signed_views(field, self.filters, self.level),
            "Left out: the intervals (Wilson's, with as many messages as would, drawn one by one, vary as a share does "
            "whose messages come in sessions). They are computed from each session's counts.",
        )


def _of_signs(steps: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of all signs."""
    signs = (ANY, *SIGNS)
    frames = []
    for unit in ("session", "user"):
        by_unit = steps.group_by(unit).agg(n=pl.len(), **{sign: has_sign(sign).sum() for sign in signs})
        messages = pl.concat([by_unit.select("n", sign=pl.lit(sign), n_with=sign) for sign in signs])
        once = messages.with_columns(n=pl.lit(1), n_with=pl.col("n_with") > 0)
        frames += [(messages, "messages"), (once, "sessions")] if unit == "session" else [(once, "users")]
    columns = {"share": "share", "low": "share_low", "high": "share_high"}
    each = [
        found.select(
            "sign",
            pl.col("n_with").alias(f"n_{unit}"),
            *(pl.col(name).alias(to.replace("share", f"share_of_{unit}", 1)) for name, to in columns.items()),
        )
        for found, unit in ((share_of_groups(frame, "sign"), unit) for frame, unit in frames)
    ]
    met = pl.DataFrame({"sign": signs})
    for counted in each:
        met = met.join(counted, on="sign", how="left")
    is_any, place = pl.col("sign") == ANY, pl.col("sign").cast(pl.Enum(signs))
    counted = met.with_columns(pl.col("n_messages", "n_sessions", "n_users").fill_null(0))
    return counted.sort(~is_any, "n_sessions", "n_messages", place, descending=[False, True, True, False])


def requests_of(steps: pl.DataFrame, sign: str = ANY) -> pl.DataFrame:
    """Return each request: `session`, `user`, `topic_id`, `has` (the sign).

    A request and the moves behind it are one.
    """
    is_request = ~steps["is_move"].to_numpy()
    first = _is_first(steps["session"])
    # Moves at a session's start are one with its first request, so that one begins where they do.
    before = np.cumsum(is_request) - is_request
    begins = first | (is_request & (before > np.maximum.accumulate(np.where(first, before, 0))))
    return _runs(steps.select("session", "user", "topic_id"), begins, steps.select(has_sign(sign)).to_series())


def moves_of(steps: pl.DataFrame, sign: str = ANY) -> tuple[pl.DataFrame, dict[int, str]]:
    """Return each move from visit to visit and to the end: `session`, `user`, `from`, `to`, `has`; and the codes.

    has: whether the visit that it leaves has the sign.
    """
    used = steps["topic_id"].unique()
    names = dict(zip(used.to_physical().cast(pl.Int64), used.cast(pl.String), strict=True))
    end = max(names, default=-1) + 1
    coded = steps.with_columns(topic=pl.col("topic_id").to_physical().cast(pl.Int64))
    begins = _is_first(steps["session"]) | _is_first(coded["topic"])
    visits = _runs(coded.select("session", "topic", "user"), begins, steps.select(has_sign(sign)).to_series())
    stays = pl.col("session").shift(-1) == pl.col("session")
    to = pl.when(stays.fill_null(False)).then(pl.col("topic").shift(-1)).otherwise(end)
    found = visits.select("session", "user", "has", pl.col("topic").alias("from"), to.alias("to"))
    return found, names | {end: END}


def _is_first(codes: pl.Series) -> np.ndarray:
    """Return for each code whether it is another than that before it; True for the first."""
    values = codes.to_numpy()
    return np.append(True, values[1:] != values[:-1])[: values.size]


def _runs(steps: pl.DataFrame, begins: np.ndarray, has: pl.Series) -> pl.DataFrame:
    """Return the first of each run of `steps`, with `has`: whether one of the run has it.

    begins: whether a run begins at the step; the first one does.
    """
    found = np.logical_or.reduceat(has.to_numpy(), np.flatnonzero(begins)) if steps.height else begins
    return steps.filter(pl.Series(begins)).with_columns(has=pl.Series(found, dtype=pl.Boolean))


def _of_topics(steps: pl.DataFrame, unit: Unit) -> pl.DataFrame:
    """Return the rows of all topics, `label` left open."""
    return _by_cost(requests_of(steps), "topic_id", "n_requests", unit).sort(
        _cost(unit), "n_with_friction", pl.col("topic_id").cast(pl.String), descending=[True, True, False]
    )


def _of_moves(steps: pl.DataFrame, unit: Unit) -> pl.DataFrame:
    """Return the rows of all moves, `labels` left open."""
    moves, names = moves_of(steps)
    n = max(names) + 1
    # As one number, for pairs are grouped several times as fast so.
    move = pl.col("from") * n + pl.col("to")
    found = _by_cost(moves.select("session", "user", "has", move=move), "move", "n_moves", unit)
    ends = {"from": pl.col("move") // n, "to": pl.col("move") % n}
    named = found.with_columns(
        code.replace_strict(names, return_dtype=pl.String).alias(name) for name, code in ends.items()
    )
    return named.sort(_cost(unit), "n_with_friction", "from", "to", descending=[True, True, False, False])


def _by_cost(rows: pl.DataFrame, of: str, counted: str, unit: Unit) -> pl.DataFrame:
    """Return the shares of `rows` (`of`, `session`, `user`, `has`) by `of`, under the names of an answer."""
    in_sessions = _in_groups(rows, of, "session")
    found = share_of_groups(in_sessions, of).rename(
        {"n": counted, "n_with": "n_with_friction", "n_groups_with": "n_sessions"}
    )
    users = rows.filter("has").group_by(of).agg(n_users=pl.col("user").n_unique().cast(pl.Int64))
    found = found.join(users, on=of, how="left").with_columns(pl.col("n_users").fill_null(0))
    if unit == "messages":
        return found
    once = _in_groups(rows, of, COLUMN[unit]).with_columns(n=pl.lit(1), n_with=pl.col("n_with") > 0)
    shares = share_of_groups(once, of).select(of, "share", "low", "high")
    return found.drop("share", "low", "high").join(shares, on=of)


def _in_groups(rows: pl.DataFrame, of: str, group: str) -> pl.DataFrame:
    """Return `of`, `n` and `n_with` of each pair of `of` and `group` (a number from 0)."""
    n = int(rows[group].max() or 0) + 1  # type: ignore[arg-type]
    # As one number, for pairs are grouped several times as fast so.
    pair = pl.col(of).to_physical().cast(pl.Int64) * n + pl.col(group)
    found = rows.group_by(pair=pair).agg(pl.col(of).first(), n=pl.len(), n_with=pl.col("has").sum())
    return found.drop("pair")


def _cost(unit: Unit) -> str:
    return "n_users" if unit == "users" else "n_sessions"


def _signs_sql() -> str:
    listed = ", ".join(f"({place}, {literal(sign)})" for place, sign in enumerate((ANY, *SIGNS)))
    return f"""
WITH whole AS (
    SELECT count(*) AS messages, count(DISTINCT session_id) AS sessions, count(DISTINCT user_id) AS users
    FROM signed_steps
)
SELECT kinds.sign,
    count(step.session_id) AS n_messages, n_messages / nullif(any_value(messages), 0) AS share_of_messages,
    count(DISTINCT step.session_id) AS n_sessions, n_sessions / nullif(any_value(sessions), 0) AS share_of_sessions,
    count(DISTINCT step.user_id) AS n_users, n_users / nullif(any_value(users), 0) AS share_of_users
FROM (VALUES {listed}) AS kinds (place, sign) CROSS JOIN whole
LEFT JOIN signed_steps AS step
    ON list_contains(step.signs, kinds.sign) OR (kinds.sign = {literal(ANY)} AND step.has_friction)
GROUP BY kinds.place, kinds.sign ORDER BY kinds.place <> 0, n_sessions DESC, n_messages DESC, kinds.place"""


def _cost_sql(unit: Unit) -> str:
    """Return how many sessions and users met with friction in a group of rows, and their share of the unit."""
    n = how_many(unit)
    return f"""count(*) FILTER (has_friction) AS n_with_friction,
    count(DISTINCT session_id) FILTER (has_friction) AS n_sessions,
    count(DISTINCT user_id) FILTER (has_friction) AS n_users,
    {n} FILTER (has_friction) / {n} AS share"""


def _topics_sql(field: str, limit: int, unit: Unit) -> str:
    return f"""
SELECT requests.topic_id, coalesce(any_value(label), requests.topic_id) AS label, count(*) AS n_requests,
    {_cost_sql(unit)}
FROM requests LEFT JOIN labels USING (topic_id)
WHERE requests.topic_id NOT IN (SELECT topic_id FROM hidden WHERE field = {literal(field)})
GROUP BY requests.topic_id ORDER BY {_cost(unit)} DESC, n_with_friction DESC, requests.topic_id LIMIT {limit}"""


def _moves_sql(limit: int, unit: Unit) -> str:
    return f"""
WITH counted AS (
    SELECT from_topic, to_topic, count(*) AS n_moves,
    {_cost_sql(unit)}
    FROM left_visits GROUP BY from_topic, to_topic
)
SELECT from_topic AS "from", to_topic AS "to",
    [coalesce(one.label, from_topic), coalesce(other.label, to_topic)] AS labels,
    n_moves, n_with_friction, n_sessions, n_users, share
FROM counted
LEFT JOIN labels AS one ON one.topic_id = from_topic LEFT JOIN labels AS other ON other.topic_id = to_topic
ORDER BY {_cost(unit)} DESC, n_with_friction DESC, from_topic, to_topic LIMIT {limit}"""
