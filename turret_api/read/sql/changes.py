"""What may have changed from one window of days to the next, as SQL: the counts that `questions.changes` tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from turret_api.read.engine.literals import text, texts, time
from turret_api.read.engine.queries import Views
from turret_api.read.sql.friction import signed_views
from turret_api.read.sql.outcomes import outcome_views
from turret_api.read.sql.views import value_views
from turret_api.read.views.filters import Filters
from turret_api.read.views.topics import NODES
from turret_pipeline.semantics.changes import Days
from turret_pipeline.semantics.outcomes import Outcome

COLUMNS = "kind, topic_id, to_topic, segment, value, outcome"
"""What a row is about; behind them `now`, `of_now`, `before` and `of_before`."""


@dataclass(frozen=True)
class ToldOutcome:
    """An outcome, what is said of the values that count, and the value above which they do (0 to 1 of an enum)."""

    outcome: Outcome
    said: str
    above: float


def scene_views(field: str, filters: Filters, level: int, now: Days, before: Days) -> Views:
    """Return the views of both windows: their sessions, and the topics of each.

    filters: without times, which have made the windows.
    """
    views = signed_views(field, filters, level)
    views["scene_sessions"] = (
        "the sessions that began in either window, and whether their user's first one began in it too",
        f"""
WITH began AS (
    SELECT session_id, timestamp AS started_at, min(timestamp) OVER (PARTITION BY user_id) AS first_at
    FROM journey_steps WHERE field = {text(field)} AND place = 0
)
SELECT session_id, started_at >= {time(now.since)} AS is_now,
    first_at >= CASE WHEN started_at >= {time(now.since)} THEN {time(now.since)} ELSE {time(before.since)} END AS is_new
FROM began
WHERE started_at >= {time(before.since)} AND started_at < {time(now.until)}
    AND session_id IN (SELECT session_id FROM signed_steps)""",
    )
    views["scene_topics"] = (
        "the topics of each of these sessions that people see, each once",
        f"""
SELECT DISTINCT session_id, topic_id, is_now, is_new FROM signed_steps JOIN scene_sessions USING (session_id)
WHERE topic_id NOT IN {texts(NODES)}
    AND topic_id NOT IN (SELECT topic_id FROM hidden WHERE field = {text(field)})""",
    )
    return views


def change_views(field: str, segments: Sequence[str], outcomes: Sequence[ToldOutcome], filters: Filters) -> Views:
    """Return the view `may_have_changed`: what is looked at, by kind, with its sessions in both windows.

    It stands on `scene_views`. segments: the enum fields that topics are looked at among.
    """
    views = value_views(
        field, [*segments, *(each.outcome.field for each in outcomes), *(name for name, _ in filters.segments)]
    )
    kinds = [_TOPICS, _of_new_users(), _SENTIMENT, _MOVES, _FRICTION_OF_TOPICS, _FRICTION_OF_MOVES, _VOLUME]
    if segments:
        views["scene_values"] = (
            "the values that each of these sessions has in enum fields, each once",
            f"""
SELECT DISTINCT step.session_id, sent.field AS segment, sent.value, is_now
FROM steps AS step JOIN event_values AS sent USING (event_id) JOIN scene_sessions USING (session_id)
WHERE sent.field IN {texts(segments)}""",
        )
        kinds.append(_SEGMENTS)
    for i, told in enumerate(outcomes):
        ((what, select),) = outcome_views(field, told.outcome).values()
        views[f"went_{i}"] = (
            what,
            f"""
SELECT went.session_id, outcome_at, went.value > {told.above!r} AS has_it, is_now
FROM ({select}
) AS went JOIN scene_sessions USING (session_id)""",
        )
        kinds += [_of_outcome(i, told), _of_topics_outcome(i, told)]
    views["may_have_changed"] = (
        f"what is looked at ({COLUMNS}), and the sessions that have it, of how many, in both windows",
        "\nUNION ALL".join(kinds),
    )
    return views


def _row(kind: str, **columns: str) -> str:
    """Return the beginning of the statement of a kind; columns: expressions, of those that are not null."""
    names = COLUMNS.split(", ")[1:]
    return ", ".join([f"\nSELECT {text(kind)} AS kind", *(f"{columns.get(name, 'NULL')} AS {name}" for name in names)])


_BOTH = """
    count(*) FILTER (is_now) AS "now", {of_now} AS of_now,
    count(*) FILTER (NOT is_now) AS before, {of_before} AS of_before"""


def _of_all(condition: str = "") -> str:
    of = "(SELECT count(*) FROM scene_sessions WHERE {}is_now" + condition + ")"
    return _BOTH.format(of_now=of.format(""), of_before=of.format("NOT "))


_HAVING = """
    count(*) FILTER (has_it AND is_now) AS "now", count(*) FILTER (is_now) AS of_now,
    count(*) FILTER (has_it AND NOT is_now) AS before, count(*) FILTER (NOT is_now) AS of_before"""

_TOPICS = f"""{_row("topic", topic_id="topic_id")},{_of_all()}
FROM scene_topics GROUP BY topic_id"""

_SEGMENTS = f"""{_row("topic_of_segment", topic_id="topic_id", segment="segment", value="value")},
    count(*) FILTER (is_now), any_value(of_now), count(*) FILTER (NOT is_now), any_value(of_before)
FROM (
    SELECT topic.topic_id, topic.is_now, segment, value, of_now, of_before
    FROM scene_topics AS topic JOIN scene_values USING (session_id)
    JOIN (
        SELECT segment, value, count(*) FILTER (is_now) AS of_now, count(*) FILTER (NOT is_now) AS of_before
        FROM scene_values GROUP BY segment, value
    ) USING (segment, value)
) GROUP BY topic_id, segment, value"""

_SENTIMENT = f"""{_row("sentiment_of_topic", topic_id="topic_id")},{_HAVING}
FROM (
    SELECT session_id, step.topic_id, topic.is_now, coalesce(bool_or(sentiment = 'negative'), false) AS has_it
    FROM counted_steps AS step LEFT JOIN text_sentiment USING (text_id)
    JOIN scene_topics AS topic USING (session_id, topic_id) GROUP BY session_id, step.topic_id, topic.is_now
) GROUP BY topic_id"""

_FRICTION_OF_TOPICS = f"""{_row("friction_of_topic", topic_id="topic_id")},{_HAVING}
FROM (
    SELECT session_id, topic_id, topic.is_now, bool_or(has_friction) AS has_it
    FROM requests JOIN scene_topics AS topic USING (session_id, topic_id)
    GROUP BY session_id, topic_id, topic.is_now
) GROUP BY topic_id"""

_MOVES = f"""{_row("move", topic_id="from_topic", to_topic="to_topic")},
    count(*) FILTER (is_now), any_value(of_now), count(*) FILTER (NOT is_now), any_value(of_before)
FROM (
    SELECT DISTINCT session_id, from_topic, to_topic, is_now FROM left_visits JOIN scene_sessions USING (session_id)
    WHERE from_topic IN (SELECT topic_id FROM scene_topics) AND to_topic IN (SELECT topic_id FROM scene_topics)
) JOIN (
    SELECT from_topic, count(DISTINCT session_id) FILTER (is_now) AS of_now,
        count(DISTINCT session_id) FILTER (NOT is_now) AS of_before
    FROM left_visits JOIN scene_sessions USING (session_id) GROUP BY from_topic
) USING (from_topic) GROUP BY from_topic, to_topic"""

_FRICTION_OF_MOVES = f"""{_row("friction_of_move", topic_id="from_topic", to_topic="to_topic")},{_HAVING}
FROM (
    SELECT session_id, from_topic, to_topic, is_now, bool_or(has_friction) AS has_it
    FROM left_visits JOIN scene_sessions USING (session_id)
    WHERE from_topic IN (SELECT topic_id FROM scene_topics) AND to_topic IN (SELECT topic_id FROM scene_topics)
    GROUP BY session_id, from_topic, to_topic, is_now
) GROUP BY from_topic, to_topic"""

_VOLUME = f"""{_row("volume")},{_BOTH.format(of_now="NULL", of_before="NULL")}
FROM scene_sessions"""


def _of_new_users() -> str:
    return f"""{_row("topic_of_new_users", topic_id="topic_id")},{_of_all(" AND is_new")}
FROM scene_topics WHERE is_new GROUP BY topic_id"""


def _of_outcome(i: int, told: ToldOutcome) -> str:
    return f"""{_row("outcome", value=text(told.said), outcome=text(told.outcome.field))},{_HAVING}
FROM went_{i}"""


def _of_topics_outcome(i: int, told: ToldOutcome) -> str:
    row = _row("outcome_of_topic", topic_id="topic_id", value=text(told.said), outcome=text(told.outcome.field))
    return f"""{row},{_HAVING}
FROM (
    SELECT DISTINCT session_id, topic_id, has_it, is_now
    FROM signed_steps AS step JOIN went_{i} USING (session_id)
    WHERE step.timestamp <= outcome_at AND topic_id IN (SELECT topic_id FROM scene_topics)
) GROUP BY topic_id"""
