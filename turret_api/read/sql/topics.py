"""The topics of a field with their sizes, as SQL: what `questions.topics` lists."""

from __future__ import annotations

from dataclasses import replace

from turret_api.read.engine.literals import text, time
from turret_api.read.engine.queries import Views
from turret_api.read.sql.views import field_views, how_many
from turret_api.read.views.filters import Filters
from turret_api.read.views.topics import MOVE_NODES
from turret_pipeline.semantics.changes import Days

TREND_DAYS = 90

TRENDS_LEFT_OUT = (
    "Left out: `mark` and `q_value` of `trend`. They are computed from the counts of the view window_sessions "
    "(the test of the change) and from each topic's messages by day, as docs/model.md says."
)

COUNTS_OF_SENTIMENT = """count(*) FILTER (sentiment = 'negative') AS n_negative,
    count(*) FILTER (coalesce(sentiment NOT IN ('negative', 'positive'), true)) AS n_neutral,
    count(*) FILTER (sentiment = 'positive') AS n_positive"""
"""Of steps beside `text_sentiment`; a text that was not looked at yet counts as neutral."""


def topic_views(
    field: str, filters: Filters, level: int, windows: tuple[Days, Days] | None = None, unit: str = "messages"
) -> Views:
    """Return the views of a field, with `listed_topics`: every topic of the level with its numbers, hidden ones too.

    windows: the days that changes are told of, and as many before them. unit: what shares are of.
    """
    views = field_views(field, filters, level)
    views["of_level"] = (
        "the themes, and the topics that belong to none" if level else "the topics",
        _of_level(field, level) + (_move_rows(field) if filters.has_moves else ""),
    )
    views["sizes"] = (
        "how many messages, sessions and users each topic has, since when, and how the messages sound",
        f"""
SELECT topic_id, count(*) AS size, count(DISTINCT session_id) AS n_sessions, count(DISTINCT user_id) AS n_users,
    {COUNTS_OF_SENTIMENT}, min(timestamp) AS first_seen, {how_many(unit)} AS n_of_unit
FROM counted_steps LEFT JOIN text_sentiment USING (text_id) GROUP BY topic_id""",
    )
    views |= window_views(field, filters, level, windows)
    views["listed_topics"] = (
        "the topics with their sizes and what people made of them, hidden ones too",
        f"""
SELECT topic_id, level, parent_id, label, summary, keywords, examples, n_texts, x, y, coalesce(size, 0) AS size,
    coalesce(n_sessions, 0) AS n_sessions, coalesce(n_users, 0) AS n_users,
    coalesce(n_negative, 0) AS n_negative, coalesce(n_neutral, 0) AS n_neutral, coalesce(n_positive, 0) AS n_positive,
    coalesce(n_of_unit / (SELECT {how_many(unit)} FROM counted_steps), 0) AS share, first_seen,
    CASE WHEN size > 0 THEN (n_now / nullif(of_now, 0)) / nullif(n_before / nullif(of_before, 0), 0) - 1 END AS change,
    starts_with(topic_id, 'd_') AS defined,
    topic_id IN (SELECT topic_id FROM edits_in_force WHERE field = {text(field)} AND action = 'pin') AS pinned
FROM of_level LEFT JOIN sizes USING (topic_id) LEFT JOIN window_sessions USING (topic_id)""",
    )
    return views


def window_views(field: str, filters: Filters, level: int, windows: tuple[Days, Days] | None) -> Views:
    """Return the view `window_sessions` of the sessions that have each topic in the two windows; None: of none."""
    # From and to have said which days count; a session that began in these counts with all that was said in it.
    views = field_views(field, replace(filters, since=None, until=None), level, "any_time_")
    if windows is None:
        windows_sql = "false, false"
    else:
        windows_sql = ", ".join(
            f"timestamp >= {time(each.since)} AND timestamp < {time(each.until)}" for each in windows
        )
    in_now, in_before = windows_sql.split(", ")
    views["began"] = (
        "sessions with whether they began in the last 7 whole days, and in the 7 before",
        f"""
SELECT session_id, {in_now} AS is_now, {in_before} AS is_before
FROM journey_steps WHERE field = {text(field)} AND place = 0""",
    )
    views["window_sessions"] = (
        "how many sessions of either window have each topic, and how many there are",
        """
WITH passing AS (SELECT step.*, is_now, is_before FROM any_time_steps AS step JOIN began USING (session_id)),
whole AS (
    SELECT count(DISTINCT session_id) FILTER (is_now) AS of_now,
        count(DISTINCT session_id) FILTER (is_before) AS of_before
    FROM passing
)
SELECT topic_id, of_now, of_before,
    count(DISTINCT session_id) FILTER (is_now) AS n_now, count(DISTINCT session_id) FILTER (is_before) AS n_before
FROM passing JOIN any_time_counted_steps AS counted USING (event_id, topic_id, session_id) CROSS JOIN whole
GROUP BY topic_id, of_now, of_before HAVING n_now + n_before > 0""",
    )
    return views


def days(which: str, unit: str = "messages") -> str:
    """Return the statement of the unit a day of the topics for which `which` holds, over the last `TREND_DAYS`."""
    return f"""
SELECT topic_id, timestamp::DATE AS date, {how_many(unit)} AS "count"
FROM counted_steps
WHERE {which}
    AND timestamp::DATE > (SELECT max(timestamp::DATE) FROM counted_steps) - {TREND_DAYS}
GROUP BY topic_id, date ORDER BY topic_id, date"""


def hidden_topics(field: str) -> str:
    """Return the statement of the topics that people have hidden."""
    return f"""
SELECT topic_id, label, size FROM listed_topics
WHERE topic_id IN (SELECT topic_id FROM hidden WHERE field = {text(field)}) ORDER BY topic_id"""


def totals(field: str, unit: str = "messages") -> str:
    """Return the statement of what the sizes of topics add up to."""
    return f"""
WITH hidden_size AS (
    SELECT coalesce(sum(size), 0) AS n FROM listed_topics
    WHERE topic_id IN (SELECT topic_id FROM hidden WHERE field = {text(field)})
)
SELECT count(*) AS n_messages, (SELECT count(*) FROM steps) - count(*) AS n_moves,
    count(*) FILTER (topic_id = 'unassigned') AS n_unassigned, (SELECT n FROM hidden_size) AS n_hidden,
    count(DISTINCT session_id) AS n_sessions, count(DISTINCT user_id) AS n_users,
    {how_many(unit)} FILTER (topic_id <> 'unassigned') AS n_with_topic
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
SELECT kind, 0, NULL, names.label, NULL, [], coalesce(
        list(words.text ORDER BY said.n DESC, said.text_id) FILTER (words.text IS NOT NULL), [])[1:5],
    count(*), NULL, NULL
FROM (
    SELECT kind, text_id, count(*) AS n FROM journey_steps WHERE field = {text(field)} GROUP BY kind, text_id
) AS said
JOIN (VALUES {names}) AS names (name, label) ON names.name = said.kind
JOIN (
    SELECT text_id, any_value(text) AS text FROM messages WHERE field = {text(field)} GROUP BY text_id
) AS words ON words.text_id = said.text_id
GROUP BY kind, names.label"""
