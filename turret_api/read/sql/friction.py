"""Steps with their signs of friction, as SQL: what `views.steps.signed_steps` gives."""

from __future__ import annotations

from turret_api.read.engine.literals import text
from turret_api.read.engine.queries import Views
from turret_api.read.sql.views import field_views
from turret_api.read.views.filters import Filters


def signed_views(field: str, filters: Filters, level: int) -> Views:
    """Return the views of a field, with `signed_steps`."""
    views = field_views(field, filters, level)
    views["signed_steps"] = (
        "the messages that pass, each with the topic of its visit and its signs of friction",
        f"""
SELECT step.session_id, step.place, step.timestamp, step.topic_id,
    {"false" if filters.has_moves else "step.is_move"} AS is_move,
    coalesce(found.signs, []) AS signs, found.signs IS NOT NULL AS has_friction
FROM walked_steps AS step
LEFT JOIN (
    SELECT event_id, list(DISTINCT sign) AS signs FROM friction WHERE field = {text(field)} GROUP BY event_id
) AS found ON found.event_id = step.event_id""",
    )
    return views
