"""Cohorts: the users of a topic or of a path, as a condition on all that these users did.

A cohort is about all time of the project's data: no other filter narrows who is in it. The users of a topic are those
who sent a message that has it; the users of a path are those of a session whose visits follow one another so. Topics
that people merged, hidden ones and themes count as everywhere else; `start` and `end` may begin and end a path.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import polars as pl

from turret_api.errors import NotFoundError
from turret_api.read.engine.library import Snapshot
from turret_api.read.views.all_steps import all_steps, renamed, sessions_of
from turret_api.read.views.topics import MOVE_NODES, NODES, edits_of
from turret_api.read.views.values import read_steps
from turret_pipeline.lake.tables import JOURNEY_STEPS, TOPIC_EDITS, TOPICS
from turret_pipeline.semantics.visits import END, ONLY_MOVES, START, folded, visits_of

COHORT_SOURCES = (JOURNEY_STEPS, TOPICS, TOPIC_EDITS)
"""Tables that who is in a cohort follows from."""

TOPIC, PATH, NOT, BETWEEN = "topic:", "path:", "!", ">"
COHORT = r"^!?(topic:[^>]+|path:[^>]+(>[^>]+){1,19})$"
"""What names a cohort: the users of a topic, or of a path of 2 to 20 topics; `!` before it: all others."""


@dataclass(frozen=True, order=True)
class Cohort:
    """Users: those of a topic (`topics` is one id) or of a path (two ids or more), or (`is_out`) all others.

    text_field, level: of the topics, once they are looked up (see `placed`).
    """

    topics: tuple[str, ...]
    is_out: bool = False
    text_field: str = field(default="", compare=False)
    level: int = field(default=0, compare=False)


def cohort_of(text: str) -> Cohort:
    """Return the cohort that `text`, which matches `COHORT`, names."""
    named = text.removeprefix(NOT)
    is_path = named.startswith(PATH)
    topics = tuple(named.removeprefix(PATH).split(BETWEEN)) if is_path else (named.removeprefix(TOPIC),)
    return Cohort(topics, text.startswith(NOT))


def placed(snapshot: Snapshot, field: str, cohort: Cohort) -> Cohort:
    """Return the cohort with the text field that has its topics (`field`, where that one has), and their level.

    Topics that people merged are those that have their messages now.
    Raise `NotFoundError` where one of its topics is not there.
    """
    of_field, level = _place(snapshot, field, cohort.topics)
    merged = edits_of(snapshot, of_field).merged
    topics = tuple(merged.get(topic, topic) for topic in cohort.topics)
    return replace(cohort, topics=topics, text_field=of_field, level=level)


def of_cohorts(snapshot: Snapshot, field: str, cohorts: tuple[Cohort, ...]) -> pl.Series:
    """Return for each step of the field whether its user is in all `cohorts`.

    Raise `NotFoundError` where a cohort is of a topic that is not there.
    """

    def compute() -> pl.DataFrame:
        users = read_steps(snapshot, field, "user_id")["user_id"]
        passes = pl.repeat(True, users.len(), eager=True, dtype=pl.Boolean)
        for cohort in cohorts:
            inside = users.is_in(_users(snapshot, field, cohort.topics).implode())
            passes = passes & (~inside if cohort.is_out else inside)
        return pl.DataFrame({"passes": passes})

    return snapshot.remember(("of cohorts", field, cohorts), COHORT_SOURCES, compute)["passes"]


def _users(snapshot: Snapshot, field: str, topics: tuple[str, ...]) -> pl.Series:
    """Return the `user_id` of each user of the topic, or of the path; `field` where a topic of it has that id."""
    field, level = _place(snapshot, field, topics)
    merged = edits_of(snapshot, field).merged
    wanted = [merged.get(topic, topic) for topic in topics]
    steps = all_steps(snapshot, field)
    steps = steps.with_columns(renamed(snapshot, field, level, steps["topic_id"]))
    if len(wanted) == 1:
        has = pl.col("is_move") if wanted[0] == ONLY_MOVES else pl.col("topic_id") == wanted[0]
        found = read_steps(snapshot, field, "user_id")["user_id"].filter(steps.select(has).to_series())
        return found.unique()
    if not any(topic in MOVE_NODES and topic != ONLY_MOVES for topic in wanted):
        steps = steps.with_columns(folded(steps.select("topic_id", "is_move", session_id="session")))
    visits = visits_of(steps.select("topic_id", "timestamp", session_id="session"))
    users = sessions_of(snapshot, field)["user_id"]
    return users.gather(_who_went(visits, wanted)).unique()


def _place(snapshot: Snapshot, field: str, topics: tuple[str, ...]) -> tuple[str, int]:
    """Return the text field that has the topics (`field`, where that one has), and the level that they are of."""
    named = [topic for topic in topics if topic not in NODES]
    if len(topics) == 1 and topics[0] in (START, END):
        raise NotFoundError(
            "Every session starts and ends: start and end make a cohort in a path only.", field="cohort"
        )
    known = snapshot.scan(TOPICS).filter(pl.col("topic_id").is_in(named)).select("topic_id", "field", "level").collect()
    merged = edits_of(snapshot, field).merged
    for topic in named:
        if topic not in known["topic_id"] and topic not in merged:
            raise NotFoundError(f"There is no topic {topic!r} for a cohort; GET /v1/topics lists them.", field="cohort")
    fields = sorted(set(known["field"]))
    level = int((known["level"] == 1).any())
    if not fields or field in fields:
        return field, level
    return fields[0], level


def _who_went(visits: pl.DataFrame, path: list[str]) -> pl.Series:
    """Return the numbers of the sessions with consecutive visits that are `path`; `session_id` is that number."""
    session, topic = pl.col("session_id"), pl.col("topic_id")
    inner = [each for each in path if each not in (START, END)]
    if START in path[1:] or END in path[:-1] or not inner:
        return visits["session_id"].head(0)
    here = pl.lit(True)
    for place, each in enumerate(inner):
        here = here & (topic.shift(-place) == each) & (session.shift(-place) == session)
    if path[0] == START:
        here = here & (session != session.shift()).fill_null(True)
    if path[-1] == END:
        here = here & (session.shift(-len(inner)) != session).fill_null(True)
    return visits.filter(here.fill_null(False))["session_id"].unique()
