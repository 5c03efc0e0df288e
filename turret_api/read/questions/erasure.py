"""What an erasure would take away, counted before it is asked for.

It counts in the table of events, so it needs no pipeline. What was received and is not in the table yet goes too, but
is not counted here.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import Answer, BuiltAt, Question
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.semantics.selection import KINDS, Selection

_COUNTED = ("session_id", "user_id", "timestamp")


@dataclass(frozen=True)
class WouldGo(Answer):
    """Events that would go, the sessions and users that have some of them, and the times of the first and the last."""

    n_events: int = 0
    n_sessions: int = 0
    n_users: int = 0
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    built_at: BuiltAt = None


@dataclass(frozen=True)
class EventsThatWouldGo(Question):
    """How many events is an erasure about?

    selection: not in the question's `repr`, for logs quote it.
    """

    selection: Selection = field(repr=False)

    tables = (EVENTS,)
    answers = WouldGo

    def answer(self, snapshot: Snapshot) -> WouldGo:
        """Return the counts."""
        sessions, users, times = (pl.col(name) for name in _COUNTED)
        counted = self._events(snapshot).select(
            pl.len(), sessions.n_unique(), users.n_unique(), times.min().alias("first"), times.max().alias("last")
        )
        n_events, n_sessions, n_users, first, last = counted.collect(engine="streaming").row(0)
        return WouldGo(n_events, n_sessions, n_users, first, last, snapshot.built_at(EVENTS))

    def _events(self, snapshot: Snapshot) -> pl.LazyFrame:
        wanted = self.selection
        if wanted.kind != "texts":
            is_wanted = pl.col(KINDS[wanted.kind]).is_in(wanted.named)
            return snapshot.scan(EVENTS).filter(is_wanted).select(_COUNTED)
        # File after file: all events with their texts may be more than fits.
        lake, found = snapshot.library.lake, [EVENTS.empty().select(_COUNTED)]
        for file in snapshot.files(EVENTS):
            events = store.scan_files(lake, EVENTS, [file]).select(*_COUNTED, "metadata").collect()
            found.append(wanted.of(events).select(_COUNTED))
        return pl.concat(found).lazy()
