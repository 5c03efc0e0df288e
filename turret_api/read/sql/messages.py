"""Messages with their words, topics and similarities, as SQL: what `read.views.messages` lists."""

from __future__ import annotations

from turret_api.read.engine.literals import text
from turret_api.read.engine.queries import Views
from turret_api.read.sql.views import field_views
from turret_api.read.views.filters import Filters
from turret_api.read.views.topics import MOVE_NODES

FRAMES_LEFT_OUT = (
    "Left out: `frames`, the passages that many messages share. They are those of the table shared_frames, found in "
    "each text by code."
)


def said_views(field: str, filters: Filters, topic_id: str | None = None) -> Views:
    """Return the views of the messages that count when `topic_id` is asked for (None: all), `said` last.

    `said` has the columns of `steps` and `text`, `shown_topic_id` (null: none), `topic_label` and `similarity`.
    """
    views = field_views(field, filters)
    is_about_moves = topic_id in MOVE_NODES
    views["said"] = (
        "the messages with their words, the names of their topics, and how near each is to its topic's centre",
        f"""
SELECT step.*, message.text, topic.topic_id AS shown_topic_id, topic.label AS topic_label,
    CASE WHEN step.is_own AND topic.topic_id IS NOT NULL THEN assigned.similarity END AS similarity
FROM {"steps" if is_about_moves else "counted_steps"} AS step
JOIN messages AS message ON message.field = {text(field)} AND message.event_id = step.event_id
LEFT JOIN shown_topics AS topic
    ON topic.field = {text(field)} AND topic.topic_id = step.topic_id AND topic.level = 0 AND NOT step.is_move
LEFT JOIN topic_assignments AS assigned
    ON assigned.field = {text(field)} AND assigned.text_id = step.text_id""",
    )
    return views
