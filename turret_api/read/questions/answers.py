"""What became of requests: how many were refused, apologised for, answered again or not at all, by topic.

And which topics their answers have: of the field that holds the answers. Each request has one topic and one answer or
none, so all counts add up to the requests. Intervals are those of sessions, as in `questions.journeys.friction`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, cast

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.literals import texts
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import FieldAnswer, Meaning, typed_rows
from turret_api.read.questions.journeys.statistics import share_of_groups
from turret_api.read.questions.of_field import OfField
from turret_api.read.sql.answers import answer_views
from turret_api.read.sql.answers import is_answered as is_answered_sql
from turret_api.read.sql.views import field_views
from turret_api.read.views.answers import NO_ANSWER, NONE, REPEATED, UNSERVED, field_of_answers, is_answered
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import answered_steps
from turret_api.read.views.topics import NODES, edits_of, labels_of
from turret_pipeline.lake.tables import ANSWERS, JOURNEY_STEPS
from turret_pipeline.semantics.answers import APOLOGISED, MADE_GOOD, REFUSED

MOST_ANSWERS = 5
"""Topics of answers that are named with each topic of requests."""

INTERVAL = Meaning("lower end of its 95% confidence interval (Wilson, for requests that come in sessions)")

COUNTS = {
    "n_unanswered": NONE,
    "n_refused": REFUSED,
    "n_apologised": APOLOGISED,
    "n_made_good": MADE_GOOD,
    "n_repeated": REPEATED,
    "n_unserved": UNSERVED,
}
"""By count, how the requests that it counts were answered (`is_answered`)."""


class AnswerTopic(TypedDict):
    """A topic of answers."""

    topic_id: str
    label: str
    count: Annotated[int, Meaning("answers that have it")]
    share: Annotated[float, Meaning("of the answers")]


class RestOfAnswers(TypedDict):
    """The topics of answers that are not named, hidden ones among them."""

    topics: int
    count: int


class Counts(TypedDict):
    """How many requests were answered how."""

    n_requests: int
    n_answered: Annotated[int, Meaning("that have an answer, whatever it says; with `n_unanswered`: all requests")]
    n_unanswered: int
    n_refused: Annotated[int, Meaning("whose answer says that it cannot, may not or does not have what is asked for")]
    n_apologised: Annotated[int, Meaning("whose answer apologises, failed or did not understand, and goes no further")]
    n_made_good: Annotated[int, Meaning("whose answer apologises and then helps; these count as served")]
    n_repeated: Annotated[int, Meaning("whose answer the session was given before, whatever else it is")]
    n_unserved: Annotated[int, Meaning("unanswered, refused, apologised or repeated: each request once")]


class TopicAnswers(Counts):
    """What became of the requests of a topic."""

    topic_id: str
    label: str
    n_sessions: Annotated[int, Meaning("with an unserved request of it")]
    share: Annotated[float, Meaning("of its requests, those unserved")]
    low: Annotated[float, INTERVAL]
    high: float
    answers: Annotated[list[AnswerTopic], Meaning(f"what its answers are about: the {MOST_ANSWERS} most common")]
    rest: RestOfAnswers


class RestOfTopics(Counts):
    """The topics of requests that are left out: hidden, or past the limit."""

    topics: int


def _no_rest() -> RestOfTopics:
    return cast(RestOfTopics, dict.fromkeys(RestOfTopics.__annotations__, 0))


@dataclass(frozen=True)
class AnswerFigures(FieldAnswer):
    """Topics of requests, those first of which most requests were not served."""

    data: list[TopicAnswers] = dataclasses.field(default_factory=list)
    rest: RestOfTopics = dataclasses.field(default_factory=_no_rest)
    answer_field: Annotated[str | None, Meaning("the text field that holds the answers; null: none does")] = None
    answers: Annotated[list[AnswerTopic], Meaning("what all answers are about, most common first")] = dataclasses.field(
        default_factory=list
    )
    n_requests: Annotated[int, Meaning("of all topics, as all counts here")] = 0
    n_answered: int = 0
    n_unanswered: int = 0
    n_refused: int = 0
    n_apologised: int = 0
    n_made_good: int = 0
    n_repeated: int = 0
    n_unserved: int = 0
    n_sessions: Annotated[int, Meaning("with an unserved request")] = 0
    share: Annotated[float | None, Meaning("of the requests, those unserved")] = None
    low: Annotated[float | None, INTERVAL] = None
    high: float | None = None


@dataclass(frozen=True)
class AnswersOfField(OfField):
    """What became of the requests of a text field?"""

    level: int = 0
    limit: int = 100

    tables = (*SOURCES, ANSWERS)
    built = (JOURNEY_STEPS, ANSWERS)
    answers = AnswerFigures

    def of_field(self, snapshot: Snapshot, field: str) -> AnswerFigures:
        """Return the `limit` topics of which most requests were not served; none where no field holds answers."""
        of_answers = field_of_answers(snapshot, field)
        if of_answers is None:
            return AnswerFigures()
        steps = answered_steps(snapshot, field, of_answers, self.filters, self.level).with_columns(
            is_answered(so).alias(name) for name, so in COUNTS.items()
        )
        found = _counted(steps, "topic_id").with_columns(pl.col("topic_id").cast(pl.String))
        hidden = list(edits_of(snapshot, field).hidden)
        ordered = found.sort("n_unserved", "n_requests", "topic_id", descending=[True, True, False])
        shown = ordered.filter(~pl.col("topic_id").is_in(hidden)).head(self.limit)
        left_out = found.join(shown, on="topic_id", how="anti")
        pairs = _pairs(snapshot, of_answers, steps)
        named = shown.with_columns(label=pl.col("topic_id").replace(labels_of(snapshot, field)))
        data = typed_rows(_with_topics_of_answers(named, pairs), TopicAnswers)
        whole = _counted(steps.with_columns(whole=pl.lit(0)), "whole").drop("whole").to_dicts()
        rest = left_out.select(pl.len().cast(pl.Int64).alias("topics"), pl.col(*Counts.__annotations__).sum())
        return AnswerFigures(
            data,
            typed_rows(rest, RestOfTopics)[0],
            of_answers,
            _all_answers(pairs),
            **(whole[0] if whole else {}),
        )

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the counts, by topic and in all."""
        of_answers = field_of_answers(snapshot, field)
        if of_answers is None:
            return Queries({}, left_out="No text field holds the answers to this one, so there is nothing to count.")
        views = field_views(field, self.filters, self.level) | answer_views(field, of_answers, self.level)
        counts = ",\n    ".join(f"count(*) FILTER ({is_answered_sql(so)}) AS {name}" for name, so in COUNTS.items())
        views["requests"] = (
            "the messages that count, each with what became of it",
            """
SELECT step.*, answered.* EXCLUDE (event_id) FROM counted_steps AS step JOIN answered USING (event_id)""",
        )
        counts = f"""count(*) AS n_requests, count(*) FILTER (has_answer) AS n_answered,
    {counts},
    count(DISTINCT session_id) FILTER ({is_answered_sql(UNSERVED)}) AS n_sessions, n_unserved / n_requests AS share"""
        hidden = f"SELECT topic_id FROM hidden WHERE field = {literal(field)}"
        data = f"""
SELECT topic_id, coalesce(any_value(label), topic_id) AS label,
    {counts}
FROM requests LEFT JOIN labels USING (topic_id)
WHERE topic_id NOT IN ({hidden})
GROUP BY topic_id ORDER BY n_unserved DESC, n_requests DESC, topic_id LIMIT {self.limit}"""
        of_topic = """
SELECT topic_id, answer_topic, count(*) AS "count", count(*) / sum(count(*)) OVER (PARTITION BY topic_id) AS share
FROM requests WHERE has_answer GROUP BY topic_id, answer_topic ORDER BY topic_id, "count" DESC, answer_topic"""
        of_all = f"""
WITH named AS (SELECT topic_id, label FROM shown_topics WHERE field = {literal(of_answers)})
SELECT answer_topic AS topic_id, coalesce(any_value(named.label), any_value(labels.label), answer_topic) AS label,
    count(*) AS "count", count(*) / sum(count(*)) OVER () AS share
FROM requests LEFT JOIN named ON named.topic_id = answer_topic
LEFT JOIN labels ON labels.topic_id = answer_topic AND answer_topic IN {texts(NODES)}
WHERE has_answer GROUP BY answer_topic ORDER BY "count" DESC, answer_topic"""
        parts = {"data": data, "data.answers": of_topic, "answers": of_all}
        parts["totals"] = f"\nSELECT {counts}\nFROM requests HAVING count(*) > 0"
        return Queries(parts, views, LEFT_OUT)


LEFT_OUT = (
    "Left out: intervals, which are Wilson's for requests that come in sessions, and what is past the limit (`rest`: "
    "the totals less the rows)."
)


def _counted(steps: pl.DataFrame, of: str) -> pl.DataFrame:
    """Return by each value of the column `of` the counts of its requests, and the share of those unserved."""
    counts = steps.group_by(of).agg(
        pl.len().cast(pl.Int64).alias("n_requests"), *(pl.col(name).sum().cast(pl.Int64) for name in COUNTS)
    )
    # As one number, for pairs are grouped several times as fast so.
    pair = pl.col(of).to_physical().cast(pl.UInt64) * (1 << 32) + pl.col("session")
    in_sessions = steps.group_by(pair=pair).agg(pl.col(of).first(), n=pl.len(), n_with=pl.col("n_unserved").sum())
    shares = share_of_groups(in_sessions, of).rename({"n_groups_with": "n_sessions"}).drop("n", "n_with")
    return counts.with_columns(n_answered=pl.col("n_requests") - pl.col("n_unanswered")).join(shares, on=of)


def _pairs(snapshot: Snapshot, of_answers: str, steps: pl.DataFrame) -> pl.DataFrame:
    """Return `topic_id` of requests, `answer_topic`, its `label`, `count`, and `is_shown`, most common first."""
    pairs = steps.group_by("topic_id", "answer_topic").len("count")
    texts = pairs.with_columns(pl.col("topic_id", "answer_topic").cast(pl.String), pl.col("count").cast(pl.Int64))
    hidden = list(edits_of(snapshot, of_answers).hidden)
    named = texts.filter(pl.col("answer_topic") != NO_ANSWER).with_columns(
        label=pl.col("answer_topic").replace(labels_of(snapshot, of_answers)),
        is_shown=~pl.col("answer_topic").is_in(hidden),
    )
    return named.sort("topic_id", "count", "answer_topic", descending=[False, True, False])


def _with_topics_of_answers(topics: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return `topics` in their order with `answers` (`AnswerTopic`) and `rest` (`RestOfAnswers`)."""
    place = pl.col("is_shown").cum_sum().over("topic_id")
    ranked = pairs.with_columns(
        is_shown=pl.col("is_shown") & (place <= MOST_ANSWERS),
        share=pl.col("count") / pl.col("count").sum().over("topic_id"),
    )
    each = pl.struct("label", "count", "share", topic_id="answer_topic")
    left_out = ~pl.col("is_shown")
    found = ranked.group_by("topic_id", maintain_order=True).agg(
        answers=each.filter("is_shown"),
        rest=pl.struct(topics=left_out.sum().cast(pl.Int64), count=pl.col("count").filter(left_out).sum()),
    )
    none = pl.struct(topics=pl.lit(0, pl.Int64), count=pl.lit(0, pl.Int64))
    met = topics.join(found, on="topic_id", how="left", maintain_order="left")
    return met.with_columns(
        pl.col("answers").fill_null([]), pl.when(pl.col("rest").is_null()).then(none).otherwise("rest").alias("rest")
    )


def _all_answers(pairs: pl.DataFrame) -> list[AnswerTopic]:
    """Return the topics that all answers have, most common first."""
    summed = pairs.group_by("label", topic_id="answer_topic").agg(pl.col("count").sum())
    shared = summed.with_columns(share=pl.col("count") / pl.col("count").sum())
    return typed_rows(shared.sort("count", "topic_id", descending=[True, False]), AnswerTopic)
