"""What became of messages by their answers, as SQL: what `read.views.answers` tells."""

from __future__ import annotations

from turret_api.read.engine.literals import text, texts
from turret_api.read.engine.queries import Views
from turret_api.read.sql.views import EDITS
from turret_api.read.views.answers import NONE, REPEATED, UNSERVED
from turret_pipeline.semantics.kinds import MOVES


def answer_views(field: str, of_answers: str | None, level: int = 0) -> Views:
    """Return the views `told_answers` and `answered`. of_answers: the field that holds the answers; None: none does."""
    there = text(of_answers or "")
    named, theme, themes = "coalesce(into_one.into_topic, answer.topic_id)", "", ""
    if level:
        theme = "topic.parent_id, "
        themes = f"""
LEFT JOIN shown_topics AS topic ON topic.field = {there} AND topic.topic_id = {named} AND topic.level = 0"""
    return EDITS | {
        "told_answers": (
            "the answers of the field with their words, kinds, and whether the session was told them before",
            f"""
SELECT said.event_id, said.text, answers.kind, answers.is_repeated
FROM messages AS said
LEFT JOIN answers ON answers.field = {text(field)} AND answers.event_id = said.event_id
WHERE said.field = {there}""",
        ),
        "answered": (
            "each message of the field, with the topic and kind of its answer ('': it has none)",
            f"""
SELECT asked.event_id, answer.event_id IS NOT NULL AS has_answer,
    CASE WHEN answer.event_id IS NULL THEN '' ELSE coalesce(told.kind, 'answered') END AS answer_kind,
    answer.event_id IS NOT NULL AND coalesce(told.is_repeated, false) AS is_repeated,
    CASE WHEN answer.kind IN {texts(MOVES)} THEN answer.kind
        WHEN answer.event_id IS NOT NULL THEN coalesce({theme}{named}, 'unassigned') END AS answer_topic
FROM journey_steps AS asked
LEFT JOIN journey_steps AS answer ON answer.field = {there} AND answer.event_id = asked.event_id
LEFT JOIN merged AS into_one ON into_one.field = {there} AND into_one.topic_id = answer.topic_id{themes}
LEFT JOIN answers AS told ON told.field = {text(field)} AND told.event_id = asked.event_id
WHERE asked.field = {text(field)}""",
        ),
    }


def is_answered(answer: str) -> str:
    """Return whether a row of `answered` was answered so: a kind, `repeated`, `none` or `unserved`."""
    if answer == UNSERVED:
        return "(answer_kind IN ('', 'refused', 'apologised') OR is_repeated)"
    return "is_repeated" if answer == REPEATED else f"answer_kind = {text('' if answer == NONE else answer)}"
