"""Raw parts without the events that are erased: each is written anew under its name, or goes."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import Counter
from pathlib import Path

import orjson

from turret_pipeline import failpoint
from turret_pipeline.lake import files
from turret_pipeline.lake.deletion import remove_folder
from turret_pipeline.lake.oblivion import IN_FLIGHT
from turret_pipeline.lake.parts import (
    list_all_files,
    note_of_taking_back,
    read_notes,
    read_parts,
    remove_files,
    taken_back,
    write_part,
)
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES
from turret_pipeline.stages.erasure.quoting import Quoting
from turret_pipeline.stages.erasure.together import Together

ERASED = "erased"
"""What an import's file is called once its name quotes what was erased."""

_FILE = ("turret.file", "file")
"""Keys of the name of an import's file: in the notes of its parts, and in the note that it was taken back."""


def remove_raw_events(lake: Lake, gone: Together) -> Counter[str]:
    """After this call no file of raw events has one that is erased; return how many rows went with it, by erasure."""
    n_removed: Counter[str] = Counter()
    there = {(part.received_date, part.name): part for part in list_all_files(lake, gone.project_id)}
    for file, erasures in gone.files.items():
        if (part := there.get(file)) is None:
            continue
        rows = read_parts(lake, [part]).drop("part")
        n_removed.update({each.erasure_id: each.selection.of(rows).height for each in erasures})
        stays = gone.selection.without(rows)
        if stays.is_empty():
            remove_files(lake, [part])
        elif stays.height < rows.height:
            write_part(lake, part.project_id, part.received_date, part.name, stays.sort("seq"), read_notes(lake, part))
        failpoint.reached("erasure.after_part")
    return n_removed


def remove_leftovers(lake: Lake, project_id: str) -> int:
    """After this call nothing is left of the project that was set aside, nor halves of parts; return how many went.

    A half that is younger than `IN_FLIGHT` may be on its way to be whole.
    """
    folders = [lake.project_folder(project_id)]
    folders += [f"{lake.table(name)}/{part}" for name in TABLES for part in (f"project_id={project_id}", "_delta_log")]
    n_removed = sum(remove_folder(lake, lake.aside(folder)) for folder in folders)
    long_ago = dt.datetime.now(dt.UTC).timestamp() - IN_FLIGHT.total_seconds()
    for half in Path(lake.project_folder(project_id)).rglob(".*.tmp") if lake.is_local else ():
        with contextlib.suppress(FileNotFoundError):
            if half.stat().st_mtime < long_ago:
                half.unlink()
                n_removed += 1
    return n_removed


def rename_imports(lake: Lake, gone: Together) -> int:
    """After this call no import's file bears a name that quotes what is erased; return how many did."""
    quoting, renamed = Quoting(gone), set()
    for part in list_all_files(lake, gone.project_id):
        if part.source.startswith("import-") and quoting.is_in((notes := read_notes(lake, part)).get(_FILE[0])):
            rows = read_parts(lake, [part]).drop("part")
            write_part(lake, part.project_id, part.received_date, part.name, rows, {**notes, _FILE[0]: ERASED})
            renamed.add(part.source)
    for source, content in taken_back(lake, gone.project_id).items():
        note = orjson.loads(content)
        if quoting.is_in(note.get(_FILE[1])):
            address = note_of_taking_back(lake, gone.project_id, source)
            files.write(lake, address, orjson.dumps({**note, _FILE[1]: ERASED}))
            renamed.add(source)
    return len(renamed)
