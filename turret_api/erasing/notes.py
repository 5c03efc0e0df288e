"""Notes of what was erased, by which a home that is restored from a backup knows what to erase once more.

A note names nobody: it has hashes, keyed with a secret that is in the database, and so in each backup of it. Whoever
has a backup has the events too; whoever has the notes alone has nothing. They are in the home, and beside each archive
that was written, where `turret restore` looks for them.

    {"at": "2026-11-30T08:00:00Z", "project_id": "shop", "kind": "user", "hashes": ["5f0c…"], "secret": "9a1b…"}
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from turret_api.accounts.suppression import EVENT, Hasher, hashes_of
from turret_api.erasing.erased import Done, Erased
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake

NOTES_FILE, BESIDE_ARCHIVES = "erasures.ndjson", "turret-erasures.ndjson"
PLACE = "notes for restores"
TEXTS = "texts"
_COLUMNS = {"user": "user_id", "session": "session_id", "event": "event_id"}


class Note(msgspec.Struct, frozen=True):
    """One erasure.

    Args:
        at: when it was done.
        project_id: the project that it was of.
        kind: a user, a session, an event, or texts: then the hashes are of the events that had them.
        hashes: keyed hashes of the ids.
        secret: what tells whether a secret is the one that they are keyed with, without telling it.
    """

    at: dt.datetime
    project_id: str
    kind: str
    hashes: list[str]
    secret: str

    def is_keyed_with(self, hasher: Hasher) -> bool:
        """Tell whether the hashes are those that `hasher` makes."""
        return self.secret == name_of(hasher)


class Again(msgspec.Struct, frozen=True):
    """What is to be erased once more: the ids are of one kind (user, session or event)."""

    project_id: str
    kind: str
    ids: list[str]


def name_of(hasher: Hasher) -> str:
    """Return what tells one secret from another."""
    return hashlib.sha256(f"turret erasures {hasher.secret}".encode()).hexdigest()[:16]


def note_of(hasher: Hasher, erased: Erased, at: dt.datetime) -> Note:
    """Return the note of an erasure."""
    kind, ids = (EVENT, erased.event_ids) if erased.kind == TEXTS else (erased.kind, erased.values)
    return Note(at, erased.project_id, erased.kind, hashes_of(hasher, erased.project_id, kind, ids), name_of(hasher))


def write_note(note: Note, home: Path, archives: Iterable[Path]) -> list[Done]:
    """After this call the note is in the home, and in each folder that has one of `archives`; raise `OSError`."""
    folders = {archive.parent for archive in archives if archive.exists()}
    for file in (home / NOTES_FILE, *(folder / BESIDE_ARCHIVES for folder in sorted(folders))):
        _append(file, note)
    return [Done(PLACE, "folders with archives that have a note of this erasure", len(folders))]


def read_notes(files: Iterable[Path]) -> list[Note]:
    """Return the notes in those of `files` that are there, each once, oldest first; raise `ValueError` for others."""
    found: dict[bytes, Note] = {}
    for file in files:
        if not file.exists():
            continue
        for number, line in enumerate(file.read_bytes().splitlines(), start=1):
            if not line.strip():
                continue
            try:
                found[line] = msgspec.json.decode(line, type=Note)
            except msgspec.MsgspecError as error:
                raise ValueError(f"{file}, line {number}, is no note of an erasure: {error}") from error
    return sorted(found.values(), key=lambda note: note.at)


def keep_notes(notes: Iterable[Note], home: Path) -> None:
    """After this call the home has these notes."""
    for note in notes:
        _append(home / NOTES_FILE, note)


def found_again(lake: Lake, hasher: Hasher, notes: Iterable[Note]) -> list[Again]:
    """Return what of the notes is in the lake's raw events: ids that have one of the hashes."""
    by_project: dict[str, list[Note]] = {}
    for note in notes:
        by_project.setdefault(note.project_id, []).append(note)
    return [each for project_id, mine in by_project.items() for each in _in_project(lake, hasher, project_id, mine)]


def _in_project(lake: Lake, hasher: Hasher, project_id: str, notes: list[Note]) -> Iterator[Again]:
    wanted: dict[str, set[str]] = {}
    for note in notes:
        wanted.setdefault(EVENT if note.kind == TEXTS else note.kind, set()).update(note.hashes)
    found: dict[str, set[str]] = {kind: set() for kind in wanted}
    for part in list_parts(lake, project_id):
        rows = read_parts(lake, [part])
        for kind, hashes in wanted.items():
            ids = rows[_COLUMNS[kind]].unique()
            found[kind] |= {each for each in ids if hasher.hash(project_id, kind, each) in hashes}
    yield from (Again(project_id, kind, sorted(ids)) for kind, ids in found.items() if ids)


def _append(file: Path, note: Note) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as stream:
        stream.write(msgspec.json.encode(note) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
