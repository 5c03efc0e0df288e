"""What people wrote down, as it is now, as SQL: what `read.views.notebook` gives."""

from __future__ import annotations

from turret_api.read.engine.queries import Views
from turret_api.read.sql.views import EDITS
from turret_pipeline.lake.tables import ANNOTATIONS, SAVED_VIEWS, TOPIC_NOTES, Table

_KEYS = {
    ANNOTATIONS.name: ("annotation_id", "text"),
    TOPIC_NOTES.name: ("note_id", "text"),
    SAVED_VIEWS.name: ("view_id", "name"),
}
"""By table: what tells its things apart, and the column that is null where one is taken away."""


def in_force_views(table: Table) -> Views:
    """Return the view `<table>_in_force`."""
    key, said = _KEYS[table.name]
    return {
        f"{table.name}_in_force": (
            "the newest row of each, unless it takes it away",
            f"""
SELECT *, min(decided_at) OVER (PARTITION BY {key}) AS written_at FROM {table.name}
QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY decided_at DESC) = 1 AND {said} IS NOT NULL""",
        )
    }


def note_views() -> Views:
    """Return the view `placed_notes`: the notes in force, each with the topic that it is on now."""
    return {
        **EDITS,
        **in_force_views(TOPIC_NOTES),
        "topic_places": (
            "the topic that has the place of each topic that there is or was; those that became nothing lack",
            """
WITH RECURSIVE became AS (
    SELECT field, from_topic, to_topic, model_version FROM topic_lineage
    WHERE from_topic <> to_topic AND (field, from_topic) NOT IN (SELECT (field, topic_id) FROM topics)
    QUALIFY row_number() OVER (PARTITION BY field, from_topic ORDER BY model_version DESC, share DESC, to_topic) = 1
), ways AS (
    (SELECT field, topic_id, topic_id AS place, -1 AS at_version FROM topics
    UNION ALL
    SELECT field, from_topic, from_topic, -1 FROM became)
    UNION ALL
    -- Fits go forward only.
    SELECT ways.field, ways.topic_id, became.to_topic, became.model_version
    FROM ways JOIN became ON became.field = ways.field AND became.from_topic = ways.place
        AND became.model_version > ways.at_version
)
SELECT ways.field, ways.topic_id, coalesce(merged.into_topic, ways.place) AS on_topic
FROM ways
JOIN topics ON topics.field = ways.field AND topics.topic_id = ways.place
LEFT JOIN merged ON merged.field = ways.field AND merged.topic_id = ways.place""",
        ),
        "placed_notes": (
            "the notes, each with the topic that it is on now",
            """
SELECT notes.*, on_topic FROM topic_notes_in_force AS notes LEFT JOIN topic_places USING (field, topic_id)""",
        ),
    }
