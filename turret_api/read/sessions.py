"""One session, message by message."""

from __future__ import annotations

from typing import Any

import polars as pl

from turret_api.errors import NotFoundError
from turret_api.read.filters import Filters
from turret_api.read.messages import messages_of, text_fields, topics_of
from turret_api.read.snapshot import Snapshot
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.semantics.visits import ORDER

COLUMNS = ("event_id", "user_id", "name", "timestamp", "field", "text", "topic_id", "topic_label", "similarity")


def one_session(snapshot: Snapshot, session_id: str, field: str | None) -> dict[str, Any]:
    """Return the session's messages in order, of all text fields or of `field`.

    Raise `NotFoundError` if the project has no event of such a session.
    """
    frames = []
    for name in [field] if field is not None else text_fields(snapshot):
        labels = topics_of(snapshot, name).select("topic_id", topic_label="label").lazy()
        mine = messages_of(snapshot, name, Filters()).filter(pl.col("session_id") == session_id)
        frames.append(mine.join(labels, on="topic_id", how="left"))
    order = [name for name in ORDER if name != "part"]
    messages = pl.concat(frames).sort(*order, "field").collect() if frames else pl.DataFrame()
    if messages.is_empty():
        events = snapshot.scan(EVENTS).filter(pl.col("session_id") == session_id)
        if events.limit(1).collect().is_empty():
            raise NotFoundError(f"There is no session {session_id!r}.", field="session_id")
        return {"session_id": session_id, "data": [], "n_messages": 0, "started_at": None, "ended_at": None}
    return {
        "session_id": session_id,
        "data": messages.select(COLUMNS).to_dicts(),
        "n_messages": messages.height,
        "started_at": messages["timestamp"].min(),
        "ended_at": messages["timestamp"].max(),
    }
