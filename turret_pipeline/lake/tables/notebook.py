"""What people write down: of dates, of topics, and the views that they want to find again.

These are tables of the lake and not of the accounts: so a backup, an export and SQL have them beside what they are
about, the deletion of a project takes them along, and an upgrade adds columns to them as to any table that is kept.
Each row is one decision, as in `topic_edits`; the latest of an id counts, and one without words takes it away.
"""

from __future__ import annotations

import polars as pl

from turret_pipeline.lake.schema import TIME, Column, Table
from turret_pipeline.lake.tables.columns import FIELD, PROJECT

_DECIDED_AT = Column("decided_at", TIME, "when")
_AUTHOR = Column("author", pl.String, "name of the key with which it was written; null: it had none", nullable=True)

ANNOTATIONS = Table(
    "annotations",
    "What a person says of a date, a release or a campaign; the latest row of its id counts.",
    ("project_id", "annotation_id", "decided_at"),
    (
        PROJECT,
        Column("annotation_id", pl.String, "the annotation"),
        _DECIDED_AT,
        Column("date", pl.Date, "the day (UTC), or the first of several"),
        Column("until", pl.Date, "the last of several days, included; null: one day", nullable=True),
        Column("kind", pl.String, "release: it begins a version of the app; null: anything else", nullable=True),
        Column("text", pl.String, "what happened; null: the annotation is taken away", nullable=True),
        _AUTHOR,
    ),
    is_kept=True,
)

TOPIC_NOTES = Table(
    "topic_notes",
    "What a person noted on a topic; the latest row of its id counts.",
    ("project_id", "field", "note_id", "decided_at"),
    (
        PROJECT,
        FIELD,
        Column("note_id", pl.String, "the note"),
        _DECIDED_AT,
        Column("topic_id", pl.String, "the topic or theme that it was written on"),
        Column("text", pl.String, "the note; null: it is taken away", nullable=True),
        _AUTHOR,
    ),
    is_kept=True,
)

SAVED_VIEWS = Table(
    "saved_views",
    "A page of the dashboard that a person saved under a name; the latest row of its id counts.",
    ("project_id", "view_id", "decided_at"),
    (
        PROJECT,
        Column("view_id", pl.String, "the view"),
        _DECIDED_AT,
        Column("name", pl.String, "unique in the project; null: the view is taken away", nullable=True),
        Column("address", pl.String, "the page's path and query: `/topics?from=2026-03-01`"),
        _AUTHOR,
    ),
    is_kept=True,
)
