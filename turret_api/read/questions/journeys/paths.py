"""Paths of visits through topics: the most common ones from or to a topic, and funnels over chosen topics."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import FieldAnswer, Meaning, Next
from turret_api.read.questions.of_field import OfJourneys
from turret_api.read.sql.views import field_views
from turret_api.read.views.all_steps import users_of_sessions
from turret_api.read.views.steps import field_visits
from turret_api.read.views.topics import labels_of
from turret_api.read.views.units import Unit
from turret_pipeline.semantics.visits import END, START


class Path(TypedDict):
    """A run of visits, and how often it is taken; `share` is of all paths."""

    topics: list[str]
    labels: list[str]
    count: Annotated[int, Meaning("paths; with `unit`: of each session, or user, only the first such path")]
    sessions: int
    share: float


class RestPaths(TypedDict):
    """Paths that are not listed, and how often they are taken."""

    paths: int
    count: int


@dataclass(frozen=True)
class Paths(FieldAnswer):
    """The most common paths; `n_paths` counts all, so the shares of all paths add up to 1."""

    data: list[Path] = dataclasses.field(default_factory=list)
    n_paths: int = 0
    rest: RestPaths = dataclasses.field(default_factory=lambda: RestPaths(paths=0, count=0))
    next: Next = None


@dataclass(frozen=True)
class PathsOfTopic(OfJourneys):
    """Which runs of up to `depth` moves most often leave the topic, or (`towards`) arrive at it?

    Every visit to the topic has one path, which stops early at the session's start or end; `start` and `end` can be
    asked for too. unit: of each session, or each user, only the first such path counts, so that all paths add up to
    the sessions, or users, that have one.
    """

    topic_id: str = START
    towards: bool = False
    depth: int = 3
    limit: int = 20
    unit: Unit = "messages"

    answers = Paths

    def of_field(self, snapshot: Snapshot, field: str) -> Paths:
        """Return the `limit` most common paths."""
        seen = field_visits(snapshot, field, self.filters, self.level)
        who = None
        if self.unit != "messages":
            first, _ = _session_bounds(seen["session"])
            who = seen["session"].gather(first)
            who = users_of_sessions(snapshot, field).gather(who) if self.unit == "users" else who
        found = _counted(seen, self.topic_id, -1 if self.towards else 1, self.depth, who)
        n_paths = int(found["count"].sum())
        names = found.columns[:-2]
        # All of a count, so that those of equal count can be told apart by name; few need their names for that.
        least = found["count"].top_k(self.limit).min() if found.height else 0
        top = found.filter(pl.col("count") >= least).with_columns(pl.col(names).cast(pl.String))
        top = top.sort(["count", *names], descending=[True] + [False] * len(names)).head(self.limit)
        labels = labels_of(snapshot, field)
        data: list[Path] = []
        for path in top.iter_rows(named=True):
            topics = [path[name] for name in names if path[name] is not None]
            topics = topics[::-1] if self.towards else topics
            data.append(
                {
                    "topics": topics,
                    "labels": [labels.get(topic, topic) for topic in topics],
                    "count": path["count"],
                    "sessions": path["sessions"],
                    "share": path["count"] / n_paths,
                }
            )
        n_listed = sum(path["count"] for path in data)
        return Paths(data, n_paths, {"paths": max(found.height - self.limit, 0), "count": n_paths - n_listed})

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the paths."""
        views = field_views(field, self.filters, self.level)
        steps = [f"step_{i}" for i in range(self.depth + 1)]
        onward = "lag" if self.towards else "lead"
        columns = ",\n        ".join(
            f"{onward}(topic_id, {i}) OVER in_session AS step_{i}" for i in range(self.depth + 1)
        )
        listed = ", ".join(reversed(steps) if self.towards else steps)
        views["paths"] = (
            f"the paths of up to {self.depth} moves, of which each visit to the topic has one",
            f"""
WITH nodes AS (
    SELECT session_id, visit AS place, topic_id, started_at FROM visits
    UNION ALL
    SELECT session_id, -1, 'start', min(started_at) FROM visits GROUP BY session_id
    UNION ALL
    SELECT session_id, max(visit) + 1, 'end', min(started_at) FROM visits GROUP BY session_id
), runs AS (
    SELECT session_id, place, started_at,
        {columns}
    FROM nodes WINDOW in_session AS (PARTITION BY session_id ORDER BY place)
), counted AS ({self._counted_sql()}
)
SELECT {", ".join(steps)}, [step for step IN [{listed}] IF step IS NOT NULL] AS topics,
    count(*) AS "count", count(DISTINCT session_id) AS sessions
FROM counted GROUP BY {", ".join(steps)}""",
        )
        order = ", ".join(f"{step} NULLS FIRST" for step in steps)
        data = f"""
WITH named AS (SELECT map_from_entries(list((topic_id, label))) AS names FROM labels)
SELECT topics, [coalesce(names[step], step) for step IN topics] AS labels, "count", sessions,
    "count" / sum("count") OVER () AS share
FROM paths CROSS JOIN named ORDER BY "count" DESC, {order} LIMIT {self.limit}"""
        totals = f"""
WITH ranked AS (SELECT "count", row_number() OVER (ORDER BY "count" DESC, {order}) AS rank FROM paths)
SELECT coalesce(sum("count"), 0) AS n_paths, count(*) FILTER (rank > {self.limit}) AS "rest.paths",
    coalesce(sum("count") FILTER (rank > {self.limit}), 0) AS "rest.count"
FROM ranked"""
        return Queries({"data": data, "totals": totals}, views)

    def _counted_sql(self) -> str:
        """Return the statement of the runs that count: all from the topic, or of each session or user the first."""
        of_topic = f"step_0 = {literal(self.topic_id)}"
        if self.unit == "messages":
            return f"""
    SELECT * FROM runs WHERE {of_topic}"""
        who = "session_id" if self.unit == "sessions" else "user_id"
        return f"""
    SELECT * FROM runs JOIN session_users USING (session_id) WHERE {of_topic}
    QUALIFY row_number() OVER (PARTITION BY {who} ORDER BY started_at, session_id, place) = 1"""


class Step(TypedDict):
    """A topic of the funnel, and how many sessions come to it."""

    topic_id: str
    label: str
    sessions: int
    users: Annotated[int, Meaning("distinct users of these sessions")]
    share_of_first: Annotated[float, Meaning("of the sessions, with `unit=users` of the users, at the first step")]
    share_of_previous: float
    median_gap_s: float | None


@dataclass(frozen=True)
class Funnel(FieldAnswer):
    """How many sessions come to each step of a funnel; `n_sessions` counts all sessions, `n_users` their users."""

    data: list[Step] = dataclasses.field(default_factory=list)
    n_sessions: int = 0
    n_users: int = 0
    next: Next = None


@dataclass(frozen=True)
class FunnelOfTopics(OfJourneys):
    """How many sessions visit the topics `steps` in this order, whether or not there are other visits between them?

    Each step is reached at the first visit to it after the one that reached the step before. With `within_s` a step
    counts only if it starts at most so many seconds after the visit to the first step did; any visit to the first step
    may be the one that counts. Without it, a later visit to the first step never reaches more than the earliest.
    unit: users: shares are of the distinct users of these sessions; else of the sessions.
    """

    steps: tuple[str, ...] = ()
    within_s: float | None = None
    unit: Unit = "messages"

    answers = Funnel

    def of_field(self, snapshot: Snapshot, field: str) -> Funnel:
        """Return the funnel; `median_gap_s` runs from step to step, at each session's earliest way."""
        seen = field_visits(snapshot, field, self.filters, self.level)
        labels = labels_of(snapshot, field)
        session, started = seen["session"].to_numpy(), seen["started_at"].to_physical().to_numpy()
        user_of = users_of_sessions(snapshot, field).to_numpy()
        counted: Literal["sessions", "users"] = "users" if self.unit == "users" else "sessions"
        # One entry for each way that is open: the row of the visit where it began, and of the one that it has come to.
        began = _rows_of(seen, self.steps[0])
        if self.within_s is None:
            began = began[_first_of_each(session[began])]
        last = began
        data: list[Step] = []
        for i, topic in enumerate(self.steps):
            gap: float | None = None
            if i:
                here = _rows_of(seen, topic)
                place = np.searchsorted(here, last, side="right")
                open_ = place < here.size
                began, last, onward = began[open_], last[open_], here[place[open_]]
                reached = session[onward] == session[last]
                if self.within_s is not None:
                    reached &= started[onward] - started[began] <= self.within_s * 1e6
                began, last, onward = began[reached], last[reached], onward[reached]
                earliest = _first_of_each(session[onward])
                if onward.size:
                    gap = float(np.median(started[onward[earliest]] - started[last[earliest]])) / 1e6
                last = onward
            reached_by = session[last][_first_of_each(session[last])]
            sizes = {"sessions": reached_by.size, "users": np.unique(user_of[reached_by]).size}
            n = sizes[counted]
            of_first, before = (data[0][counted], data[-1][counted]) if data else (n, n)
            data.append(
                {
                    "topic_id": topic,
                    "label": labels.get(topic, topic),
                    "sessions": sizes["sessions"],
                    "users": sizes["users"],
                    "share_of_first": n / of_first if of_first else 0.0,
                    "share_of_previous": n / before if before else 0.0,
                    "median_gap_s": gap,
                }
            )
        everyone = session[_first_of_each(session)]
        return Funnel(data, everyone.size, np.unique(user_of[everyone]).size)

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the funnel: a view of the ways that are open at each step."""
        views = field_views(field, self.filters, self.level)
        first = (
            ""
            if self.within_s is not None
            else " QUALIFY row_number() OVER (PARTITION BY session_id ORDER BY visit) = 1"
        )
        views["way_0"] = (
            "the visits that a way through the funnel begins with",
            f"""
SELECT session_id, visit AS began, started_at AS began_at, visit, started_at, NULL::DOUBLE AS gap_s
FROM visits WHERE topic_id = {literal(self.steps[0])}{first}""",
        )
        within = (
            ""
            if self.within_s is None
            else (
                "\nHAVING date_diff('microsecond', way.began_at, arg_min(next.started_at, next.visit)) / 1e6"
                f" <= {self.within_s!r}"
            )
        )
        for i, topic in enumerate(self.steps[1:], 1):
            views[f"way_{i}"] = (
                f"the ways that go on to step {i + 1}, at the next visit to its topic",
                f"""
SELECT way.session_id, way.began, way.began_at, min(next.visit) AS visit,
    arg_min(next.started_at, next.visit) AS started_at,
    date_diff('microsecond', way.started_at, arg_min(next.started_at, next.visit)) / 1e6 AS gap_s
FROM way_{i - 1} AS way JOIN visits AS next
    ON next.session_id = way.session_id AND next.visit > way.visit AND next.topic_id = {literal(topic)}
GROUP BY way.session_id, way.began, way.began_at, way.started_at, way.visit{within}""",
            )
        counted = "\n    UNION ALL\n    ".join(
            f"SELECT {i} AS step, {literal(topic)} AS topic_id, count(*) AS sessions, count(DISTINCT user_id) AS users,"
            f" median(gap_s) AS median_gap_s\n    FROM (SELECT session_id, arg_min(gap_s, began) AS gap_s FROM way_{i}"
            " GROUP BY session_id) JOIN session_users USING (session_id)"
            for i, topic in enumerate(self.steps)
        )
        n = "users" if self.unit == "users" else "sessions"
        data = f"""
WITH counted AS (
    {counted}
)
SELECT counted.topic_id, coalesce(label, counted.topic_id) AS label, sessions, users,
    coalesce({n} / nullif(first_value({n}) OVER (ORDER BY step), 0), 0) AS share_of_first,
    coalesce({n} / nullif(lag({n}, 1, {n}) OVER (ORDER BY step), 0), 0) AS share_of_previous,
    median_gap_s
FROM counted LEFT JOIN labels USING (topic_id) ORDER BY step"""
        totals = (
            "SELECT count(DISTINCT session_id) AS n_sessions, count(DISTINCT user_id) AS n_users\n"
            "FROM visits JOIN session_users USING (session_id)"
        )
        return Queries({"data": data, "totals": totals}, views)


def _counted(seen: pl.DataFrame, topic_id: str, step: int, depth: int, who: pl.Series | None) -> pl.DataFrame:
    """Return every path: `step_0` to `step_<depth>` (categorical, null past the end), `count`, `sessions`.

    who: for each session, in order, a number of which only the first path in time counts; None: every path counts.
    """
    topic, dtype = seen["topic_id"], seen.schema["topic_id"]
    first, behind = _session_bounds(seen["session"])
    if topic_id in (START, END):
        of = np.arange(first.size)
        rows = first - 1 if topic_id == START else behind
    else:
        rows = _rows_of(seen, topic_id)
        of = np.searchsorted(first, rows, side="right") - 1
    columns = {"step_0": pl.Series([topic_id], dtype=pl.String).cast(dtype).new_from_index(0, rows.size)}
    start, end = (pl.Series([name], dtype=pl.String).cast(dtype) for name in (START, END))
    for i in range(1, depth + 1):
        at = rows + step * i
        inside = (at >= first[of]) & (at < behind[of])
        place = pl.DataFrame(
            {
                "there": topic.gather(np.where(inside, at, 0)) if topic.len() else topic,
                "inside": inside,
                "ends": at == (behind[of] if step > 0 else first[of] - 1),
            }
        )
        outside = pl.when("ends").then(pl.lit(end if step > 0 else start))
        columns[f"step_{i}"] = place.select(pl.when("inside").then("there").otherwise(outside)).to_series()
    framed = pl.DataFrame({**columns, "session": of}).lazy()
    if who is not None:
        begun = seen["started_at"].gather(first[of] if topic_id in (START, END) else rows)
        framed = framed.with_columns(at=begun, who=who.gather(of)).sort("at", "session", maintain_order=True)
        framed = framed.unique("who", keep="first", maintain_order=True).drop("at", "who")
    return (
        framed.group_by(*columns)
        .agg(pl.len().cast(pl.Int64).alias("count"), pl.col("session").n_unique().cast(pl.Int64).alias("sessions"))
        .collect()
    )


def _session_bounds(session: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return for each session the row of its first visit, and the row behind its last."""
    first = np.flatnonzero(_first_of_each(session.to_numpy()))
    return first, np.append(first[1:], session.len())[: first.size]


def _rows_of(visits: pl.DataFrame, topic: str) -> np.ndarray:
    """Return the rows of the visits to the topic, in order: int64."""
    return visits.select((pl.col("topic_id") == topic).arg_true()).to_series().to_numpy().astype(np.int64)


def _first_of_each(session: np.ndarray) -> np.ndarray:
    """Return whether a row is the first of its session, of rows session after session."""
    first = np.ones(session.size, dtype=bool)
    first[1:] = session[1:] != session[:-1]
    return first
