"""What waits to be built, and since when: as the pipeline last saw it, and what came since.

The pipeline leaves what it saw in one small file, `waiting.json`, at each look. To tell how long events have waited
takes neither Dagster nor a database: the file is read, and if it is old, for whatever reason (the sensor fails, the
daemon is dead, a host is lost), also the parts that came after it.

    {"at": 1760000000.0, "waiting": {"shop": {"topics": [1759999000.0, 123, 1759999500.0]}}}

Per project and table: since when it waits, the fingerprint of what it was last made from (null: of nothing), and since
when that has been so. Times are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import pyarrow.fs

from turret_pipeline.lake import files, store
from turret_pipeline.lake.parts import PART_NAME, deleted_projects, list_parts, list_projects
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import BUILDS

OLD_S = 60.0
"""Age of the pipeline's last look past which parts are looked at; it looks every few seconds."""


class Wait(msgspec.Struct, array_like=True, frozen=True):
    """One table of one project that is not up to date."""

    since: float
    made_from: int | None
    made_at: float


class Seen(msgspec.Struct, frozen=True):
    """What the pipeline saw at one look: when that was, and by project and table what waits."""

    at: float
    waiting: dict[str, dict[str, Wait]] = {}


@dataclass(frozen=True)
class Waiting:
    """Since when events of a project wait, in seconds since 1970, and the first table that lacks them."""

    since: float
    table: str


def follow(before: Seen | None, pending: Mapping[str, Mapping[str, int | None]], now: float) -> Seen:
    """Return what is seen `now`, after what was seen `before`.

    A table that is not up to date waits from when it was first seen so. When it is made anew and is still not up to
    date, because more came meanwhile, then whatever came before it was made anew the time before is in it: a project's
    builds follow one another.

    pending: by project the tables that are not up to date, each with the fingerprint of what it was last made from.
    """
    waiting: dict[str, dict[str, Wait]] = {}
    for project, tables in pending.items():
        known = {} if before is None else before.waiting.get(project, {})
        found = {}
        for table, made_from in tables.items():
            wait = known.get(table, Wait(now, made_from, now))
            found[table] = wait if wait.made_from == made_from else Wait(max(wait.since, wait.made_at), made_from, now)
        if found:
            waiting[project] = found
    return Seen(now, waiting)


def write(lake: Lake, seen: Seen) -> None:
    """After this call every reader finds `seen`."""
    files.write(lake, lake.waiting_file, msgspec.json.encode(seen))


def read(lake: Lake) -> Seen | None:
    """Return what the pipeline saw at its last look; None if it never looked, or what it left cannot be read."""
    try:
        return msgspec.json.decode(files.read(lake, lake.waiting_file), type=Seen)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def waiting_projects(lake: Lake, now: float, project_id: str | None = None) -> dict[str, Waiting]:
    """Return what waits at the time `now`, by project (of one project, default: of all)."""
    seen = read(lake)
    deleted = deleted_projects(lake)
    found: dict[str, Waiting] = {}
    for project, tables in ({} if seen is None else seen.waiting).items():
        if project not in deleted and project_id in (None, project):
            table = min(tables, key=lambda name: tables[name].since)
            found[project] = Waiting(tables[table].since, table)
    if seen is not None and now - seen.at < OLD_S:
        return found
    for project in list_projects(lake) if project_id is None else [project_id]:
        if project not in deleted:
            after = seen.at if seen is not None else _built_at(lake, project)
            came = _first_part(lake, project, after)
            if came is not None and (project not in found or came < found[project].since):
                found[project] = Waiting(came, "events")
    return found


def _built_at(lake: Lake, project: str) -> float:
    """Return when a table of the project was last built; 0 if none ever was."""
    newest = store.read(lake, BUILDS, project, "built_at")["built_at"].max()
    return 0.0 if newest is None else float(newest.timestamp())  # type: ignore[union-attr]


def _first_part(lake: Lake, project: str, after: float) -> float | None:
    """Return when the first of the project's parts that came after a time came."""
    filesystem, root = lake.filesystem()
    folder = f"{root}{lake.project_folder(project).removeprefix(lake.root)}"
    selector = pyarrow.fs.FileSelector(folder, recursive=True, allow_not_found=True)
    parts = (info for info in filesystem.get_file_info(selector) if PART_NAME.fullmatch(info.base_name))
    return min((part.mtime_ns / 1e9 for part in parts if part.mtime_ns / 1e9 > after), default=None)


def newest_part(lake: Lake, project_id: str) -> float | None:
    """Return when the newest part of the project came, in seconds since 1970; None: it has none.

    Parts of the newest day of receipt are looked at: a part of an earlier day is of events that were received then.
    """
    parts = list_parts(lake, project_id)
    if not parts:
        return None
    day = max(part.received_date for part in parts)
    filesystem, root = lake.filesystem()
    folder = f"{root}{lake.events_folder(project_id, day).removeprefix(lake.root)}"
    selector = pyarrow.fs.FileSelector(folder, allow_not_found=True)
    found = (info for info in filesystem.get_file_info(selector) if PART_NAME.fullmatch(info.base_name))
    return max((part.mtime_ns / 1e9 for part in found), default=None)
