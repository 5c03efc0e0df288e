"""How many users come back, by topic and period, as SQL: what `questions.journeys.retention` counts."""

from __future__ import annotations

from turret_api.read.engine.literals import text
from turret_api.read.engine.queries import Views

MONDAY = "DATE '1969-12-29'"
"""Periods are counted from this day on."""

LEFT_OUT = "Left out: the intervals of shares, which are Wilson's for independent users."


def retention_views(topic: str | None, n_days: int, n_periods: int, newest: int) -> Views:
    """Return the views `beginnings` and `retained`; they read `counted_steps`.

    topic: that users begin with; None: with that of their first message. n_days: of a period. newest: the last day,
    counted from `MONDAY`, which may not be over.
    """
    first = "(timestamp, session_id, place)"
    of_topic = (
        f"SELECT arg_min(topic_id, {first}), user_id, arg_min(period, {first}) FROM dated GROUP BY user_id"
        if topic is None
        else f"SELECT {text(topic)}, user_id, min(period) FROM dated WHERE topic_id = {text(topic)} GROUP BY user_id"
    )
    return {
        "dated": (
            f"the messages that count with their period of {n_days} days",
            f"""
SELECT user_id, session_id, place, timestamp, topic_id, (timestamp::DATE - {MONDAY}) // {n_days} AS period
FROM counted_steps""",
        ),
        "beginnings": (
            "the period in which each user began, with any message (topic_id null), and with a topic",
            f"""
SELECT NULL::VARCHAR AS topic_id, user_id, min(period) AS began FROM dated GROUP BY user_id
UNION ALL
{of_topic}""",
        ),
        "retained": (
            "by topic and period of the beginning, the users of whom the k-th period after it is over: all, those who "
            "came back in it, and those who came back with the topic",
            f"""
SELECT began.topic_id, began, k, count(*) AS n_users, count(back.user_id) AS n_back, count(same.user_id) AS n_same
FROM beginnings AS began
JOIN (SELECT unnest(range({n_periods + 1})) AS k) AS ks ON k = 0 OR (began + k + 1) * {n_days} <= {newest}
LEFT JOIN (SELECT DISTINCT user_id, period FROM dated) AS back
    ON back.user_id = began.user_id AND back.period = began + k
LEFT JOIN (SELECT DISTINCT user_id, topic_id, period FROM dated) AS same
    ON same.user_id = began.user_id AND same.period = began + k AND same.topic_id = began.topic_id
GROUP BY began.topic_id, began, k""",
        ),
    }


def retention_parts(field: str, topic: str | None, n_days: int, limit: int) -> dict[str, str]:
    """Return the statements of retention by topic, of all, and by period of the beginning."""
    hidden = f"SELECT topic_id FROM hidden WHERE field = {text(field)}"
    shown = f"topic_id NOT IN ({hidden})" if topic is None else "true"
    is_shown = "topic_id IS NULL" if topic is None else "topic_id IS NOT NULL"
    n_same = "NULL" if topic is None else "n_same"
    return {
        "data": f"""
SELECT topic_id, coalesce(any_value(label), topic_id) AS label, sum(n_users)::BIGINT AS n_users
FROM retained LEFT JOIN labels USING (topic_id)
WHERE k = 0 AND topic_id IS NOT NULL AND {shown} GROUP BY topic_id ORDER BY n_users DESC, topic_id LIMIT {limit}""",
        "data.periods": f"""
SELECT topic_id, k AS period, sum(n_users)::BIGINT AS n_users, sum(n_back)::BIGINT AS n_back,
    sum(n_back) / sum(n_users) AS share, sum(n_same)::BIGINT AS n_same, sum(n_same) / sum(n_users) AS share_same
FROM retained WHERE k > 0 AND topic_id IS NOT NULL AND {shown} GROUP BY topic_id, k ORDER BY topic_id, k""",
        "all": """
SELECT k AS period, sum(n_users)::BIGINT AS n_users, sum(n_back)::BIGINT AS n_back,
    sum(n_back) / sum(n_users) AS share
FROM retained WHERE k > 0 AND topic_id IS NULL GROUP BY k ORDER BY k""",
        "starts": f"""
SELECT {MONDAY} + (began * {n_days})::INTEGER AS start, k AS period, n_users, n_back, {n_same} AS n_same
FROM retained WHERE {is_shown} ORDER BY start, k""",
        "totals": """
SELECT coalesce(sum(n_users), 0)::BIGINT AS n_users FROM retained WHERE k = 0 AND topic_id IS NULL""",
    }
