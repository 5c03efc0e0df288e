"""Steps with their signs of friction, as SQL: what `views.steps.signed_steps` gives."""

from __future__ import annotations

from turret_api.read.engine.literals import text
from turret_api.read.engine.queries import Views
from turret_api.read.sql.views import field_views
from turret_api.read.views.filters import Filters
from turret_pipeline.semantics.visits import END


def signed_views(
    field: str, filters: Filters, level: int, sign: str | None = None, *, until_outcome: bool = False
) -> Views:
    """Return the views of a field, with `signed_steps`, and the `requests` and `left_visits` that they make.

    sign: that counts alone; None: any. until_outcome: whether only messages no later than the session's outcome count;
    the view `session_outcomes` must be there then.
    """
    of_sign = "" if sign is None else f" AND sign = {text(sign)}"
    outcomes = (
        "\nJOIN session_outcomes AS went ON went.session_id = step.session_id AND step.timestamp <= went.outcome_at"
        if until_outcome
        else ""
    )
    views = field_views(field, filters, level)
    views["signed_steps"] = (
        "the messages that pass, each with the topic of its visit and its signs of friction",
        f"""
SELECT step.session_id, step.user_id, step.place, step.timestamp, step.topic_id,
    {"false" if filters.has_moves else "step.is_move"} AS is_move,
    coalesce(found.signs, []) AS signs, found.signs IS NOT NULL AS has_friction
FROM walked_steps AS step{outcomes}
LEFT JOIN (
    SELECT event_id, list(DISTINCT sign) AS signs FROM friction WHERE field = {text(field)}{of_sign} GROUP BY event_id
) AS found ON found.event_id = step.event_id""",
    )
    views["requests"] = (
        "requests: a request and the moves of conversation behind it are one, which has friction if one of them has",
        """
WITH placed AS (
    SELECT *, greatest(sum((NOT is_move)::INTEGER) OVER (PARTITION BY session_id ORDER BY place), 1) AS request
    FROM signed_steps
)
SELECT session_id, request, arg_min(user_id, place) AS user_id, arg_min(topic_id, place) AS topic_id,
    bool_or(has_friction) AS has_friction
FROM placed GROUP BY session_id, request""",
    )
    views["left_visits"] = (
        "visits with the topic that each is left for, and whether one of their messages has friction",
        f"""
WITH changes AS (
    SELECT *, topic_id IS DISTINCT FROM lag(topic_id) OVER (PARTITION BY session_id ORDER BY place) AS begins
    FROM signed_steps
), numbered AS (
    SELECT *, sum(begins::INTEGER) OVER (PARTITION BY session_id ORDER BY place) AS visit FROM changes
), whole AS (
    SELECT session_id, visit, arg_min(user_id, place) AS user_id, any_value(topic_id) AS topic_id,
        bool_or(has_friction) AS has_friction
    FROM numbered GROUP BY session_id, visit
)
SELECT session_id, user_id, topic_id AS from_topic, has_friction,
    coalesce(lead(topic_id) OVER (PARTITION BY session_id ORDER BY visit), {text(END)}) AS to_topic
FROM whole""",
    )
    return views
