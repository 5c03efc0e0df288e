"""The topics of a field with their sizes, as SQL: what `questions.topics` lists."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from turret_api.read.engine.literals import text
from turret_api.read.engine.queries import Views
from turret_api.read.sql.views import field_views
from turret_api.read.views.filters import Filters
from turret_api.read.views.topics import MOVE_NODES
from turret_pipeline.semantics.changes import DAY, RECENT_DAYS

TREND_DAYS = 90

TRENDS_LEFT_OUT = (
    "Left out: `mark` and `q_value` of `trend`. They are computed from each topic's sessions by day "
    "(column n_sessions of the part trend.days, of all days), as docs/model.md says."
)


def topic_views(field: str, filters: Filters, level: int) -> Views:
    """Return the views of a field, with `listed_topics`: every topic of the level with its numbers, hidden ones too."""
    views = field_views(field, filters, level)
    views["of_level"] = (
        "the themes, and the topics that belong to none" if level else "the topics",
        _of_level(field, level) + (_move_rows(field) if filters.has_moves else ""),
    )
    views["session_users"] = (
        "the user of each session: that of its first message, which says when it began",
        f"""
SELECT session_id, user_id, timestamp AS began_at FROM journey_steps WHERE field = {text(field)} AND place = 0""",
    )
    views["sizes"] = (
        "how many messages, sessions and users each topic has, and since when",
        """
SELECT topic_id, count(*) AS size, count(DISTINCT session_id) AS n_sessions, count(DISTINCT owner.user_id) AS n_users,
    min(timestamp) AS first_seen
FROM counted_steps JOIN session_users AS owner USING (session_id) GROUP BY topic_id""",
    )
    views |= _change_views(field, filters, level)
    views["listed_topics"] = (
        "the topics with their sizes and what people made of them, hidden ones too",
        f"""
SELECT topic_id, level, parent_id, label, summary, keywords, examples, n_texts, x, y, coalesce(size, 0) AS size,
    coalesce(n_sessions, 0) AS n_sessions, coalesce(n_users, 0) AS n_users,
    coalesce(size / (SELECT count(*) FROM counted_steps), 0) AS share, first_seen,
    CASE WHEN size > 0 THEN changes.change END AS change, starts_with(topic_id, 'd_') AS defined,
    topic_id IN (SELECT topic_id FROM edits_in_force WHERE field = {text(field)} AND action = 'pin') AS pinned
FROM of_level LEFT JOIN sizes USING (topic_id) LEFT JOIN changes USING (topic_id)""",
    )
    return views


def _change_views(field: str, filters: Filters, level: int) -> Views:
    """Return the view `changes`; what a change is, `semantics.changes` says."""
    ever, prefix = replace(filters, since=None, until=None), ""
    views: Views = {}
    if ever != filters:
        prefix = "ever_"
        views = field_views(field, ever, level, prefix)
    first, last = "oldest + 1", "newest - 1"
    if filters.since is not None:
        day = filters.since.date() + (dt.timedelta() if filters.since.time() == dt.time() else DAY)
        first = f"greatest({first}, DATE {text(day.isoformat())})"
    if filters.until is not None:
        last = f"least({last}, DATE {text((filters.until.date() - DAY).isoformat())})"
    views["windows"] = (
        f"the last {RECENT_DAYS} whole days and as many before them: those between the first message and the newest",
        f"""
WITH seen AS (
    SELECT min(timestamp::DATE) AS oldest, least(max(timestamp::DATE), max(message_date)) AS newest
    FROM journey_steps WHERE field = {text(field)}
), whole AS (SELECT {first} AS first_day, {last} AS last_day FROM seen WHERE newest - oldest >= 2)
SELECT last_day - {RECENT_DAYS - 1} AS now_from, last_day AS now_to,
    last_day - {2 * RECENT_DAYS - 1} AS before_from, last_day - {RECENT_DAYS} AS before_to
FROM whole WHERE last_day - first_day + 1 >= {2 * RECENT_DAYS}""",
    )
    views["window_sessions"] = (
        "the sessions that began in either window",
        f"""
SELECT session_id, began_at::DATE >= now_from AS is_now FROM session_users JOIN windows
    ON began_at::DATE BETWEEN before_from AND now_to
WHERE session_id IN (SELECT session_id FROM {prefix}steps)""",
    )
    views["changes"] = (
        "by how much each topic's share of these sessions changed",
        f"""
WITH whole AS (
    SELECT count(*) FILTER (is_now) AS of_now, count(*) FILTER (NOT is_now) AS of_before FROM window_sessions
), counted AS (
    SELECT topic_id, count(DISTINCT session_id) FILTER (is_now) AS n_now,
        count(DISTINCT session_id) FILTER (NOT is_now) AS n_before
    FROM {prefix}counted_steps JOIN window_sessions USING (session_id) GROUP BY topic_id
)
SELECT topic_id, CASE WHEN n_before > 0 AND of_now > 0 THEN n_now / of_now / (n_before / of_before) - 1 END AS change
FROM counted CROSS JOIN whole""",
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
    count(DISTINCT session_id) AS n_sessions, count(DISTINCT owner.user_id) AS n_users,
    count(*) FILTER (topic_id = 'unassigned') AS n_unassigned, (SELECT n FROM hidden_size) AS n_hidden
FROM counted_steps JOIN session_users AS owner USING (session_id)"""


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
