"""Every table of the lake: columns, types, units, key, meaning. Schemas, checks, documentation and API come from here.

All are Delta tables partitioned by `project_id` (and by `received_date` where a table is about events), so that a
project, or a day of it, is read and replaced alone. A row's meaning never depends on when it was built: times of
building stand in `builds` only, so two builds of the same input leave equal tables.

How a table is brought up to date stands in the file of `stages` that bears its name. The declarations are here, because
the API reads the tables without the stages. Each file here is of one subject.
"""

from __future__ import annotations

from turret_pipeline.lake.schema import STRINGS, TIME, VECTOR, Column, Table
from turret_pipeline.lake.tables.builds import (
    BUILDS,
    FIELD_FAILURES,
)
from turret_pipeline.lake.tables.events import (
    EVENTS,
    MESSAGES,
)
from turret_pipeline.lake.tables.fields import (
    FIELD_HISTORY,
    FIELD_OUTCOMES,
    FIELD_OVERRIDES,
    FIELD_PROFILES,
    FIELD_TOTALS,
    FIELD_TYPES,
    LEFT_OUT_FIELDS,
)
from turret_pipeline.lake.tables.journeys import (
    ANSWERS,
    FRICTION,
    JOURNEY_EDGES,
    JOURNEY_MOVES,
    JOURNEY_STEPS,
    STEP_VALUES,
)
from turret_pipeline.lake.tables.notebook import (
    ANNOTATIONS,
    SAVED_VIEWS,
    TOPIC_NOTES,
)
from turret_pipeline.lake.tables.retention import (
    REMOVALS,
    RETENTION_RULES,
)
from turret_pipeline.lake.tables.texts import (
    EMBEDDINGS,
    SHARED_FRAMES,
    TEXT_KINDS,
    TEXT_SENTIMENT,
)
from turret_pipeline.lake.tables.topics import (
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPIC_EDITS,
    TOPIC_FITS,
    TOPIC_LINEAGE,
    TOPICS,
)

__all__ = [
    "ANNOTATIONS",
    "ANSWERS",
    "BUILDS",
    "EMBEDDINGS",
    "EVENTS",
    "FIELD_FAILURES",
    "FIELD_HISTORY",
    "FIELD_OUTCOMES",
    "FIELD_OVERRIDES",
    "FIELD_PROFILES",
    "FIELD_TOTALS",
    "FIELD_TYPES",
    "FRICTION",
    "JOURNEY_EDGES",
    "JOURNEY_MOVES",
    "JOURNEY_STEPS",
    "LEFT_OUT_FIELDS",
    "MESSAGES",
    "REMOVALS",
    "RETENTION_RULES",
    "SAVED_VIEWS",
    "SHARED_FRAMES",
    "STEP_VALUES",
    "STRINGS",
    "TABLES",
    "TEXT_KINDS",
    "TEXT_SENTIMENT",
    "TIME",
    "TOPICS",
    "TOPIC_ASSIGNMENTS",
    "TOPIC_DAYS",
    "TOPIC_EDITS",
    "TOPIC_FITS",
    "TOPIC_LINEAGE",
    "TOPIC_NOTES",
    "VECTOR",
    "Column",
    "Table",
]

TABLES: dict[str, Table] = {
    each.name: each
    for each in (
        EVENTS,
        FIELD_PROFILES,
        FIELD_TOTALS,
        FIELD_TYPES,
        LEFT_OUT_FIELDS,
        FIELD_HISTORY,
        MESSAGES,
        SHARED_FRAMES,
        EMBEDDINGS,
        TEXT_KINDS,
        TEXT_SENTIMENT,
        TOPICS,
        TOPIC_ASSIGNMENTS,
        TOPIC_LINEAGE,
        TOPIC_FITS,
        JOURNEY_STEPS,
        TOPIC_DAYS,
        STEP_VALUES,
        FRICTION,
        ANSWERS,
        JOURNEY_MOVES,
        JOURNEY_EDGES,
        FIELD_OVERRIDES,
        FIELD_OUTCOMES,
        TOPIC_EDITS,
        ANNOTATIONS,
        TOPIC_NOTES,
        SAVED_VIEWS,
        RETENTION_RULES,
        REMOVALS,
        FIELD_FAILURES,
        BUILDS,
    )
}
"""Every table by name, in the order in which they are brought up to date."""
