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
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import polars as pl

from turret_api.accounts.suppression import EVENT, SESSION, USER, Hasher, Suppressed, hashes_of
from turret_api.erasing.erased import Done, Erased
from turret_pipeline.lake.parts import list_all_files, read_parts
from turret_pipeline.lake.paths import Lake

NOTES_FILE, BESIDE_ARCHIVES = "erasures.ndjson", "turret-erasures.ndjson"
PLACE = "notes for restores"
PROJECT = "project"
_COLUMNS = {USER: "user_id", SESSION: "session_id", EVENT: "event_id"}
_KINDS = {column: kind for kind, column in _COLUMNS.items()}


class Note(msgspec.Struct, frozen=True):
    """One erasure.

    Args:
        at: when it was done.
        project_id: the project that it was of.
        kind: a user, a session or an event; events or texts: then the hashes are of events too; or the project.
        hashes: keyed hashes of the ids; of a project that was deleted there are none.
        secret: what tells whether a secret is the one that they are keyed with, without telling it.
        is_suppressed: whether the user is not to be recorded again.
        keeps_totals: whether the events went on to count, without texts and ids.
    """

    at: dt.datetime
    project_id: str
    kind: str
    hashes: list[str]
    secret: str
    is_suppressed: bool = False
    keeps_totals: bool = False

    def is_keyed_with(self, hasher: Hasher) -> bool:
        """Tell whether the hashes are those that `hasher` makes."""
        return self.secret == name_of(hasher)


def name_of(hasher: Hasher) -> str:
    """Return what tells one secret from another."""
    return hashlib.sha256(f"turret erasures {hasher.secret}".encode()).hexdigest()[:16]


def note_of(hasher: Hasher, erased: Erased, at: dt.datetime, suppressed: Suppressed | None = None) -> Note:
    """Return the note of an erasure. suppressed: the project's users who are not recorded; None: there are none."""
    kind, ids = (erased.kind, erased.values) if erased.kind in _COLUMNS else (EVENT, erased.event_ids)
    hashes = hashes_of(hasher, erased.project_id, kind, ids)
    is_suppressed = suppressed is not None and kind == USER and suppressed.hashes.issuperset(hashes)
    return Note(at, erased.project_id, erased.kind, hashes, name_of(hasher), is_suppressed, erased.keeps_totals)


def write_notes(notes: Sequence[Note], home: Path, archives: Iterable[Path]) -> list[Done]:
    """After this call the notes are in the home, and in each folder that has one of `archives`; raise `OSError`."""
    folders = {archive.parent for archive in archives if archive.exists()}
    for file in (home / NOTES_FILE, *(folder / BESIDE_ARCHIVES for folder in sorted(folders))):
        _append(file, notes)
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
    file = home / NOTES_FILE
    known = read_notes([file])
    if new := [note for note in notes if note not in known]:
        _append(file, new)


def found_again(lake: Lake, hasher: Hasher, notes: Iterable[Note]) -> dict[str, list[str]]:
    """Return by project the ids of the events in the lake's raw events that one of the notes is of."""
    wanted: dict[str, dict[str, set[str]]] = {}
    for note in (each for each in notes if each.kind != PROJECT):
        column = _COLUMNS.get(note.kind, _COLUMNS[EVENT])
        wanted.setdefault(note.project_id, {}).setdefault(column, set()).update(note.hashes)
    found: dict[str, list[str]] = {}
    for project_id, hashes in wanted.items():
        ids: set[str] = set()
        for part in list_all_files(lake, project_id):
            rows = read_parts(lake, [part])
            for column, of_column in hashes.items():
                kind = _KINDS[column]
                values = [each for each in rows[column].unique() if hasher.hash(project_id, kind, each) in of_column]
                ids.update(rows.filter(pl.col(column).is_in(values))["event_id"])
        if ids:
            found[project_id] = sorted(ids)
    return found


def _append(file: Path, notes: Iterable[Note]) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as stream:
        stream.write(b"".join(msgspec.json.encode(note) + b"\n" for note in notes))
        stream.flush()
        os.fsync(stream.fileno())
