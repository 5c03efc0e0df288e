"""The topics of a field with their sizes, as SQL: what `questions.topics` lists."""

from __future__ import annotations

from turret_api.read.engine.literals import text
from turret_api.read.engine.queries import Views
from turret_api.read.sql.views import field_views
from turret_api.read.views.filters import Filters
from turret_api.read.views.topics import MOVE_NODES

TREND_DAYS, CHANGE_DAYS = 90, 7

TRENDS_LEFT_OUT = (
    "Left out: `mark`, `change` and `q_value` of `trend`. They are computed from each topic's sessions by day "
    "(column n_sessions of the part trend.days, of all days), as docs/model.md says."
)


def topic_views(field: str, filters: Filters, level: int) -> Views:
    """Return the views of a field, with `listed_topics`: every topic of the level with its numbers, hidden ones too."""
    views = field_views(field, filters, level)
    views["of_level"] = (
        "the themes, and the topics that belong to none" if level else "the topics",
        _of_level(field, level) + (_move_rows(field) if filters.has_moves else ""),
    )
    views["sizes"] = (
        "how many messages each topic has, since when, and in the last 7 days and the 7 before",
        f"""
WITH newest AS (SELECT max(timestamp::DATE) AS day FROM counted_steps)
SELECT topic_id, count(*) AS size, min(timestamp) AS first_seen,
    count(*) FILTER (timestamp::DATE > newest.day - {CHANGE_DAYS}) AS n_recent,
    count(*) FILTER (timestamp::DATE > newest.day - {2 * CHANGE_DAYS}
        AND timestamp::DATE <= newest.day - {CHANGE_DAYS}) AS n_before
FROM counted_steps CROSS JOIN newest GROUP BY topic_id""",
    )
    views["listed_topics"] = (
        "the topics with their sizes and what people made of them, hidden ones too",
        f"""
SELECT topic_id, level, parent_id, label, summary, keywords, examples, n_texts, x, y, coalesce(size, 0) AS size,
    coalesce(size / (SELECT count(*) FROM counted_steps), 0) AS share, first_seen,
    (n_recent - n_before) / nullif(n_before, 0) AS change, starts_with(topic_id, 'd_') AS defined,
    topic_id IN (SELECT topic_id FROM edits_in_force WHERE field = {text(field)} AND action = 'pin') AS pinned
FROM of_level LEFT JOIN sizes USING (topic_id)""",
    )
    return views


def days(which: str) -> str:
    """Return the statement of the messages a day of the topics for which `which` holds, over the last `TREND_DAYS`."""
    return f"""
SELECT topic_id, timestamp::DATE AS date, count(*) AS "count", count(DISTINCT session_id) AS n_sessions
FROM counted_steps
WHERE {which}
    AND timestamp::DATE > (SELECT max(timestamp::DATE) FROM counted_steps) - {TREND_DAYS}
GROUP BY topic_id, date ORDER BY topic_id, date"""


def hidden_topics(field: str) -> str:
    """Return the statement of the topics that people have hidden."""
    return f"""
SELECT topic_id, label, size FROM listed_topics
WHERE topic_id IN (SELECT topic_id FROM hidden WHERE field = {text(field)}) ORDER BY topic_id"""


def totals(field: str) -> str:
    """Return the statement of what the sizes of topics add up to."""
    return f"""
WITH hidden_size AS (
    SELECT coalesce(sum(size), 0) AS n FROM listed_topics
    WHERE topic_id IN (SELECT topic_id FROM hidden WHERE field = {text(field)})
)
SELECT count(*) AS n_messages, (SELECT count(*) FROM steps) - count(*) AS n_moves,
    count(*) FILTER (topic_id = 'unassigned') AS n_unassigned, (SELECT n FROM hidden_size) AS n_hidden
FROM counted_steps"""


def lineage(field: str) -> str:
    """Return the statement of what topics came from and became."""
    return f"""
SELECT model_version, kind, from_topic, from_label, to_topic, to_label, n_texts, share
FROM topic_lineage WHERE field = {text(field)} AND kind <> 'carry'
ORDER BY model_version DESC, share DESC, kind, to_topic NULLS FIRST"""


_COLUMNS = "topic_id, level, parent_id, label, summary, keywords, examples, n_texts, x, y"


def _of_level(field: str, level: int) -> str:
    alone = " OR (level = 0 AND parent_id IS NULL)" if level else ""
    return f"""
SELECT {_COLUMNS} FROM shown_topics WHERE field = {text(field)} AND (level = {level}{alone})"""


def _move_rows(field: str) -> str:
    """Return the rows of moves of conversation: each kind that occurs in the field, with its most common texts."""
    names = ", ".join(f"({text(kind)}, {text(label)})" for kind, label in MOVE_NODES.items())
    return f"""
UNION ALL
SELECT kind, 0, NULL, names.label, NULL, [], list(words.text ORDER BY said.n DESC, said.text_id)[1:5], count(*),
    NULL, NULL
FROM (
    SELECT kind, text_id, count(*) AS n FROM journey_steps WHERE field = {text(field)} GROUP BY kind, text_id
) AS said
JOIN (VALUES {names}) AS names (name, label) ON names.name = said.kind
JOIN (
    SELECT text_id, any_value(text) AS text FROM messages WHERE field = {text(field)} GROUP BY text_id
) AS words ON words.text_id = said.text_id
GROUP BY kind, names.label"""
