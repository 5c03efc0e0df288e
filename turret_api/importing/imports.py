"""Which imports there are: each by its id, the name that its parts begin with, with the time at which it began.

An import of an earlier version of Turret named its parts so too, but not its file, and kept nothing aside: then
`file` is None.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass

import orjson

from turret_pipeline.lake.parts import (
    ASIDE,
    count_rows,
    list_aside,
    list_parts,
    list_projects,
    read_notes,
    taken_back,
)
from turret_pipeline.lake.paths import Lake

FILE = "turret.file"
"""Key of a part's note with the name of the file that was imported."""

IN_LAKE, TAKEN_BACK = "in the lake", "taken back"
"""The states of an import."""

_ID = re.compile(r"import-(\d{1,18})")


@dataclass(frozen=True)
class Import:
    """One import.

    Args:
        import_id: by which it is taken back.
        project_id: the project that it went into.
        imported_at: when it began, UTC.
        file: name of its file, None if that is not known.
        events: events that are in the lake because of it.
        aside: events of its file that another import had brought before.
        state: `IN_LAKE` or `TAKEN_BACK`; then `events` and `aside` are what there was.
    """

    import_id: str
    project_id: str
    imported_at: dt.datetime
    file: str | None
    events: int
    aside: int
    state: str = IN_LAKE


def id_of_import(received_us: int) -> str:
    """Return the id of the import that began at this time, in microseconds since 1970."""
    return f"import-{received_us}"


def is_import(source: str) -> bool:
    """Tell whether the source of a part is an import, and no collector."""
    return _ID.fullmatch(source) is not None


def find_imports(lake: Lake, projects: Collection[str] | None = None) -> list[Import]:
    """Return the imports into `projects` (default: into all), those that were taken back too, oldest first."""
    found = []
    for project_id in list_projects(lake) if projects is None else projects:
        gone = {name: orjson.loads(note) for name, note in taken_back(lake, project_id).items()}
        files = [part for part in list_parts(lake, project_id) if is_import(part.source)]
        files += [part for part in list_aside(lake, project_id) if part.source not in gone]
        for source in dict.fromkeys(part.source for part in files):
            mine = [part for part in files if part.source == source]
            counts = dict(zip(mine, count_rows(lake, mine), strict=True))
            aside = sum(n for part, n in counts.items() if part.name.endswith(ASIDE))
            events, file = sum(counts.values()) - aside, read_notes(lake, mine[0]).get(FILE)
            found.append(Import(source, project_id, _time_of(source), file, events, aside))
        for source, note in gone.items():
            counts_then = (note["file"], note["events"], note["aside"])
            found.append(Import(source, project_id, _time_of(source), *counts_then, state=TAKEN_BACK))
    return sorted(found, key=lambda each: (each.imported_at, each.project_id))


def _time_of(import_id: str) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=int(import_id.removeprefix("import-")))
