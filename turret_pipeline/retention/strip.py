"""Letting events go on to count, and say no more: one project, a day of receipt after the other.

    as it was ──what is told of texts is copied to their marks──▶ ──raw parts──▶ ──tables, `events` last──▶ next day
    all days ──rows that no message has any more, sums of fields, examples──▶ ──the tables' past──▶ gone

Each step does what is left to do, and `events` tells what that is; so whatever kills it, the same call with the same
key does the rest. What is counted is the same before, in between and afterwards. Call it with the project's lock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.oblivion import forget_history
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    ANSWERS,
    EMBEDDINGS,
    EVENTS,
    FIELD_PROFILES,
    FIELD_TOTALS,
    FIELD_TYPES,
    FRICTION,
    JOURNEY_STEPS,
    MESSAGES,
    TOPICS,
)
from turret_pipeline.retention.fields import rewrite_fields
from turret_pipeline.retention.metadata import Goes
from turret_pipeline.retention.order import Note, Order, begin, end, noted
from turret_pipeline.retention.raw_parts import RawParts
from turret_pipeline.retention.rows import changed_rows, day_of, gone_texts, rewrite_day
from turret_pipeline.retention.texts import TOLD, copy_told, forget_unsaid
from turret_pipeline.semantics.gone import mark_of

REWRITTEN = (
    *(EVENTS, FIELD_PROFILES, FIELD_TOTALS, FIELD_TYPES, MESSAGES, EMBEDDINGS, TOPICS),
    *(JOURNEY_STEPS, FRICTION, ANSWERS, *TOLD),
)
"""Tables that are rewritten, and whose past is to be forgotten."""


@dataclass
class Stripped:
    """What was let go of.

    Args:
        n_events: by day of receipt, the events that lost something.
        n_messages: likewise by day and field, the messages that lost their text.
        n_texts: distinct texts that are nowhere any more.
    """

    n_events: dict[dt.date, int] = field(default_factory=dict)
    n_messages: dict[tuple[dt.date, str], int] = field(default_factory=dict)
    n_texts: int = 0

    @classmethod
    def of(cls, note: Note, n_texts: int) -> Stripped:
        """Return what went by a note, whichever calls did it."""
        days = {dt.date.fromisoformat(day): lost for day, lost in note.lost.items()}
        n_messages = {(day, name): n for day, lost in days.items() for name, n in lost.n_messages.items()}
        return cls({day: lost.n_events for day, lost in days.items()}, n_messages, n_texts)

    def n_messages_of(self, day: dt.date, name: str | None) -> int:
        """Return how many messages of a field (None: of all) lost their text on a day."""
        return sum(n for (on, of), n in self.n_messages.items() if on == day and name in (None, of))


def strip(lake: Lake, project_id: str, order: Order, note: Note, tell: Callable[[dt.date], None]) -> Stripped:
    """After this call nothing is left that the order lets go of; `tell` is told each day when it is done.

    note: of `begin`. Return what went by it, by an earlier call that was cut off too.
    """
    key = bytes.fromhex(note.key)
    days = sorted({*order.goes, *_days_of(lake, project_id, order)})
    parts = RawParts.of(lake, project_id) if days else None
    for day in days:
        assert parts is not None
        found = day_of(lake, project_id, day, order, key)
        parts.replace_aside(day, partial(_aside, day=day, order=order, key=key))
        if found.changed.is_empty():
            continue
        texts = gone_texts(lake, found, order, key)
        note.lose(day, found.changed.height, dict(texts.group_by("field").agg(pl.col("n_messages").sum()).iter_rows()))
        begin(lake, project_id, note)
        copy_told(lake, project_id, texts)
        failpoint.reached("strip.after_copies")
        parts.replace(day, found.changed)
        failpoint.reached("strip.after_parts")
        rewrite_day(lake, found, texts)
        tell(day)
    n_texts = forget_unsaid(lake, project_id)
    rewrite_fields(lake, project_id, without=kept_fields(lake, project_id))
    failpoint.reached("strip.before_oblivion")
    for table in REWRITTEN:
        forget_history(lake, table, project_id)
    return Stripped.of(note, n_texts)


def strip_events(
    lake: Lake,
    project_id: str,
    event_ids: Iterable[str],
    session_ids: Iterable[str] = (),
    user_ids: Iterable[str] = (),
    tell: Callable[[dt.date], None] = lambda day: None,
) -> Stripped:
    """After this call these events go on to count, and nothing else is left of them: no value, no text, no id.

    session_ids, user_ids: of which nothing is to be left either: those whose events are all among these. Killed, the
    next call (with whatever events), and the next run of the retention, does the rest first. Call it with the
    project's lock, and when the project's tables are up to date.
    """
    note = Note("", sorted({*event_ids}), sorted({*session_ids}), sorted({*user_ids}))
    before = noted(lake, project_id)
    finished = finish(lake, project_id, tell)
    if before is not None and before.events == note.events:
        return finished
    return _strip_noted(lake, project_id, begin(lake, project_id, note), tell)


def finish(lake: Lake, project_id: str, tell: Callable[[dt.date], None] = lambda day: None) -> Stripped:
    """After this call no order of `strip_events` is left half done."""
    note = noted(lake, project_id)
    if note is None or note.events is None:
        return Stripped()
    return _strip_noted(lake, project_id, note, tell)


def _strip_noted(lake: Lake, project_id: str, note: Note, tell: Callable[[dt.date], None]) -> Stripped:
    key = bytes.fromhex(note.key)
    # What was done before the kill bears marks: both count.
    events = pl.Series([*(note.events or ()), *(mark_of(key, each) for each in note.events or ())], dtype=pl.String)
    there = ProjectTable(lake, EVENTS, project_id).near(events).filter(pl.col("event_id").is_in(events.implode()))
    days = there.select(pl.col("received_date").unique()).collect()["received_date"].to_list()
    goes = dict.fromkeys(days, goes_of(lake, project_id, None))
    sessions, users = (pl.Series(each, dtype=pl.String) for each in (note.sessions, note.users))
    done = strip(lake, project_id, Order(goes, frozenset(days), events, sessions, users), note, tell)
    end(lake, project_id)
    return done


def goes_of(lake: Lake, project_id: str, fields: Iterable[str] | None) -> Goes:
    """Return which values go: those of `fields`; None: of all fields but choices and numbers."""
    types = store.read(lake, FIELD_TYPES, project_id, "field", "type")
    text = types.filter(pl.col("type") == "text")["field"]
    return Goes(None if fields is None else frozenset(fields), frozenset(text), kept_fields(lake, project_id))


def kept_fields(lake: Lake, project_id: str) -> frozenset[str]:
    """Return the fields whose values are counted, and stay: choices and numbers."""
    types = store.read(lake, FIELD_TYPES, project_id, "field", "type")
    return frozenset(types.filter(pl.col("type").is_in(["enum", "number"]))["field"])


def _days_of(lake: Lake, project_id: str, order: Order) -> list[dt.date]:
    """Return the days of receipt on which there is an event of a session or a user whose id becomes a mark."""
    if not order.sessions.len() and not order.users.len():
        return []
    rows = store.scan(lake, EVENTS, project_id).select("received_date", "session_id", "user_id")
    session, user = order.sessions.to_frame("session_id").lazy(), order.users.to_frame("user_id").lazy()
    of_both = [rows.join(session, on="session_id", how="semi"), rows.join(user, on="user_id", how="semi")]
    found = pl.concat([each.select("received_date") for each in of_both]).unique().collect(engine="streaming")
    return found["received_date"].to_list()


def _aside(rows: pl.DataFrame, day: dt.date, order: Order, key: bytes) -> pl.DataFrame:
    return changed_rows(rows, order.losing(day, rows["event_id"]), day, order, key)
