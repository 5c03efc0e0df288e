"""Messages with their kinds and topics, newest first, or those most similar in meaning to a search first."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Annotated

import orjson
import polars as pl
from typing_extensions import TypedDict

from turret_api.errors import invalid
from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.literals import time
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import FieldAnswer, Meaning, Next, typed_rows
from turret_api.read.questions.of_field import TOPICS_BUILT, OfField
from turret_api.read.questions.pages import decode, encode
from turret_api.read.sql.messages import FRAMES_LEFT_OUT, asked_for, listed, said_views
from turret_api.read.views.answers import field_of_answers, messages_answered, with_answers
from turret_api.read.views.frames import SAID, with_frames
from turret_api.read.views.gone import GONE
from turret_api.read.views.messages import SOURCES, with_texts
from turret_api.read.views.sentiment import Sentiment, that_sound, with_sentiment
from turret_pipeline.lake.tables import ANSWERS, SHARED_FRAMES, TEXT_SENTIMENT

KIND = Meaning("`request`, `follow_up` (it continues a request, and has its topic), or the move of conversation it is")
SENTIMENT = Meaning("how it sounds by its words: `negative`, `positive`, or else `neutral`")

ANSWER = Meaning("what its event has in the field that holds the answers to it; null: none")
ANSWER_KIND = Meaning(
    "`refused`, `apologised` (and no more), `made_good` (it apologises and then helps) or `answered`; null: no answer"
)
REPEATED = Meaning("whether the session was given that answer before; null: no answer")


class MessageRow(TypedDict):
    """One message with its kind and topic."""

    event_id: str
    session_id: str
    user_id: str
    name: str
    timestamp: dt.datetime
    text: Annotated[str | None, Meaning("what was said; null: it is gone")]
    gone: Annotated[str | None, Meaning(GONE)]
    answer: Annotated[str | None, ANSWER]
    answer_kind: Annotated[str | None, ANSWER_KIND]
    answer_is_repeated: Annotated[bool | None, REPEATED]
    frames: Annotated[list[str], Meaning(SAID)]
    kind: Annotated[str, KIND]
    sentiment: Annotated[Sentiment, SENTIMENT]
    topic_id: Annotated[str | None, Meaning("a follow-up's is that of the request it continues; a move has none")]
    topic_label: str | None
    similarity: Annotated[
        float | None,
        Meaning(
            "cosine with the topic's centre, null where the topic is not that of the text alone; with `q`: with what "
            "is searched for"
        ),
    ]


@dataclass(frozen=True)
class Messages(FieldAnswer):
    """Messages with their topics."""

    data: list[MessageRow] = dataclasses.field(default_factory=list)
    next: Next = None
    n_close: Annotated[
        int | None,
        Meaning(
            "on the first page with `q`: messages that mean about the same (an estimate where their vectors do not fit "
            "into memory); 0: nothing close was said"
        ),
    ] = None
    n_gone: Annotated[
        int | None,
        Meaning("on the first page with `q`: messages that pass and whose texts are gone, so no search finds them"),
    ] = None


@dataclass(frozen=True)
class NewestMessages(OfField):
    """Which messages came last, of the topic, with the sentiment and answered so (None: of all, in any way)?"""

    topic_id: str | None = None
    sentiment: str | None = None
    limit: int = 50
    cursor: str | None = None
    answered: str | None = None

    tables = (*SOURCES, SHARED_FRAMES, ANSWERS, TEXT_SENTIMENT)
    built = TOPICS_BUILT
    answers = Messages

    def of_field(self, snapshot: Snapshot, field: str) -> Messages:
        """Return up to `limit` messages, newest first; raise an `ApiError` where the cursor makes no sense."""
        answered = messages_answered(snapshot, field, self.filters, self.topic_id, self.answered)
        found = that_sound(snapshot, answered, self.sentiment)
        if self.cursor is not None:
            before, event_id = _read_cursor(self.cursor)
            at = pl.col("timestamp")
            found = found.filter((at < before) | ((at == before) & (pl.col("event_id") < event_id)))
        order = ["timestamp", "event_id"]
        messages = found.top_k(self.limit + 1, by=order).sort(order, descending=True).collect()
        shown = with_sentiment(snapshot, with_texts(snapshot, field, messages.head(self.limit)))
        data = message_rows(snapshot, field, shown)
        return Messages(data, _cursor(data[-1]) if messages.height > self.limit else None)

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the messages."""
        of_answers = field_of_answers(snapshot, field)
        wanted = asked_for(self.topic_id, self.sentiment, self.answered, of_answers)
        if self.cursor is not None:
            before, event_id = _read_cursor(self.cursor)
            wanted += f" AND (timestamp, event_id) < ({time(before)}, {literal(event_id)})"
        data = f"""{listed()}
FROM told WHERE {wanted}
ORDER BY timestamp DESC, event_id DESC LIMIT {self.limit}"""
        return Queries({"data": data}, said_views(field, self.filters, self.topic_id, of_answers), FRAMES_LEFT_OUT)


def message_rows(snapshot: Snapshot, field: str, messages: pl.DataFrame) -> list[MessageRow]:
    """Return the rows of `messages` (as `with_texts` returns them), with their answers and frames."""
    return typed_rows(with_frames(snapshot, with_answers(snapshot, field, messages)), MessageRow)


def _cursor(last: MessageRow) -> str:
    return encode(orjson.dumps([last["timestamp"].isoformat(), last["event_id"]]))


def _read_cursor(cursor: str) -> tuple[dt.datetime, str]:
    try:
        at, event_id = orjson.loads(decode(cursor))
        return dt.datetime.fromisoformat(at).astimezone(dt.UTC), str(event_id)
    except (ValueError, TypeError, OverflowError):
        raise invalid("The cursor is not one that this route gave; start again without it.", field="cursor") from None
