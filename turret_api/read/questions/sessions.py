"""One session, message by message."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from typing_extensions import TypedDict

from turret_api.errors import NotFoundError
from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import Answer, BuiltAt, Meaning, Next, typed_rows
from turret_api.read.questions.messages import ANSWER, ANSWER_KIND, KIND, REPEATED, SENTIMENT
from turret_api.read.questions.pages import Listed
from turret_api.read.sql.messages import FRAMES_LEFT_OUT, gone
from turret_api.read.sql.views import EDITS
from turret_api.read.views.answers import with_answers
from turret_api.read.views.filters import ALL_KINDS
from turret_api.read.views.frames import SAID, with_frames
from turret_api.read.views.gone import GONE
from turret_api.read.views.messages import SOURCES, choose_field, messages_of, text_fields, with_texts
from turret_api.read.views.sentiment import Sentiment, with_sentiment
from turret_pipeline.lake.tables import (
    ANSWERS,
    EVENTS,
    FRICTION,
    JOURNEY_STEPS,
    MESSAGES,
    SHARED_FRAMES,
    TEXT_SENTIMENT,
)
from turret_pipeline.semantics.friction import answers_of
from turret_pipeline.semantics.visits import ORDER


class SignOfMessage(TypedDict):
    """A sign of friction, and the earlier message that it refers to."""

    sign: str
    strength: Annotated[float, Meaning("how sure it is, 0 to 1")]
    evidence_place: Annotated[int | None, Meaning("`place` of the earlier message that it refers to; null: none")]


class SessionMessage(TypedDict):
    """One message of a session."""

    event_id: str
    user_id: str
    name: str
    timestamp: dt.datetime
    field: str
    text: Annotated[str | None, Meaning("what was said; null: it is gone")]
    gone: Annotated[str | None, Meaning(GONE)]
    answer: Annotated[str | None, ANSWER]
    answer_kind: Annotated[str | None, ANSWER_KIND]
    answer_is_repeated: Annotated[bool | None, REPEATED]
    frames: Annotated[list[str], Meaning(SAID)]
    kind: Annotated[str, KIND]
    sentiment: Annotated[Sentiment, SENTIMENT]
    topic_id: str | None
    topic_label: str | None
    similarity: float | None
    place: Annotated[int, Meaning("of the message among those of its field in the session, from 0")]
    signs: Annotated[list[SignOfMessage], Meaning("of friction: that the session did not get what it asked for")]


@dataclass(frozen=True)
class Session(Answer):
    """The messages of a session, in order."""

    session_id: str
    data: list[SessionMessage] = dataclasses.field(default_factory=list)
    n_messages: int = 0
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    built_at: BuiltAt = None
    next: Next = None


@dataclass(frozen=True)
class OneSession(Listed):
    """What was said in the session, in all text fields or in `field`?"""

    session_id: str = ""
    field: str | None = None

    tables = (*SOURCES, SHARED_FRAMES, FRICTION, ANSWERS, TEXT_SENTIMENT)
    answers = Session

    def answer(self, snapshot: Snapshot) -> Session:
        """Return a page of the session; raise `NotFoundError` if the project has no event of such a session."""
        built_at = snapshot.built_at(MESSAGES)
        messages = self._messages(snapshot)
        if messages.is_empty():
            events = snapshot.scan(EVENTS).filter(pl.col("session_id") == self.session_id)
            if events.limit(1).collect().is_empty():
                raise NotFoundError(f"There is no session {self.session_id!r}.", field="session_id")
            return Session(self.session_id, built_at=built_at)
        started_at, ended_at = messages.select(start=pl.col("timestamp").min(), end=pl.col("timestamp").max()).row(0)
        data, following = self.page(typed_rows(with_frames(snapshot, messages), SessionMessage))
        return Session(self.session_id, data, messages.height, started_at, ended_at, built_at, following)

    def queries(self, snapshot: Snapshot) -> Queries:
        """Return the SQL of the session; raise an `ApiError` if the field that is asked for is none of texts."""
        chosen = choose_field(snapshot, self.field) if self.field else None
        answers = {name: of or "" for name, of in answers_of(text_fields(snapshot)).items()}
        pairs = ", ".join(f"({literal(name)}, {literal(of)})" for name, of in {"": "", **answers}.items())
        session = literal(self.session_id)
        views = {
            **EDITS,
            "said": (
                "the session's messages in all text fields, each with its answer where another field holds it",
                f"""
SELECT step.event_id, step.user_id, step.name, step.timestamp, step.received_at, step.seq, step.field, message.text,
    {gone("message.text_id", "message.received_date", "step.field")} AS gone,
    answer.text AS answer, told.kind AS answer_kind, told.is_repeated AS answer_is_repeated,
    coalesce(step.kind, 'request') AS kind, coalesce(sound.sentiment, 'neutral') AS sentiment,
    topic.topic_id, topic.label AS topic_label,
    CASE WHEN step.topic_id = step.text_topic_id AND topic.topic_id IS NOT NULL THEN assigned.similarity END
        AS similarity, step.place
FROM journey_steps AS step
JOIN field_types ON field_types.field = step.field AND field_types.type = 'text'
JOIN messages AS message ON message.field = step.field AND message.event_id = step.event_id
LEFT JOIN merged ON merged.field = step.field AND merged.topic_id = step.topic_id
LEFT JOIN shown_topics AS topic ON topic.field = step.field AND topic.level = 0
    AND topic.topic_id = coalesce(merged.into_topic, step.topic_id)
LEFT JOIN topic_assignments AS assigned ON assigned.field = step.field AND assigned.text_id = step.text_id
LEFT JOIN (VALUES {pairs}) AS held (field, of_answers) ON held.field = step.field
LEFT JOIN messages AS answer ON answer.field = held.of_answers AND answer.event_id = step.event_id
LEFT JOIN answers AS told ON told.field = step.field AND told.event_id = answer.event_id
LEFT JOIN text_sentiment AS sound ON sound.text_id = step.text_id
WHERE step.session_id = {session}{"" if chosen is None else f" AND step.field = {literal(chosen)}"}""",
            ),
        }
        data = f"""
SELECT * EXCLUDE (received_at, seq) FROM said
ORDER BY timestamp, received_at, seq, event_id, field LIMIT {self.limit} OFFSET {self.offset}"""
        signs = f"""
SELECT field, event_id, sign, strength, evidence_place
FROM friction WHERE session_id = {session} ORDER BY field, event_id, sign"""
        totals = """
SELECT count(*) AS n_messages, min(timestamp) AS started_at, max(timestamp) AS ended_at FROM said"""
        return Queries({"data": data, "data.signs": signs, "totals": totals}, views, FRAMES_LEFT_OUT)

    def _messages(self, snapshot: Snapshot) -> pl.DataFrame:
        chosen = choose_field(snapshot, self.field) if self.field else None
        # A project may have hundreds of text fields, of which a session has few.
        of_session = pl.col("session_id") == self.session_id
        steps = snapshot.scan(JOURNEY_STEPS).filter(of_session).select("field", "event_id", "place").collect()
        there = set(steps["field"])
        frames = []
        for name in [name for name in (text_fields(snapshot) if chosen is None else [chosen]) if name in there]:
            mine = messages_of(snapshot, name, ALL_KINDS).filter(of_session).collect()
            said = with_texts(snapshot, name, mine).with_columns(field=pl.lit(name))
            frames.append(with_answers(snapshot, name, said))
        if not frames:
            return pl.DataFrame()
        order = [name for name in ORDER if name != "part"]
        ordered = with_sentiment(snapshot, pl.concat(frames).sort(*order, "field"))
        message = ["field", "event_id"]
        beside = steps.join(_signs(snapshot, self.session_id), on=message, how="left")
        beside = beside.with_columns(pl.col("signs").fill_null([]))
        return ordered.join(beside, on=message, how="left", maintain_order="left")


def _signs(snapshot: Snapshot, session_id: str) -> pl.DataFrame:
    """Return `field`, `event_id` and `signs` of the session's messages that have any."""
    rows = snapshot.scan(FRICTION).filter(pl.col("session_id") == session_id)
    signs = pl.struct("sign", "strength", "evidence_place")
    return rows.sort("sign").group_by("field", "event_id").agg(signs=signs).collect()
