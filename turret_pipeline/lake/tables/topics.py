"""Topics: what they are, which texts have them, what fits and people made of them, and how often they come up."""

from __future__ import annotations

import polars as pl

from turret_pipeline.lake.schema import STRINGS, TIME, VECTOR, Column, Table
from turret_pipeline.lake.tables.columns import FIELD, PROJECT, TEXT_ID

TOPICS = Table(
    "topics",
    "One topic, or one theme over topics, of a text field.",
    ("project_id", "field", "topic_id"),
    (
        PROJECT,
        FIELD,
        Column("topic_id", pl.String, "keeps its meaning over every rebuild"),
        Column("level", pl.Int64, "0: topic; 1: theme, a group of topics"),
        Column("parent_id", pl.String, "the theme that a topic belongs to", nullable=True),
        Column("label", pl.String, "short name, unique in the field"),
        Column("summary", pl.String, "a sentence on what its messages ask or say; null for a theme", nullable=True),
        Column("keywords", STRINGS, "words that set it apart, strongest first"),
        Column("examples", STRINGS, "typical messages, most typical first"),
        Column("n_messages", pl.Int64, "messages whose own text had it at the fit; `topic_days` has what pages count"),
        Column("n_texts", pl.Int64, "distinct texts that have it"),
        Column("x", pl.Float64, "place on the topic map"),
        Column("y", pl.Float64, "place on the topic map"),
        Column("centroid", VECTOR, "mean direction of its texts (of a defined topic: its examples), of unit length"),
        Column("radius", pl.Float64, "least cosine at which a new text is assigned to it (a defined topic: closeness)"),
        Column("model_version", pl.Int64, "number of the fit that made it, 1 for the first"),
        Column("fitted_texts", pl.Int64, "distinct texts of the field at that fit"),
    ),
    is_kept=True,
)

TOPIC_ASSIGNMENTS = Table(
    "topic_assignments",
    "The topic of one distinct text of a text field.",
    ("project_id", "field", "text_id"),
    (
        PROJECT,
        FIELD,
        TEXT_ID,
        Column("topic_id", pl.String, "its topic; null where it has none", nullable=True),
        Column("similarity", pl.Float64, "cosine of the text and the topic's centroid, -1 to 1", nullable=True),
        Column("x", pl.Float32, "place of the text on the topic map; null where it has none", nullable=True),
        Column("y", pl.Float32, "place of the text on the topic map; null where it has none", nullable=True),
        Column("model_version", pl.Int64, "number of the fit that the assignment was made with"),
        Column(
            "found_topic_id", pl.String, "found topic of a text that a defined topic took; null: none", nullable=True
        ),
    ),
    is_kept=True,
)

TOPIC_LINEAGE = Table(
    "topic_lineage",
    "What became of one topic, or what one came from, at one fit: births, ends, splits, merges, and what carried on.",
    ("project_id", "field", "model_version", "kind", "from_topic", "to_topic"),
    (
        PROJECT,
        FIELD,
        Column("model_version", pl.Int64, "number of the fit at which it happened"),
        Column("kind", pl.String, "carry, birth, end, split (off `from_topic`) or merge (into `to_topic`)"),
        Column("from_topic", pl.String, "topic before the fit; null at a birth", nullable=True),
        Column("to_topic", pl.String, "topic after the fit; null at an end", nullable=True),
        Column("from_label", pl.String, "its label then", nullable=True),
        Column("to_label", pl.String, "its label then", nullable=True),
        Column("n_texts", pl.Int64, "distinct texts that went this way; at a birth or end: all that the topic had"),
        Column(
            "share", pl.Float64, "of the texts of `from_topic`; at a birth, of `to_topic` that had no topic; 0 to 1"
        ),
    ),
    is_kept=True,
)

TOPIC_FITS = Table(
    "topic_fits",
    "One fit of a field's topics: why it was made, what it found, and how far it moved what there was.",
    ("project_id", "field", "model_version"),
    (
        PROJECT,
        FIELD,
        Column("model_version", pl.Int64, "number of the fit, 1 for the first"),
        Column("reason", pl.String, "why it was made, in words"),
        Column("seen_until", TIME, "time of receipt of the newest message it knew", nullable=True),
        Column("n_texts", pl.Int64, "distinct texts of the field"),
        Column("n_topics", pl.Int64, "topics found"),
        Column("coverage", pl.Float64, "share of the messages that have a topic, 0 to 1", nullable=True),
        Column("mean_similarity", pl.Float64, "of the texts that have a topic, to its centroid", nullable=True),
        Column("sd_similarity", pl.Float64, "standard deviation of the same", nullable=True),
        Column("changed", pl.Float64, "share of the messages known before whose topic is another now", nullable=True),
        Column("ari", pl.Float64, "adjusted Rand index of both, over these messages", nullable=True),
        Column("kept_ids", pl.Float64, "share of the topics before that there are still", nullable=True),
    ),
    is_kept=True,
)

TOPIC_DAYS = Table(
    "topic_days",
    "How often one topic came up on one day, in the sessions that began on one day of receipt: counts that add up.",
    ("project_id", "received_date", "field", "date", "topic_id"),
    (
        PROJECT,
        Column("received_date", pl.Date, "UTC day of receipt of the sessions' first messages"),
        FIELD,
        Column("date", pl.Date, "UTC day on which the messages were sent"),
        Column("topic_id", pl.String, "the topic, `unassigned`, or the kind of messages that are moves"),
        Column("n_messages", pl.Int64, "messages"),
        Column("n_negative", pl.Int64, "of the messages, those that sound negative (see `text_sentiment`)"),
        Column("n_positive", pl.Int64, "of the messages, those that sound positive"),
        Column("n_sessions", pl.Int64, "distinct sessions among them"),
        Column("first_at", TIME, "the earliest of them"),
    ),
    ("project_id", "received_date"),
)

TOPIC_EDITS = Table(
    "topic_edits",
    "One edit: what a person changed about a topic; the latest of its kind counts, through every refit.",
    ("project_id", "field", "topic_id", "action", "decided_at"),
    (
        PROJECT,
        FIELD,
        Column("topic_id", pl.String, "the topic that it is about"),
        Column("action", pl.String, "rename, merge, hide, pin or define"),
        Column(
            "value",
            pl.String,
            "label; topic it is merged into; `true`; definition, as JSON; null takes it back",
            nullable=True,
        ),
        Column("decided_at", TIME, "when"),
    ),
    is_kept=True,
)
