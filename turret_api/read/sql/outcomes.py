"""How sessions went by an outcome, and what they came to before it, as SQL: what `views.outcomes` tells."""

from __future__ import annotations

from turret_api.read.engine.literals import text, texts
from turret_api.read.engine.queries import Views
from turret_pipeline.semantics.outcomes import Outcome


def outcome_views(field: str, outcome: Outcome) -> Views:
    """Return the view `session_outcomes`; it reads `event_values` of the outcome's field."""
    if outcome.is_number:
        value, there = "avg(sent.number)", "sent.number IS NOT NULL"
    else:
        # Of the same moment, an event without a message counts as the later.
        last = "arg_max(sent.value, (event.timestamp, step.event_id IS NULL, event.received_at, part, event.seq))"
        value, there = f"({last} IN {texts(outcome.good or ('',))})::INTEGER::DOUBLE", "true"
    return {
        "session_outcomes": (
            f"how each session went, by the values of all its events in {outcome.field!r}, and when the last was sent",
            f"""
SELECT event.session_id, max(event.timestamp) AS outcome_at, {value} AS value
FROM events AS event
JOIN event_values AS sent ON sent.event_id = event.event_id AND sent.field = {text(outcome.field)} AND {there}
LEFT JOIN journey_steps AS step ON step.field = {text(field)} AND step.event_id = event.event_id
WHERE event.session_id IN (SELECT session_id FROM journey_steps WHERE field = {text(field)})
GROUP BY event.session_id""",
        )
    }


def thing_views(field: str) -> Views:
    """Return the views of what sessions came to no later than their outcome; they read `signed_steps`."""
    return {
        "pool": (
            "the sessions that have an outcome and a message that passes",
            """
SELECT session_id, outcome_at, value FROM session_outcomes
WHERE session_id IN (SELECT session_id FROM signed_steps)""",
        ),
        "came_to": (
            "the topics, moves and signs of friction that each of them came to",
            f"""
WITH placed AS (
    SELECT *, lag(topic_id) OVER (PARTITION BY session_id ORDER BY place) AS before FROM signed_steps
), early AS (SELECT placed.* FROM placed JOIN pool USING (session_id) WHERE placed.timestamp <= pool.outcome_at)
SELECT session_id, 'topic' AS kind, topic_id, NULL AS "from", NULL AS "to", NULL AS sign
FROM early WHERE topic_id IS DISTINCT FROM before
    AND topic_id NOT IN (SELECT topic_id FROM hidden WHERE field = {text(field)})
UNION
SELECT session_id, 'move', NULL, coalesce(before, 'start'), topic_id, NULL
FROM early WHERE topic_id IS DISTINCT FROM before
UNION
SELECT session_id, 'sign', NULL, NULL, NULL, unnest(list_append(signs, 'any')) FROM early WHERE has_friction""",
        ),
    }
