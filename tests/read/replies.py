"""Replies to the messages of a small lake, with topics of their own, as the pipeline would write them."""

from __future__ import annotations

import polars as pl

from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_TYPES, JOURNEY_STEPS, MESSAGES, TOPIC_ASSIGNMENTS, TOPICS
from turret_pipeline.semantics.values import text_id
from turret_pipeline.stages import STAGE_OF
from turret_pipeline.stages.work import Work

ON_ITS_WAY, NO_REFUND = "It is on its way to you.", "I'm sorry, but I cannot give you a refund."
FAILED, FIXED = "Oops, something went wrong.", "Sorry for the wait, your card works again."
REPLIES = [ON_ITS_WAY, NO_REFUND, None, FAILED, ON_ITS_WAY, FIXED, NO_REFUND]
"""What the events are answered with, in turn; None: nothing."""

TOPIC_OF_REPLY = {ON_ITS_WAY: "r_way", NO_REFUND: "r_no", FAILED: None, FIXED: "r_card"}


def answer(lake: Lake, project_id: str) -> None:
    """After this call the events have replies, in turn, in the field `response`."""
    steps = store.read(lake, JOURNEY_STEPS, project_id).sort("session_id", "place")
    replies = [REPLIES[n % len(REPLIES)] for n in range(steps.height)]
    texts = pl.Series(replies, dtype=pl.String)
    ids = pl.Series([None if text is None else text_id(text) for text in replies], dtype=pl.String)
    topics = pl.Series([None if text is None else TOPIC_OF_REPLY[text] for text in replies], dtype=pl.String)
    said = steps.with_columns(
        text=texts, text_id=ids, topic_id=topics, text_topic_id=topics, kind=pl.lit("request"), field=pl.lit("response")
    ).filter(pl.col("text").is_not_null())
    said = said.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64).over("session_id"))
    store.append(lake, JOURNEY_STEPS, said.select(JOURNEY_STEPS.schema.names()))
    messages = said.with_columns(received_date="message_date").select(MESSAGES.schema.names())
    store.append(lake, MESSAGES, messages)
    types = store.read(lake, FIELD_TYPES, project_id).filter(pl.col("field") == "prompt")
    store.append(lake, FIELD_TYPES, types.with_columns(field=pl.lit("response"), n_events=pl.lit(1, pl.Int64)))
    known = store.read(lake, TOPICS, project_id).head(1)
    named = {"r_way": "On its way", "r_no": "No refund", "r_card": "Card again"}
    for topic_id, label in named.items():
        row = known.with_columns(
            field=pl.lit("response"),
            topic_id=pl.lit(topic_id),
            label=pl.lit(label),
            level=pl.lit(0, known.schema["level"]),
            parent_id=pl.lit(None, pl.String),
        )
        store.append(lake, TOPICS, row)
    one = store.read(lake, TOPIC_ASSIGNMENTS, project_id).head(1)
    for text, topic in TOPIC_OF_REPLY.items():
        row = one.with_columns(
            field=pl.lit("response"), text_id=pl.lit(text_id(text)), topic_id=pl.lit(topic, pl.String)
        )
        store.append(lake, TOPIC_ASSIGNMENTS, row)
    for name in ("friction", "answers"):
        STAGE_OF[name].bring(Work(lake, project_id, full_refresh=True))
