"""Messages with their words, topics and similarities, as SQL: what `read.views.messages` lists."""

from __future__ import annotations

from turret_api.read.engine.literals import text
from turret_api.read.engine.queries import Views
from turret_api.read.sql.answers import answer_views, is_answered
from turret_api.read.sql.views import field_views, with_topic
from turret_api.read.views.filters import Filters
from turret_api.read.views.gone import ERASED
from turret_api.read.views.topics import MOVE_NODES
from turret_pipeline.semantics.gone import PREFIX

FRAMES_LEFT_OUT = (
    "Left out: `frames`, the passages that many messages share. They are those of the table shared_frames, found in "
    "each text by code."
)


def gone(text_id: str, day: str, field: str) -> str:
    """Return why the text of a message is gone, as an expression; null: it is there (`views.gone`)."""
    return f"""CASE WHEN starts_with({text_id}, {text(PREFIX)}) THEN coalesce((
        SELECT arg_min(strftime(removed_at AT TIME ZONE 'UTC', '%Y-%m-%d') || ', after ' || days || ' days', removed_at)
        FROM removals WHERE (removals.field IS NULL OR removals.field = {field})
            AND {day} BETWEEN from_date AND until_date
    ), {text(ERASED)}) END"""


def said_views(field: str, filters: Filters, topic_id: str | None, of_answers: str | None) -> Views:
    """Return the views of the messages that count when `topic_id` is asked for (None: all), `told` last.

    `said` has the columns of `steps` and `text`, `shown_topic_id` (null: none), `topic_label` and `similarity`; `told`
    has beside them `sentiment`, `answer`, `answer_kind` and `answer_is_repeated`. of_answers: the field that holds the
    answers; None: there is none.
    """
    views = field_views(field, filters) | answer_views(field, of_answers)
    is_about_moves = topic_id in MOVE_NODES
    views["said"] = (
        "the messages with their words, the names of their topics, and how near each is to its topic's centre",
        f"""
SELECT step.*, message.text, {gone("message.text_id", "message.received_date", text(field))} AS gone,
    topic.topic_id AS shown_topic_id, topic.label AS topic_label,
    CASE WHEN step.is_own AND topic.topic_id IS NOT NULL THEN assigned.similarity END AS similarity
FROM {"steps" if is_about_moves else "counted_steps"} AS step
JOIN messages AS message ON message.field = {text(field)} AND message.event_id = step.event_id
LEFT JOIN shown_topics AS topic
    ON topic.field = {text(field)} AND topic.topic_id = step.topic_id AND topic.level = 0 AND NOT step.is_move
LEFT JOIN topic_assignments AS assigned
    ON assigned.field = {text(field)} AND assigned.text_id = step.text_id""",
    )
    views["told"] = (
        "the messages with how they sound, and with their answers",
        """
SELECT said.*, coalesce(sound.sentiment, 'neutral') AS sentiment,
    answer.text AS answer, answer.kind AS answer_kind, answer.is_repeated AS answer_is_repeated
FROM said
LEFT JOIN text_sentiment AS sound ON sound.text_id = said.text_id
LEFT JOIN told_answers AS answer ON answer.event_id = said.event_id""",
    )
    return views


def listed(similarity: str = "similarity") -> str:
    """Return the columns of `told` as messages are listed. similarity: what that column is, as an expression."""
    return f"""
SELECT event_id, session_id, user_id, name, timestamp, text, gone, kind, shown_topic_id AS topic_id, topic_label,
    {similarity} AS similarity, sentiment, answer, answer_kind, answer_is_repeated"""


def asked_for(topic_id: str | None, sentiment: str | None, answered: str | None, of_answers: str | None) -> str:
    """Return the condition under which a row of `told` is asked for; None: any topic, sentiment or answer."""
    conditions = [with_topic(topic_id)]
    if sentiment is not None:
        conditions.append(f"sentiment = {text(sentiment)}")
    if answered is not None:
        so = f"event_id IN (SELECT event_id FROM answered WHERE {is_answered(answered)})"
        conditions.append("false" if of_answers is None else so)
    return " AND ".join(conditions)
