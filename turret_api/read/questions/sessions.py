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
from turret_api.read.engine.question import Answer, BuiltAt, Meaning, Next, typed_rows
from turret_api.read.questions.messages import KIND
from turret_api.read.questions.pages import Listed
from turret_api.read.views.filters import ALL_KINDS
from turret_api.read.views.frames import SAID, with_frames
from turret_api.read.views.messages import SOURCES, choose_field, messages_of, text_fields, with_texts
from turret_pipeline.lake.tables import EVENTS, JOURNEY_STEPS, MESSAGES, SHARED_FRAMES
from turret_pipeline.semantics.visits import ORDER


class SessionMessage(TypedDict):
    """One message of a session."""

    event_id: str
    user_id: str
    name: str
    timestamp: dt.datetime
    field: str
    text: str
    frames: Annotated[list[str], Meaning(SAID)]
    kind: Annotated[str, KIND]
    topic_id: str | None
    topic_label: str | None
    similarity: float | None


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

    tables = (*SOURCES, SHARED_FRAMES)
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

    def _messages(self, snapshot: Snapshot) -> pl.DataFrame:
        chosen = choose_field(snapshot, self.field) if self.field else None
        # A project may have hundreds of text fields, of which a session has few.
        of_session = pl.col("session_id") == self.session_id
        said = snapshot.scan(JOURNEY_STEPS).filter(of_session).select(pl.col("field").unique())
        there = set(said.collect()["field"])
        frames = []
        for name in [name for name in (text_fields(snapshot) if chosen is None else [chosen]) if name in there]:
            mine = messages_of(snapshot, name, ALL_KINDS).filter(of_session).collect()
            frames.append(with_texts(snapshot, name, mine).with_columns(field=pl.lit(name)))
        order = [name for name in ORDER if name != "part"]
        return pl.concat(frames).sort(*order, "field") if frames else pl.DataFrame()
