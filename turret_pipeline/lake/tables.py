"""Every table of the lake: columns, types, units, key, meaning. Schemas, checks, documentation and API come from here.

All are Delta tables partitioned by `project_id` (and by `received_date` where a table is about events), so that a
project, or a day of it, is read and replaced alone. A row's meaning never depends on when it was built: times of
building stand in `builds` only, so two builds of the same input leave equal tables.

How a table is brought up to date stands in the file of `stages` that bears its name. The declarations are here, because
the API reads the tables without the stages.
"""

from __future__ import annotations

import polars as pl

from turret_pipeline.lake.schema import STRINGS as STRINGS
from turret_pipeline.lake.schema import TIME as TIME
from turret_pipeline.lake.schema import VECTOR as VECTOR
from turret_pipeline.lake.schema import Column as Column
from turret_pipeline.lake.schema import Table as Table

_PROJECT = Column("project_id", pl.String, "the tenant")
_DATE = Column("received_date", pl.Date, "UTC day of receipt")
_FIELD = Column("field", pl.String, "key of the event's metadata")
_EVENT = (
    Column("event_id", pl.String, "the event's id, unique in its project"),
    Column("session_id", pl.String, "the session the event belongs to"),
    Column("user_id", pl.String, "who did it"),
    Column("name", pl.String, "the event's name"),
    Column("timestamp", TIME, "when it happened"),
    Column("received_at", TIME, "when the collector took it"),
    Column("seq", pl.Int64, "order of receipt within its part"),
)
_EDGE = (
    Column("from_topic", pl.String, "topic_id, `start`, `unassigned` or `moves`"),
    Column("to_topic", pl.String, "topic_id, `end`, `unassigned` or `moves`"),
    Column("count", pl.Int64, "moves"),
    Column("sessions", pl.Int64, "distinct sessions that made the move"),
)
_TEXT_ID = Column("text_id", pl.String, "hash of the text: 32 hexadecimal digits of BLAKE2b")

EVENTS = Table(
    "events",
    "One accepted event, once, whatever number of times it was sent.",
    ("project_id", "event_id"),
    (
        _PROJECT,
        _DATE,
        *_EVENT,
        Column("metadata", pl.String, "the event's metadata, a JSON object"),
        Column("part", pl.String, "file name of the raw part it came in"),
    ),
    ("project_id", "received_date"),
)

FIELD_PROFILES = Table(
    "field_profiles",
    "What one field held in the events of one month that were received on one day: counts that add up.",
    ("project_id", "received_date", "month", "field"),
    (
        _PROJECT,
        _DATE,
        Column("month", pl.Date, "first day of the month in which the events happened (UTC)"),
        _FIELD,
        Column("n_events", pl.Int64, "events that have the field"),
        Column("n_values", pl.Int64, "of them, with a value that is neither null nor blank"),
        Column("evidence", pl.String, "mergeable counts, a JSON object; see `analysis.fields.detect`"),
    ),
    ("project_id", "received_date"),
)

FIELD_TOTALS = Table(
    "field_totals",
    "What one field held on all days of receipt but the newest: the sum of `field_profiles`.",
    ("project_id", "field"),
    (_PROJECT, _FIELD, Column("evidence", pl.String, "mergeable counts, a JSON object; see `analysis.fields.detect`")),
    made_with="field_types",
)

FIELD_TYPES = Table(
    "field_types",
    "One metadata field with the type that its values show, or that a person chose.",
    ("project_id", "field"),
    (
        _PROJECT,
        _FIELD,
        Column("type", pl.String, "text, enum, number or other: what is in force"),
        Column("detected_type", pl.String, "text, enum, number or other: what the values show"),
        Column("overridden", pl.Boolean, "whether a person chose `type`"),
        Column("confidence", pl.Float64, "of `detected_type`, 0 to 1"),
        Column("reason", pl.String, "why, in words"),
        Column("n_events", pl.Int64, "events that have the field"),
        Column("n_null", pl.Int64, "of them, with the value null"),
        Column("n_distinct", pl.Int64, "distinct values (an estimate past some thousands)"),
        Column("summary", pl.String, "examples; or values with counts; or min, max, mean, quantiles: a JSON object"),
        Column("seen_to", pl.Date, "last day whose events the type was judged by"),
    ),
)

LEFT_OUT_FIELDS = Table(
    "left_out_fields",
    "How many fields of a project have no type, because it has more than Turret tells apart; no row: all have one.",
    ("project_id",),
    (
        _PROJECT,
        Column("most", pl.Int64, "fields that have a type"),
        Column("n_fields", pl.Int64, "fields that have none, at least"),
        Column("examples", pl.String, "names of some of these, in most events first: a JSON list"),
    ),
    made_with="field_types",
)

FIELD_HISTORY = Table(
    "field_history",
    "One type that a field's values came to show; what people chose stands in `field_overrides`.",
    ("project_id", "field", "n"),
    (
        _PROJECT,
        _FIELD,
        Column("n", pl.Int64, "1 for the first type that was found, and so on"),
        Column("type", pl.String, "text, enum, number or other: what the values show from then on"),
        Column("seen_to", pl.Date, "last day whose events it was judged by"),
        Column("confidence", pl.Float64, "of `type`, 0 to 1"),
        Column("reason", pl.String, "why, in words"),
    ),
    made_with="field_types",
)

MESSAGES = Table(
    "messages",
    "One message: the value of a text field in one event.",
    ("project_id", "field", "event_id"),
    (_PROJECT, _DATE, _FIELD, *_EVENT, _TEXT_ID, Column("text", pl.String, "the message, as it was sent")),
    ("project_id", "received_date"),
)

SHARED_FRAMES = Table(
    "shared_frames",
    "One long passage that many of a project's texts share word for word, and that they are read without.",
    ("project_id", "text"),
    (
        _PROJECT,
        Column("text", pl.String, "the passage"),
        Column("n_texts", pl.Int64, "distinct texts that say something beside it, of those that were looked through"),
    ),
)

EMBEDDINGS = Table(
    "embeddings",
    "One distinct text with its vector, embedded once per model.",
    ("project_id", "model", "text_id"),
    (
        _PROJECT,
        Column("model", pl.String, "name and revision of the embedding model"),
        _TEXT_ID,
        Column("text", pl.String, "what was embedded: the text, of a long one what it asks"),
        Column("vector", VECTOR, "its embedding, float32, of unit length"),
        Column("quantized", pl.Binary, "the vector for search: a byte a component, the largest scaled to 127"),
    ),
)

TEXT_KINDS = Table(
    "text_kinds",
    "What one distinct text is by itself: whether it is a move of conversation, and how much it says.",
    ("project_id", "model", "text_id"),
    (
        _PROJECT,
        Column("model", pl.String, "name and revision of the embedding model that it was told by"),
        _TEXT_ID,
        Column(
            "move",
            pl.String,
            "greeting, thanks, yes, no, continue, correction, complaint, goodbye or other; null: none of these",
            nullable=True,
        ),
        Column("sureness", pl.Float32, "how sure `move` is, 0 to 1"),
        Column("weight", pl.Float32, "how much the text says without what was said before it, 0 to 1"),
    ),
)

TOPICS = Table(
    "topics",
    "One topic, or one theme over topics, of a text field.",
    ("project_id", "field", "topic_id"),
    (
        _PROJECT,
        _FIELD,
        Column("topic_id", pl.String, "keeps its meaning over every rebuild"),
        Column("level", pl.Int64, "0: topic; 1: theme, a group of topics"),
        Column("parent_id", pl.String, "the theme that a topic belongs to", nullable=True),
        Column("label", pl.String, "short name, unique in the field"),
        Column("summary", pl.String, "a sentence on what its messages ask or say; null for a theme", nullable=True),
        Column("keywords", STRINGS, "words that set it apart, strongest first"),
        Column("examples", STRINGS, "typical messages, most typical first"),
        Column("n_messages", pl.Int64, "messages that have it when the row was written"),
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
        _PROJECT,
        _FIELD,
        _TEXT_ID,
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
        _PROJECT,
        _FIELD,
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
        _PROJECT,
        _FIELD,
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

JOURNEY_STEPS = Table(
    "journey_steps",
    "One message as a step of its session, in order, with its kind and topic: what journeys are read off.",
    ("project_id", "field", "session_id", "place"),
    (
        _PROJECT,
        Column("received_date", pl.Date, "UTC day of receipt of the session's first message: all its steps lie there"),
        _FIELD,
        Column("session_id", pl.String, "the session"),
        Column("place", pl.Int64, "0 for the session's first message of the field, and so on"),
        *(column for column in _EVENT if column.name != "session_id"),
        Column("message_date", pl.Date, "UTC day of receipt of this message"),
        _TEXT_ID,
        Column(
            "topic_id",
            pl.String,
            "its topic in its session: a follow-up's is that of the request it continues; null where it has none",
            nullable=True,
        ),
        Column(
            "kind",
            pl.String,
            "request, follow_up or a move of conversation (see `text_kinds`); null: from before there were kinds",
            nullable=True,
        ),
        Column("text_topic_id", pl.String, "topic that the text alone has; null where it has none", nullable=True),
    ),
    ("project_id", "received_date"),
)

TOPIC_DAYS = Table(
    "topic_days",
    "How often one topic came up on one day, in the sessions that began on one day of receipt: counts that add up.",
    ("project_id", "received_date", "field", "date", "topic_id"),
    (
        _PROJECT,
        Column("received_date", pl.Date, "UTC day of receipt of the sessions' first messages"),
        _FIELD,
        Column("date", pl.Date, "UTC day on which the messages were sent"),
        Column("topic_id", pl.String, "the topic, `unassigned`, or the kind of messages that are moves"),
        Column("n_messages", pl.Int64, "messages"),
        Column("n_sessions", pl.Int64, "distinct sessions among them"),
        Column("first_at", TIME, "the earliest of them"),
    ),
    ("project_id", "received_date"),
)

STEP_VALUES = Table(
    "step_values",
    "What the events behind one day's steps have in one enum or number field, step after step.",
    ("project_id", "received_date", "field", "segment"),
    (
        _PROJECT,
        Column("received_date", pl.Date, "day of the steps, as in `journey_steps`"),
        Column("field", pl.String, "text field of the steps"),
        Column("segment", pl.String, "enum or number field that the values are of"),
        Column("values", STRINGS, "its distinct values, in their one spelling and in order"),
        Column("numbers", pl.List(pl.Float64), "the number that each of `values` says; null where it says none"),
        Column("places", pl.List(pl.Int32), "for each step, in order, where in `values` (from 0) its own is; -1: none"),
        Column("order", pl.Int64, "fingerprint of the steps in their order"),
    ),
    ("project_id", "received_date"),
    group_rows=1,
)

JOURNEY_MOVES = Table(
    "journey_moves",
    "One kind of move of the sessions that began on one day of receipt; counts add up over days.",
    ("project_id", "received_date", "field", "from_topic", "to_topic"),
    (
        _PROJECT,
        Column("received_date", pl.Date, "UTC day of receipt of the sessions' first messages"),
        _FIELD,
        *_EDGE,
        Column("gaps_s", pl.List(pl.Float64), "seconds between the two visits, in order of size; none at both ends"),
    ),
    ("project_id", "received_date"),
)

JOURNEY_EDGES = Table(
    "journey_edges",
    "One kind of move of sessions from topic to topic in a text field, over all time.",
    ("project_id", "field", "from_topic", "to_topic"),
    (
        _PROJECT,
        _FIELD,
        *_EDGE,
        Column("probability", pl.Float64, "share of the moves out of `from_topic`, 0 to 1"),
        Column("median_gap_s", pl.Float64, "seconds between the two visits; null at start and end", nullable=True),
        Column("p25_gap_s", pl.Float64, "a quarter of the gaps is no longer; null at start and end", nullable=True),
        Column("p75_gap_s", pl.Float64, "three quarters are no longer; null at start and end", nullable=True),
        Column("p95_gap_s", pl.Float64, "nineteen of twenty are no longer; null at start and end", nullable=True),
    ),
)

FIELD_OVERRIDES = Table(
    "field_overrides",
    "One override: the type that a person chose for a field; the latest counts.",
    ("project_id", "field", "decided_at"),
    (
        _PROJECT,
        _FIELD,
        Column("decided_at", TIME, "when"),
        Column("type", pl.String, "text, enum or number; null takes the override back", nullable=True),
    ),
    is_kept=True,
)

TOPIC_EDITS = Table(
    "topic_edits",
    "One edit: what a person changed about a topic; the latest of its kind counts, through every refit.",
    ("project_id", "field", "topic_id", "action", "decided_at"),
    (
        _PROJECT,
        _FIELD,
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

FIELD_FAILURES = Table(
    "field_failures",
    "One field that a table could not be brought up to date for, while all else was; gone once it can be.",
    ("project_id", "table", "field", "received_date"),
    (
        _PROJECT,
        Column("table", pl.String, "name of the table"),
        _FIELD,
        Column("received_date", pl.Date, "UTC day of receipt that it failed on; null: all", nullable=True),
        Column("reason", pl.String, "what went wrong, in words"),
        Column("n_messages", pl.Int64, "messages that the field had at the last try; 0 where they do not matter"),
        Column("tried_with", pl.String, "fingerprint of the method and settings of the last try"),
    ),
    made_with="field_failures",
)

BUILDS = Table(
    "builds",
    "One table brought up to date for one project (and one day, where that is done by day).",
    ("project_id", "stage", "received_date", "built_at"),
    (
        _PROJECT,
        Column("stage", pl.String, "name of the table"),
        Column("received_date", pl.Date, "UTC day of receipt; null where the whole project was", nullable=True),
        Column("built_at", TIME, "when that was finished"),
        Column("inputs", pl.String, "fingerprint of what the rows were made from"),
        Column("n_rows", pl.Int64, "rows that were added or replaced"),
        Column("seconds", pl.Float64, "how long it took"),
    ),
    log_kept_h=1,
    made_with="builds",
)

TABLES: dict[str, Table] = {each.name: each for each in list(globals().values()) if isinstance(each, Table)}
"""Every table by name, in the order of the declarations, in which they are brought up to date too."""
