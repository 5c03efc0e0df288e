"""What an erasure takes away: found before anything goes, and written down, for half of it can no longer be found.

The list lies in the lake until the erasure is done, so that any host can go on with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
import orjson
import polars as pl

from turret_pipeline.lake import files, store
from turret_pipeline.lake.parts import Part, list_all_files, read_parts
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, MESSAGES
from turret_pipeline.semantics.values import text_id
from turret_pipeline.stages.erasure.selection import Selection

_TOKEN = r'"(?:[^"\\]|\\.)*"'
"""A text or a key of a JSON object, as it is written there."""


class ForgottenError(Exception):
    """What was to be erased is not known any more: the list of an erasure that was begun is not in this lake."""


class Totals(msgspec.Struct, frozen=True):
    """How much a project has in its tables."""

    events: int
    messages: int
    sessions: int
    users: int


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What one erasure takes away.

    Args:
        erasure_id: of the erasure.
        project_id: whose events they are.
        kind: one of `selection.KINDS`.
        value: what was named.
        forms: what stands for the id that was named where ids are masked.
        event_ids: of the events that go.
        user_ids, session_ids: those of them of whom no other event stays.
        texts: texts, keys and names of the events that go which no event that stays has.
        files: day and name of the files of raw events that have some.
        others: likewise of those that have other events with the same ids, which stay.
        totals: of the project, before.
    """

    erasure_id: str
    project_id: str
    kind: str
    value: str
    forms: tuple[str, ...] = ()
    event_ids: list[str]
    user_ids: list[str]
    session_ids: list[str]
    texts: list[str]
    files: list[tuple[dt.date, str]]
    others: list[tuple[dt.date, str]]
    totals: Totals

    @property
    def selection(self) -> Selection:
        """Which events it is about."""
        return Selection(self.kind, self.value, self.forms)

    @property
    def text_ids(self) -> list[str]:
        """Ids of the texts, as messages have them."""
        return [text_id(text) for text in self.texts]


def gather(lake: Lake, erasure_id: str, project_id: str, selection: Selection) -> Gathered:
    """Return what the erasure takes away, as it was found by the first call; that one writes it down.

    Call it with the project's lock. Raise `DamageError` where raw events, or their table, are damaged, and
    `ForgottenError` where nothing is named and there was no first call.
    """
    address = _address(lake, project_id, erasure_id)
    try:
        return msgspec.json.decode(files.read(lake, address), type=Gathered)
    except FileNotFoundError:
        if not selection.value:
            raise ForgottenError("what was to be erased is not known any more") from None
        found = find(lake, erasure_id, project_id, selection)
        files.write(lake, address, msgspec.json.encode(found))
        return found


def gathered(lake: Lake, erasure_id: str, project_id: str) -> Gathered | None:
    """Return what an earlier call gathered for the erasure; None: nothing, or it is done."""
    try:
        return msgspec.json.decode(files.read(lake, _address(lake, project_id, erasure_id)), type=Gathered)
    except FileNotFoundError:
        return None


def discard(lake: Lake, erasure_id: str, project_id: str) -> None:
    """After this call the list is gone."""
    files.remove(lake, _address(lake, project_id, erasure_id))


def find(lake: Lake, erasure_id: str, project_id: str, selection: Selection) -> Gathered:
    """Return what an erasure would take away; nothing is written."""
    parts = list_all_files(lake, project_id)
    lost = _of_lost_parts(lake, project_id, parts)
    goes = [selection.of(lost)]
    touched = []
    for part in parts:
        rows = selection.of(read_parts(lake, [part]).drop("part"))
        if rows.height:
            touched.append(part)
            goes.append(rows)
    gone = pl.concat([each.select("event_id", "session_id", "user_id", "name", "metadata") for each in goes])
    users, sessions, tokens = set(gone["user_id"]), set(gone["session_id"]), _tokens(gone)
    others: list[Part] = []
    places: list[Part | None] = [*parts, None] if gone.height else []
    for place in places:
        rows = lost if place is None else read_parts(lake, [place])
        stays = rows.join(selection.of(rows), on=["event_id", "seq", "received_at"], how="anti")
        users -= set(stays["user_id"])
        sessions -= set(stays["session_id"])
        tokens -= _tokens(stays, tokens)
        if place is not None and stays["event_id"].is_in(gone["event_id"].implode()).any():
            others.append(place)
    return Gathered(
        erasure_id=erasure_id,
        project_id=project_id,
        kind=selection.kind,
        value=selection.value,
        forms=selection.forms,
        event_ids=sorted(set(gone["event_id"])),
        user_ids=sorted(users),
        session_ids=sorted(sessions),
        texts=sorted(text for text in map(orjson.loads, tokens) if text),
        files=[(part.received_date, part.name) for part in touched],
        others=[(part.received_date, part.name) for part in others],
        totals=totals(lake, project_id),
    )


def totals(lake: Lake, project_id: str) -> Totals:
    """Return how much the project has in its tables now."""
    events, messages = (store.scan(lake, table, project_id) for table in (EVENTS, MESSAGES))
    counts = [pl.len(), pl.col("session_id").n_unique(), pl.col("user_id").n_unique()]
    n_events, n_sessions, n_users = events.select(*counts).collect(engine="streaming").row(0)
    return Totals(n_events, messages.select(pl.len()).collect().item(), n_sessions, n_users)


def _of_lost_parts(lake: Lake, project_id: str, parts: Iterable[Part]) -> pl.DataFrame:
    """Return the rows of `events` whose part is not there any more for no known reason."""
    there = [part.name for part in parts]
    events = store.scan(lake, EVENTS, project_id).filter(~pl.col("part").is_in(there))
    return events.select(read_parts(lake, ()).drop("part").columns).collect()


def _tokens(events: pl.DataFrame, of: set[str] | None = None) -> set[str]:
    """Return the texts, keys and names of events as JSON writes them; `of` these, if given."""
    if of is not None and not of:
        return set()
    found = events["metadata"].str.extract_all(_TOKEN).explode().drop_nulls().unique()
    names = {orjson.dumps(name).decode() for name in events["name"].unique()}
    if of is None:
        return set(found) | names
    return set(found.filter(found.is_in(pl.Series(list(of)).implode()))) | (names & of)


def _address(lake: Lake, project_id: str, erasure_id: str) -> str:
    return f"{lake.erasing_folder(project_id)}/{erasure_id}.json"
