"""A note in a lake on S3 that everything was up to date, so that a build without news need not look at each table.

The note names the state of the heads that it was found at, and what the tables were made with. While both are the same
nothing has changed; for the sake of what moves no head (see `lake.heads`) a note is good for `GOOD_S`. A local lake has
none: there, to look is cheap.
"""

from __future__ import annotations

import time

import msgspec

from turret_pipeline.lake import files
from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.paths import Lake

GOOD_S = 600.0
"""Age in seconds past which a note is not believed."""


class _Note(msgspec.Struct, frozen=True):
    heads: int
    made_with: int
    at: float
    projects: tuple[str, ...]


def say_current(lake: Lake, made_with: int, projects: list[str]) -> None:
    """After this call others know that all `projects` that there are were up to date at the look that `lake` bears."""
    if lake.look is not None:
        note = _Note(_heads_of(lake), made_with, time.time(), tuple(projects))
        files.write(lake, lake.current_file, msgspec.json.encode(note))


def current_projects(lake: Lake, made_with: int) -> tuple[str, ...] | None:
    """Return all projects, where all are up to date at the look that `lake` bears; None: that is not known."""
    if lake.look is None:
        return None
    try:
        note = msgspec.json.decode(files.read(lake, lake.current_file), type=_Note)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    is_good = (note.heads, note.made_with) == (_heads_of(lake), made_with) and 0 <= time.time() - note.at < GOOD_S
    return note.projects if is_good else None


def _heads_of(lake: Lake) -> int:
    assert lake.look is not None
    # That parts were listed changes nothing.
    return fingerprint(sorted(each for each in lake.look.tags.items() if not each[0].startswith("listed/")))
