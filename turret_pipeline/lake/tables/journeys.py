"""The way of sessions from topic to topic."""

from __future__ import annotations

import polars as pl

from turret_pipeline.lake.schema import STRINGS, TIME, Column, Table
from turret_pipeline.lake.tables.columns import FIELD, OF_EVENT, PROJECT, TEXT_ID

_EDGE = (
    Column("from_topic", pl.String, "topic_id, `start`, `unassigned` or `moves`"),
    Column("to_topic", pl.String, "topic_id, `end`, `unassigned` or `moves`"),
    Column("count", pl.Int64, "moves"),
    Column("sessions", pl.Int64, "distinct sessions that made the move"),
)

JOURNEY_STEPS = Table(
    "journey_steps",
    "One message as a step of its session, in order, with its kind and topic: what journeys are read off.",
    ("project_id", "field", "session_id", "place"),
    (
        PROJECT,
        Column("received_date", pl.Date, "UTC day of receipt of the session's first message: all its steps lie there"),
        FIELD,
        Column("session_id", pl.String, "the session"),
        Column("place", pl.Int64, "0 for the session's first message of the field, and so on"),
        *(column for column in OF_EVENT if column.name != "session_id"),
        Column("message_date", pl.Date, "UTC day of receipt of this message"),
        TEXT_ID,
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

STEP_VALUES = Table(
    "step_values",
    "What the events behind one day's steps have in one enum or number field, step after step.",
    ("project_id", "received_date", "field", "segment"),
    (
        PROJECT,
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

FRICTION = Table(
    "friction",
    "One sign that a session did not get what it asked for, at one of its steps; most steps have none.",
    ("project_id", "field", "session_id", "place", "sign"),
    (
        PROJECT,
        Column("received_date", pl.Date, "day of the session's steps, as in `journey_steps`"),
        FIELD,
        Column("session_id", pl.String, "the session"),
        Column("place", pl.Int64, "of the step in its session, from 0"),
        Column("event_id", pl.String, "the step's event"),
        Column("timestamp", TIME, "when it happened"),
        Column("topic_id", pl.String, "the step's topic in its session; null where it has none", nullable=True),
        Column(
            "sign",
            pl.String,
            "rephrased, repeated, correction, complaint, gave_up, back_and_forth or answer_repeated",
        ),
        Column("strength", pl.Float64, "how sure it is, 0 to 1"),
        Column("evidence_place", pl.Int64, "place of the earlier step that it refers to; null: none", nullable=True),
    ),
    ("project_id", "received_date"),
)

ANSWERS = Table(
    "answers",
    "One message's answer: what its event has in the field that holds the answers; a message without one has no row.",
    ("project_id", "field", "session_id", "place"),
    (
        PROJECT,
        Column("received_date", pl.Date, "day of the session's steps, as in `journey_steps`"),
        FIELD,
        Column("session_id", pl.String, "the session"),
        Column("place", pl.Int64, "of the step in its session, from 0"),
        Column("event_id", pl.String, "the step's event, which has the answer too"),
        Column("answer_field", pl.String, "the text field that the answer is in"),
        Column("text_id", pl.String, "hash of the answer, as in `messages`"),
        Column("kind", pl.String, "refused, apologised, made_good (it apologises, and helps) or answered"),
        Column("sureness", pl.Float64, "how sure the kind is, 0.5 to 1"),
        Column("is_repeated", pl.Boolean, "whether it says again what another message of the session was told before"),
    ),
    ("project_id", "received_date"),
)

JOURNEY_MOVES = Table(
    "journey_moves",
    "One kind of move of the sessions that began on one day of receipt; counts add up over days.",
    ("project_id", "received_date", "field", "from_topic", "to_topic"),
    (
        PROJECT,
        Column("received_date", pl.Date, "UTC day of receipt of the sessions' first messages"),
        FIELD,
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
        PROJECT,
        FIELD,
        *_EDGE,
        Column("probability", pl.Float64, "share of the moves out of `from_topic`, 0 to 1"),
        Column("median_gap_s", pl.Float64, "seconds between the two visits; null at start and end", nullable=True),
        Column("p25_gap_s", pl.Float64, "a quarter of the gaps is no longer; null at start and end", nullable=True),
        Column("p75_gap_s", pl.Float64, "three quarters are no longer; null at start and end", nullable=True),
        Column("p95_gap_s", pl.Float64, "nineteen of twenty are no longer; null at start and end", nullable=True),
    ),
)
