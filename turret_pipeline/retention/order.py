"""What is to go, and the note in the lake that says so until it is gone.

The note bears the key of the marks. A run that was killed is finished with the same key, or one session could end up
under two marks; with the note the key goes, and from then on no mark can be traced.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import polars as pl

from turret_pipeline.lake import files
from turret_pipeline.lake.paths import Lake
from turret_pipeline.retention.metadata import Goes

KEY_BYTES = 32


@dataclass(frozen=True)
class Order:
    """What is to go from one project's events.

    Args:
        goes: by day of receipt which values go.
        whole: the days of receipt whose events lose their ids too.
        events: the ids of the events of these days that lose anything; None: all.
        sessions: the ids of sessions that become marks, wherever they are.
        users: those of users.
    """

    goes: Mapping[dt.date, Goes]
    whole: frozenset[dt.date]
    events: pl.Series | None
    sessions: pl.Series
    users: pl.Series

    def losing(self, day: dt.date, event_ids: pl.Series) -> pl.Series:
        """Return whether each event of the day loses values."""
        if day in self.goes and self.events is not None:
            return event_ids.is_in(self.events.implode())
        return pl.Series([day in self.goes], dtype=pl.Boolean).new_from_index(0, event_ids.len())


class Lost(msgspec.Struct):
    """What a day of receipt loses: how many events lose something, and by field how many messages their text."""

    n_events: int
    n_messages: dict[str, int]


class Note(msgspec.Struct, omit_defaults=True):
    """What is being done: the key of the marks, and of an order that does not follow from rules, what it names.

    since: when it was begun. lost: by day (ISO 8601) what goes, written down before it goes: a run that finishes
    another one cannot count what is gone.
    """

    key: str
    events: list[str] | None = None
    sessions: list[str] = []
    users: list[str] = []
    since: dt.datetime | None = None
    lost: dict[str, Lost] = {}

    def lose(self, day: dt.date, n_events: int, n_messages: Mapping[str, int]) -> None:
        """After this call the note has what a day loses, and no less than it had before."""
        before = self.lost.get(day.isoformat(), Lost(0, {}))
        fields = {*before.n_messages, *n_messages}
        most = {name: max(before.n_messages.get(name, 0), n_messages.get(name, 0)) for name in sorted(fields)}
        self.lost[day.isoformat()] = Lost(max(before.n_events, n_events), most)


def _address(lake: Lake, project_id: str) -> str:
    return f"{lake.project_folder(project_id)}/stripping/run.json"


def noted(lake: Lake, project_id: str) -> Note | None:
    """Return the note of a run that is not finished; None: there is none."""
    try:
        return msgspec.json.decode(files.read(lake, _address(lake, project_id)), type=Note)
    except FileNotFoundError:
        return None


def begin(lake: Lake, project_id: str, note: Note | None = None) -> Note:
    """After this call the lake has the note; a new one (default: of what follows from rules) gets a key."""
    found = note or Note("")
    found.key = found.key or secrets.token_hex(KEY_BYTES)
    files.write(lake, _address(lake, project_id), msgspec.json.encode(found))
    return found


def end(lake: Lake, project_id: str) -> None:
    """After this call there is no note, and no key."""
    files.remove(lake, _address(lake, project_id))
