"""Taking an import back: the raw events are as if it had never been, and the next build brings the tables there.

    in the lake ──what others had in common with it becomes theirs──▶ the same, some events twice in the parts
                ──the note that it is taken back, one file──▶ taken back ──its files go──▶ nothing is left of it

Before the note nothing has changed that a build would show; from it on everything has. So whatever kills the undo, the
import is there whole or not at all, and the same call again does the rest.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import orjson
import polars as pl

from turret_api.importing.imports import FILE, IN_LAKE, Import
from turret_pipeline import failpoint
from turret_pipeline.lake.parts import (
    ASIDE,
    list_aside,
    list_files_of,
    read_ids,
    read_notes,
    read_parts,
    remove_files,
    take_back,
    taken_back,
    write_part,
)
from turret_pipeline.lake.paths import Lake


@dataclass(frozen=True)
class Undone:
    """What taking an import back did.

    Args:
        events: events that were in the lake because of it.
        kept: of these, events that stay, by the id of the import that brought them too.
        removed_files: files that went.
    """

    events: int
    kept: dict[str, int]
    removed_files: int


def undo_import(lake: Lake, found: Import) -> Undone:
    """After this call nothing is left of the import but the note that it was taken back.

    Call it with the project's lock and while no import into the project runs: files go that both read.

    found: as it is in the lake now.
    """
    files = list_files_of(lake, found.project_id, found.import_id)
    kept: dict[str, int] = {}
    if found.state == IN_LAKE:
        kept = _hand_over(lake, found)
        failpoint.reached("undo.after_hand_over")
        now = dt.datetime.now(dt.UTC).isoformat()
        note = {"taken_back_at": now, "file": found.file, "events": found.events, "aside": found.aside}
        take_back(lake, found.project_id, found.import_id, orjson.dumps(note))
        failpoint.reached("undo.after_note")
    remove_files(lake, files)
    return Undone(found.events, kept, len(files))


def _hand_over(lake: Lake, found: Import) -> dict[str, int]:
    """Make parts of what other imports keep aside of its events; return how many these are, by the import.

    Done again, it writes the same files.
    """
    gone = {*taken_back(lake, found.project_id), found.import_id}
    others = [file for file in list_aside(lake, found.project_id) if file.source not in gone]
    if not others:
        return {}
    parts = [file for file in list_files_of(lake, found.project_id, found.import_id) if not file.name.endswith(ASIDE)]
    ids = pl.concat([pl.Series("event_id", [], pl.String), *read_ids(lake, parts)]).unique().implode()
    kept: dict[str, int] = {}
    for aside in others:
        rows = read_parts(lake, [aside]).filter(pl.col("event_id").is_in(ids)).drop("part")
        if rows.height:
            stem = aside.name.removesuffix(ASIDE).removesuffix(".parquet")
            name = f"{stem}.{found.import_id.removeprefix('import-')}.parquet"
            notes = {FILE: read_notes(lake, aside)[FILE]}
            write_part(lake, found.project_id, aside.received_date, name, rows, notes)
            kept[aside.source] = kept.get(aside.source, 0) + rows.height
    return kept
