"""The answers beside messages: their words, what became of the request by them, and which messages were answered so.

An event's answer is what it has in the field that holds the answers. Whether there is one is told by the steps of that
field, which a build writes with those of the messages; what kind it is of, by `answers`, which it writes a moment
later: until then an answer counts as one that answers.
"""

from __future__ import annotations

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.filters import Filters
from turret_api.read.views.messages import messages_of, text_fields
from turret_api.read.views.values import compact, read_steps
from turret_pipeline.lake.tables import ANSWERS, FIELD_TYPES, JOURNEY_STEPS, MESSAGES
from turret_pipeline.semantics.answers import ANSWERED, APOLOGISED, REFUSED
from turret_pipeline.semantics.friction import answers_of
from turret_pipeline.semantics.visits import node

ANSWER_SOURCES = (ANSWERS, JOURNEY_STEPS, FIELD_TYPES, MESSAGES)

NO_ANSWER = ""
"""Topic, and kind, of the answer of a message that has none."""

REPEATED, NONE, UNSERVED = "repeated", "none", "unserved"


def field_of_answers(snapshot: Snapshot, field: str) -> str | None:
    """Return the text field that holds the answers to `field`; None: there is none, or it is not clear which."""
    return answers_of(text_fields(snapshot)).get(field)


def answers_beside(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return the answer of each step of the field, in the order of the steps.

    Columns: `answer_topic` (its node, see `semantics.visits.node`) and `answer_kind`, categorical, `NO_ANSWER` where
    there is none; `is_repeated`.
    """

    def compute() -> pl.DataFrame:
        steps = read_steps(snapshot, field, "event_id").select("event_id")
        there = read_steps(snapshot, field_of_answers(snapshot, field) or "", "event_id", "topic_id", "kind")
        topics = there.select("event_id", node().alias("answer_topic"))
        told = snapshot.scan(ANSWERS).filter(pl.col("field") == field)
        of_event = told.select("event_id", "is_repeated", answer_kind="kind").collect()
        # By event, not by place: while a build has written the steps and not yet these, a place may be another's.
        answers = topics.join(of_event, on="event_id", how="left").select(
            "event_id",
            "answer_topic",
            pl.col("answer_kind").fill_null(ANSWERED),
            pl.col("is_repeated").fill_null(False),
        )
        none = pl.DataFrame({"event_id": [None], "answer_topic": [NO_ANSWER], "answer_kind": [NO_ANSWER]})
        known = pl.concat([answers, none.with_columns(is_repeated=False)], how="vertical_relaxed")
        known = known.with_columns(compact(known[name]).alias(name) for name in ("answer_topic", "answer_kind"))
        rows = answers.select("event_id").with_row_index("row")
        row = steps.join(rows, on="event_id", how="left", maintain_order="left")["row"].fill_null(answers.height)
        return known.drop("event_id").select(pl.all().gather(row))

    return snapshot.remember(("answers", field), ANSWER_SOURCES, compute)


def is_answered(answer: str) -> pl.Expr:
    """Return whether a step (`answers_beside`) was answered so: a kind, `repeated`, `none` or `unserved`."""
    kind, repeated = pl.col("answer_kind").cast(pl.String), pl.col("is_repeated")
    if answer == UNSERVED:
        return kind.is_in([NO_ANSWER, REFUSED, APOLOGISED]) | repeated
    return repeated if answer == REPEATED else kind == (NO_ANSWER if answer == NONE else answer)


def messages_answered(
    snapshot: Snapshot, field: str, filters: Filters, topic_id: str | None, answer: str | None
) -> pl.LazyFrame:
    """Return what `messages_of` does, of the messages that were answered so (`is_answered`; None: all of them).

    Where no field holds the answers, nothing is told, and no message was answered in any way.
    """
    messages = messages_of(snapshot, field, filters, topic_id)
    if answer is None:
        return messages
    if field_of_answers(snapshot, field) is None:
        return messages.filter(pl.lit(False))
    so = answers_beside(snapshot, field).select(is_answered(answer)).to_series()
    events = read_steps(snapshot, field, "event_id").filter(so).select("event_id")
    return messages.join(events.lazy(), on="event_id", how="semi")


def with_answers(snapshot: Snapshot, field: str, messages: pl.DataFrame) -> pl.DataFrame:
    """Return `messages` in their order with `answer`, `answer_kind` and `answer_is_repeated`; null where there is none.

    messages: `event_id` and `message_date`, of one page: few.
    """
    days = pl.col("received_date").is_in(messages["message_date"].unique().implode())
    events = pl.col("event_id").is_in(messages["event_id"].implode())
    of_answers = field_of_answers(snapshot, field) or ""
    said = snapshot.scan(MESSAGES).filter(pl.col("field") == of_answers, days, events)
    told = snapshot.scan(ANSWERS).filter(pl.col("field") == field, events)
    found = (
        said.select("event_id", answer="text")
        .collect()
        .join(
            told.select("event_id", answer_kind="kind", answer_is_repeated="is_repeated").collect(),
            on="event_id",
            how="left",
        )
    )
    return messages.join(found, on="event_id", how="left", maintain_order="left")
