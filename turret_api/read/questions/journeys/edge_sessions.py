"""The sessions behind an edge: which sessions made a move, when, and how often."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Annotated, cast

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.literals import time
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import FieldAnswer, Meaning, Next
from turret_api.read.questions.journeys.friction import ANY, moves_of, requests_of
from turret_api.read.questions.of_field import OfJourneys
from turret_api.read.questions.pages import after
from turret_api.read.sql.friction import signed_views
from turret_api.read.sql.outcomes import outcome_views
from turret_api.read.sql.sides import began_in
from turret_api.read.sql.views import field_views, now, value_views
from turret_api.read.views.all_steps import sessions_of
from turret_api.read.views.friction import has_sign
from turret_api.read.views.journeys import JOURNEY_SOURCES
from turret_api.read.views.outcomes import OUTCOME_SOURCES, outcome_in_force, session_outcomes
from turret_api.read.views.sides import EVERY_SESSION, Side
from turret_api.read.views.steps import field_visits, first_starts_of_users, numbered, signed_steps
from turret_api.read.views.topics import edits_of
from turret_pipeline.lake.tables import FRICTION
from turret_pipeline.semantics.visits import END, START


class EdgeSession(TypedDict):
    """A session that makes a move."""

    session_id: str
    user_id: Annotated[str, Meaning("of its first message")]
    at: Annotated[
        dt.datetime, Meaning("when it moved so first: at the start of the visit moved to, or the session's end")
    ]
    count: Annotated[int, Meaning("how often it moves so")]
    started_at: dt.datetime
    ended_at: dt.datetime
    n_visits: int
    outcome: Annotated[
        float | None, Meaning("with `outcome=`: its mean, or of an enum 1 if its last value is good, else 0")
    ]


@dataclass(frozen=True)
class EdgeSessions(FieldAnswer):
    """Sessions that make a move; `count` of all of them adds up to `n_moves`, the edge's count in the graph."""

    data: list[EdgeSession] = dataclasses.field(default_factory=list)
    n_sessions: int = 0
    n_moves: int = 0
    next: Next = None


@dataclass(frozen=True)
class SessionsOfEdge(OfJourneys):
    """Which sessions move from one topic to another (None: from any, or to any), and when?

    friction: only those in which a message that passes has this sign, or (`any`) one of them; None: all.
    is_here: only those in which a request for `to_topic` has it, or, of a move, the visit that is left.
    began: only those that began then. is_new: only those of users whose first session began then.
    outcome: only those that have this outcome, and moved so, or had the sign, no later than that; None: all.
    """

    from_topic: str | None = None
    to_topic: str | None = None
    limit: int = 50
    offset: int = 0
    friction: str | None = None
    is_here: bool = False
    began: Side = EVERY_SESSION
    is_new: bool = False
    outcome: str | None = None

    tables = (*JOURNEY_SOURCES, *OUTCOME_SOURCES, FRICTION)
    answers = EdgeSessions

    def of_field(self, snapshot: Snapshot, field: str) -> EdgeSessions:
        """Return a page of the sessions, those that moved so last first."""
        merged = edits_of(snapshot, field).merged
        ends = [None if topic is None else merged.get(topic, topic) for topic in (self.from_topic, self.to_topic)]

        outcome = None if self.outcome is None else outcome_in_force(snapshot, self.outcome)

        def compute() -> pl.DataFrame:
            visits = field_visits(snapshot, field, self.filters, self.level)
            went = None if outcome is None else session_outcomes(snapshot, field, outcome)
            if self.friction is not None:
                steps = signed_steps(snapshot, field, self.filters, self.level)
                steps = steps if went is None else _no_later(steps, "timestamp", went)
                met = self._with_friction(steps, *ends)
                visits = visits.filter(pl.col("session").is_in(met.unique().implode()))
            visits = self.began.only(snapshot, field, visits)
            if self.is_new and self.began.since is not None:
                first_at = first_starts_of_users(snapshot, field).gather(visits["session"])
                visits = visits.filter(first_at >= self.began.since)
            moved = _who_moved(visits, *ends)
            if went is None:
                return moved.with_columns(outcome=pl.lit(None, pl.Float64))
            return _no_later(moved, "at", went).rename({"value": "outcome"})

        narrowed = (self.friction, self.is_here, self.began, self.is_new, outcome)
        key = ("moved", field, self.filters, self.level, *ends, *narrowed)
        found = snapshot.remember(key, (*OUTCOME_SOURCES, FRICTION), compute)
        page = found.slice(self.offset, self.limit)
        who = sessions_of(snapshot, field)[page["session"]]
        data = cast(list[EdgeSession], who.hstack(page.drop("session")).to_dicts())
        end = self.offset + self.limit
        return EdgeSessions(data, found.height, int(found["count"].sum()), after(end) if found.height > end else None)

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the sessions."""
        views = field_views(field, self.filters, self.level)
        ends = {"from_topic": self.from_topic, "to_topic": self.to_topic}
        conditions = [f"{end} = {now(topic)}" for end, topic in ends.items() if topic is not None]
        conditions.append(began_in(field, self.began))
        if self.is_new and self.began.since is not None:
            conditions.append(
                f"session_id IN (SELECT session_id FROM firsts WHERE first_at >= {time(self.began.since)})"
            )
            views["firsts"] = (
                "when the first session of each session's user began",
                f"""
SELECT session_id, min(timestamp) OVER (PARTITION BY user_id) AS first_at
FROM journey_steps WHERE field = {literal(field)} AND place = 0""",
            )
        went, value = "", "NULL::DOUBLE"
        if self.outcome is not None:
            outcome = outcome_in_force(snapshot, self.outcome)
            views |= value_views(field, [outcome.field, *(name for name, _ in self.filters.segments)])
            views |= outcome_views(field, outcome)
            value = "went.value"
            went = (
                "\nJOIN session_outcomes AS went ON went.session_id = moved.session_id AND moved_at <= went.outcome_at"
            )
        if self.friction is not None:
            sign = None if self.friction == ANY else self.friction
            views = signed_views(field, self.filters, self.level, sign, until_outcome=bool(went)) | views
            conditions.append(f"session_id IN ({self._with_friction_sql()})")
        moves_so = "\n        AND ".join(conditions)
        views["moved_sessions"] = (
            "the sessions that move so: when first, and how often",
            f"""
WITH moved AS (
    SELECT session_id, min(moved_at) AS moved_at, count(*) AS "count"
    FROM session_moves WHERE {moves_so} GROUP BY session_id
)
SELECT moved.*, {value} AS outcome
FROM moved{went}""",
        )
        data = f"""
SELECT session_id, user_id, moved_at AS at, "count", started_at, ended_at, n_visits, outcome
FROM moved_sessions
JOIN (
    SELECT session_id, min(started_at) AS started_at, max(ended_at) AS ended_at, count(*) AS n_visits
    FROM visits GROUP BY session_id
) USING (session_id)
JOIN session_users USING (session_id)
ORDER BY moved_at DESC, session_id LIMIT {self.limit} OFFSET {self.offset}"""
        totals = 'SELECT count(*) AS n_sessions, coalesce(sum("count"), 0) AS n_moves FROM moved_sessions'
        return Queries({"data": data, "totals": totals}, views)

    def _with_friction_sql(self) -> str:
        """Return the statement of the sessions that have the sign, anywhere or here."""
        if not self.is_here or self.to_topic is None:
            return "SELECT session_id FROM signed_steps WHERE has_friction"
        if self.from_topic is None:
            return f"SELECT session_id FROM requests WHERE has_friction AND topic_id = {now(self.to_topic)}"
        ends = f"from_topic = {now(self.from_topic)} AND to_topic = {now(self.to_topic)}"
        return f"SELECT session_id FROM left_visits WHERE has_friction AND {ends}"

    def _with_friction(self, steps: pl.DataFrame, from_topic: str | None, to_topic: str | None) -> pl.Series:
        """Return the sessions among `steps` that have the sign, anywhere or here."""
        sign = self.friction or ANY
        if not self.is_here or to_topic is None:
            return steps.filter(has_sign(sign))["session"]
        if from_topic is None:
            requests = requests_of(steps, sign)
            return requests.filter("has", pl.col("topic_id") == to_topic)["session"]
        moves, names = moves_of(steps, sign)
        codes = {name: code for code, name in names.items()}
        ends = (pl.col("from") == codes.get(from_topic, -1)) & (pl.col("to") == codes.get(to_topic, -1))
        return moves.filter("has", ends)["session"]


def _no_later(rows: pl.DataFrame, time: str, went: pl.DataFrame) -> pl.DataFrame:
    """Return those of `rows` (with `session`) whose `time` is no later than the session's outcome, with its `value`."""
    met = rows.join(went.select("session", "value", outcome_at="at"), on="session", maintain_order="left")
    return met.filter(pl.col(time) <= pl.col("outcome_at")).drop("outcome_at")


def _who_moved(visits: pl.DataFrame, from_topic: str | None, to_topic: str | None) -> pl.DataFrame:
    """Return `session`, `at`, `count`, `started_at`, `ended_at`, `n_visits` of the sessions that move so."""
    first = pl.col("visit") == 0
    last = first.shift(-1).fill_null(True)
    framed = numbered(visits).lazy().with_columns(before=pl.col("topic_id").shift())
    into = pl.lit(True) if to_topic is None else pl.col("topic_id") == to_topic
    out = pl.lit(True) if from_topic is None else pl.col("before") == from_topic
    out = first if from_topic == START else (~first & out) | (first & pl.lit(from_topic is None))
    frames = [framed.filter(into & out).select("session", at="started_at")]
    if to_topic in (None, END):
        leaves = pl.lit(True) if from_topic is None else pl.col("topic_id") == from_topic
        frames.append(framed.filter(last & leaves).select("session", at="ended_at"))
    moved = pl.concat(frames).group_by("session").agg(pl.col("at").min(), pl.len().cast(pl.Int64).alias("count"))
    whole = framed.group_by("session").agg(
        pl.col("started_at").min(), pl.col("ended_at").max(), pl.len().cast(pl.Int64).alias("n_visits")
    )
    return moved.join(whole, on="session").sort(["at", "session"], descending=[True, False]).collect()
