"""What an erasure takes away: found before anything goes, and written down, for half of it can no longer be found.

The list lies in the lake until the erasure is done, so that any host can go on with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import msgspec
import orjson
import polars as pl

from turret_pipeline.lake import files, store
from turret_pipeline.lake.parts import Part, list_all_files, read_parts
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, MESSAGES
from turret_pipeline.semantics.selection import Selection, Selections
from turret_pipeline.semantics.values import text_id

_TOKEN = r'"(?:[^"\\]|\\.)*"'
"""A text or a key of a JSON object, as it is written there."""
_LOOKED_AT = ("event_id", "session_id", "user_id", "name", "metadata")
"""Columns of which the lists are made."""


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


def gather(lake: Lake, project_id: str, wanted: Mapping[str, Selection]) -> list[Gathered]:
    """Return what each erasure takes away, as it was found by the first call for it; that one writes it down.

    wanted: by `erasure_id`, what was named; where nothing is, and there was no first call, it is left out: what was to
    be erased is not known any more. Call it with the project's lock. Raise `DamageError` where raw events, or their
    table, are damaged.
    """
    known = {each: found for each in wanted if (found := gathered(lake, each, project_id)) is not None}
    new = {each: selection for each, selection in wanted.items() if each not in known and selection.value}
    for found in find(lake, project_id, new, known.values()) if new else ():
        files.write(lake, _address(lake, project_id, found.erasure_id), msgspec.json.encode(found))
        known[found.erasure_id] = found
    return [known[each] for each in wanted if each in known]


def gathered(lake: Lake, erasure_id: str, project_id: str) -> Gathered | None:
    """Return what an earlier call gathered for the erasure; None: nothing, or it is done."""
    try:
        return msgspec.json.decode(files.read(lake, _address(lake, project_id, erasure_id)), type=Gathered)
    except FileNotFoundError:
        return None


def discard(lake: Lake, erasure_id: str, project_id: str) -> None:
    """After this call the list is gone."""
    files.remove(lake, _address(lake, project_id, erasure_id))


def find(
    lake: Lake, project_id: str, wanted: Mapping[str, Selection], others: Iterable[Gathered] = ()
) -> list[Gathered]:
    """Return what erasures would take away that go together, each what its own selection is about; nothing is written.

    A text that only events of two of them have goes with both. wanted: by `erasure_id`. others: what goes as well.
    """
    parts = list_all_files(lake, project_id)
    lost = _of_lost_parts(lake, project_id, parts)
    mine = Selections(wanted.values())
    all_that_go = Selections([*wanted.values(), *(each.selection for each in others)])
    goes = []
    for number, part in enumerate([*parts, None]):
        rows = mine.of(lost if part is None else read_parts(lake, [part]))
        goes.append(rows.select(*_LOOKED_AT, place=pl.lit(number)))
    gone = pl.concat(goes)
    users, sessions, tokens = set(gone["user_id"]), set(gone["session_id"]), _tokens(gone)
    again: dict[int, set[str]] = {}
    for number, part in enumerate([*parts, None] if gone.height else []):
        stays = all_that_go.without(lost if part is None else read_parts(lake, [part]))
        users -= set(stays["user_id"])
        sessions -= set(stays["session_id"])
        tokens -= _tokens(stays, tokens)
        if part is not None:
            again[number] = set(stays["event_id"].filter(stays["event_id"].is_in(gone["event_id"].implode())))
    before = totals(lake, project_id)
    found = []
    for erasure_id, selection in wanted.items():
        own = selection.of(gone)
        event_ids, places = set(own["event_id"]), set(own["place"])
        found.append(
            Gathered(
                erasure_id=erasure_id,
                project_id=project_id,
                kind=selection.kind,
                value=selection.value,
                forms=selection.forms,
                event_ids=sorted(event_ids),
                user_ids=sorted(users & set(own["user_id"])),
                session_ids=sorted(sessions & set(own["session_id"])),
                texts=sorted(text for text in map(orjson.loads, tokens & _tokens(own)) if text),
                files=[(part.received_date, part.name) for number, part in enumerate(parts) if number in places],
                others=[
                    (part.received_date, part.name)
                    for number, part in enumerate(parts)
                    if not event_ids.isdisjoint(again.get(number, ()))
                ],
                totals=before,
            )
        )
    return found


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
