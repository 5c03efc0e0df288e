"""Number fields beside topics and moves, as SQL: what `read.views.numbers` counts."""

from __future__ import annotations

from turret_api.read.engine.literals import text

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

_QUANTILES = ", ".join(f'quantile_cont(number, {share}) AS "quantiles.{share}"' for share in QUANTILES)
STATISTICS = f"""count(number) AS "count", count(*) - count(number) AS n_none,
    min(number) AS min, max(number) AS max, avg(number) AS mean,
    {_QUANTILES}"""
"""What is told of a column `number`."""


def edge_numbers(name: str) -> str:
    """Return the statement of what the number field comes to over the moves of each edge.

    A move has the number of the message that begins the visit moved to; one to `end`, that of the session's last.
    """
    return f"""
WITH numbered AS (
    SELECT walked_steps.*, number, lag(topic_id) OVER in_session AS before, lead(place) OVER in_session IS NULL AS last
    FROM walked_steps
    LEFT JOIN event_values ON event_values.event_id = walked_steps.event_id AND event_values.field = {text(name)}
    WINDOW in_session AS (PARTITION BY session_id ORDER BY place)
), moved AS (
    SELECT coalesce(before, 'start') AS "from", topic_id AS "to", number
    FROM numbered WHERE topic_id IS DISTINCT FROM before
    UNION ALL
    SELECT topic_id, 'end', number FROM numbered WHERE last
)
SELECT "from", "to",
    {STATISTICS}
FROM moved GROUP BY "from", "to" ORDER BY ALL"""


def number_sums(name: str) -> str:
    """Return the statement of what the number field comes to for each topic, and (`topic_id` null) in all."""
    return f"""
SELECT topic_id, coalesce(sum(number), 0) AS sum, avg(number) AS mean, median(number) AS median, count(number) AS n
FROM counted_steps AS step
LEFT JOIN event_values ON event_values.event_id = step.event_id AND event_values.field = {text(name)}
GROUP BY GROUPING SETS ((topic_id), ()) ORDER BY topic_id NULLS FIRST"""
