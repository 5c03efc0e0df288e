"""Raw events as collectors append them: immutable Parquet parts under `events/project=…/date=YYYY-MM-DD/`.

A part is named after its source, so writing the same rows twice writes the same file. The date is the UTC day of
receipt, so a past day closes. A part that is visible under its final name is whole and on stable storage.

A source may be *taken back*: from the moment that a note in `events/project=…/taken-back/` names it, its parts are as
if they were not there, and their files may go one by one. A project may be *deleted*, by a note in `deleted/`, in the
same way; its id is never given again. A file whose name ends with `ASIDE` is no part: an import keeps there what
another one had brought before, and it becomes a part when that one is taken back.

    no file ──write_part──▶ part ──take_back, delete_project──▶ not there any more ──remove_files──▶ no file
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from turret_pipeline import failpoint
from turret_pipeline.lake import files, heads, objects, part_listing
from turret_pipeline.lake.files import fsync_folder, make_durable_folder
from turret_pipeline.lake.paths import PROJECT_ID, Lake, check_project_id
from turret_pipeline.lake.schema import TIME
from turret_pipeline.lake.sums import reading, seal, unseal

PART_SCHEMA = pl.Schema(
    {
        "event_id": pl.String(),
        "session_id": pl.String(),
        "user_id": pl.String(),
        "name": pl.String(),
        "timestamp": TIME,
        "received_at": TIME,
        "seq": pl.Int64(),
        "metadata": pl.String(),
    }
)
"""Columns of a part: `seq` is the order of receipt within the source, `metadata` a JSON object as text. No nulls."""

PART_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.parquet")

ASIDE = ".aside"
"""What the name of a file ends with that holds events for later, and is no part."""

_TAKEN_BACK = "taken-back"

AT_ONCE = 16
"""Parts of a lake on S3 that are read at once."""


@dataclass(frozen=True, order=True)
class Part:
    """One raw part: whose, of which day of receipt, its file name and its size in bytes."""

    project_id: str
    received_date: dt.date
    name: str
    size_bytes: int

    @property
    def source(self) -> str:
        """What wrote the part."""
        return source_of(self.name)


def source_of(name: str) -> str:
    """Return what wrote the part of this name: the name up to its last hyphen."""
    return name.rpartition("-")[0]


def write_part(
    lake: Lake,
    project_id: str,
    received_date: dt.date,
    name: str,
    events: pl.DataFrame,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Make the part `name` hold `events` (of `PART_SCHEMA`), whole and durable, whatever happened to earlier tries.

    On a local lake: a temporary file, fsync, rename, fsync of the folder; on S3 one put, which is atomic by itself.
    The same `events` and `notes` (words about the part, see `read_notes`) give the same bytes.
    """
    if not PART_NAME.fullmatch(name.removesuffix(ASIDE)):
        raise ValueError(f"{name!r} is not a part's file name")
    table = events.select(PART_SCHEMA.names()).cast(PART_SCHEMA).to_arrow(compat_level=pl.CompatLevel.oldest())
    table = table.replace_schema_metadata(dict(notes) if notes else None)
    folder = lake.events_folder(project_id, received_date)
    if not lake.is_local:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        objects.write(lake, f"{folder}/{name}", memoryview(sink.getvalue()))
        _say_there_are_others(lake, project_id, received_date)
        return
    target = Path(folder)
    make_durable_folder(target)
    temporary = target / f".{name}.tmp"
    with temporary.open("wb") as stream:
        pq.write_table(table, stream, compression="zstd")
        stream.flush()
        failpoint.reached("part.mid_file")
        os.fsync(stream.fileno())
    unseal(lake, f"{folder}/{name}")
    temporary.replace(target / name)
    failpoint.reached("part.after_rename")
    # Without this the rename, and with it the part, may be lost with the power.
    fsync_folder(target)
    seal(lake, f"{folder}/{name}")
    failpoint.reached("part.after_folder_fsync")
    _say_there_are_others(lake, project_id, received_date)


def _say_there_are_others(lake: Lake, project_id: str, *days: dt.date) -> None:
    """After this call the lake's heads say that a project has other parts (of the days) than before."""
    if not lake.is_local and any(day < part_listing.days_ago(1) for day in days):
        heads.moved(lake, f"late/{project_id}")
    heads.moved(lake, f"events/{project_id}")


def part_file(lake: Lake, part: Part) -> str:
    """Return the address of the part's file."""
    return f"{lake.events_folder(part.project_id, part.received_date)}/{part.name}"


def parts_by_day(parts: Iterable[Part]) -> dict[dt.date, list[Part]]:
    """Return the parts of one project by their day of receipt, in order."""
    found: dict[dt.date, list[Part]] = {}
    for part in sorted(parts):
        found.setdefault(part.received_date, []).append(part)
    return found


def list_parts(lake: Lake, project_id: str | None = None) -> list[Part]:
    """Return every whole part of one project (default: of all), in order, without what was taken back or deleted."""
    found = list(_local_files(lake, project_id) if lake.is_local else _files_on_s3(lake, project_id))
    gone = {(project, name.removesuffix(".json")) for project, folder, name, _ in found if folder == _TAKEN_BACK}
    deleted = deleted_projects(lake)
    parts = (each for each in _parts(found) if PART_NAME.fullmatch(each.name) and each.project_id not in deleted)
    return sorted(part for part in parts if not gone or (part.project_id, part.source) not in gone)


def list_aside(lake: Lake, project_id: str) -> list[Part]:
    """Return the files of a project that keep events for later, in order."""
    return sorted(part for part in _parts(_files(lake, project_id)) if part.name.endswith(ASIDE))


def list_all_files(lake: Lake, project_id: str) -> list[Part]:
    """Return every file of a project that holds raw events, be it a part, taken back or kept for later, in order."""
    return sorted(_parts(_files(lake, project_id)))


def list_files_of(lake: Lake, project_id: str, source: str) -> list[Part]:
    """Return every file that the source wrote, whether it was taken back or not, in order."""
    return sorted(part for part in _parts(_files(lake, project_id)) if part.source == source)


def _parts(found: Iterable[tuple[str, str, str, int]]) -> Iterator[Part]:
    for project, date, name, size in found:
        if PART_NAME.fullmatch(name.removesuffix(ASIDE)) and date.startswith("date=") and PROJECT_ID.fullmatch(project):
            yield Part(project, dt.date.fromisoformat(date.removeprefix("date=")), name, size)


def _files(lake: Lake, project_id: str | None) -> Iterator[tuple[str, str, str, int]]:
    """Yield project, folder of the day, name and size of the files in the folders of raw events."""
    filesystem, root = lake.filesystem()
    base = f"{root}/events" + (f"/project={project_id}" if project_id else "")
    for info in filesystem.get_file_info(pyarrow.fs.FileSelector(base, recursive=True, allow_not_found=True)):
        if info.type == pyarrow.fs.FileType.File:
            *_, project, date, name = info.path.split("/")
            yield project.removeprefix("project="), date, name, info.size


def _files_on_s3(lake: Lake, project_id: str | None) -> Iterator[tuple[str, str, str, int]]:
    """Yield the same, without listing again what has not changed (`lake.part_listing`)."""
    for project in [project_id] if project_id else list_projects(lake):
        yield from part_listing.files(lake, project)


def _local_files(lake: Lake, project_id: str | None) -> Iterator[tuple[str, str, str, int]]:
    """Yield the same, ten times as fast: the sensor lists all days of all projects every few seconds."""
    projects = [project_id] if project_id else list_projects(lake)
    for project in projects:
        with contextlib.suppress(FileNotFoundError), os.scandir(f"{lake.root}/events/project={project}") as days:
            for day in (each for each in days if each.is_dir()):
                with os.scandir(day.path) as inside:
                    found = [(project, day.name, each.name, each.stat().st_size) for each in inside if each.is_file()]
                yield from found


def list_projects(lake: Lake) -> list[str]:
    """Return the ids of all projects that have a folder of raw events and were not deleted, in order."""
    there = heads.remembered(lake, "events/", "projects", lambda: files.names(lake, f"{lake.root}/events"))
    names = {name.removeprefix("project=") for name in there} - deleted_projects(lake)
    return sorted(name for name in names if PROJECT_ID.fullmatch(name))


def deleted_projects(lake: Lake) -> frozenset[str]:
    """Return the ids of the projects that were deleted."""
    notes = heads.remembered(lake, "deleted", "notes", lambda: files.names(lake, lake.deleted_folder))
    return frozenset(name.removesuffix(".json") for name in notes)


def delete_project(lake: Lake, project_id: str, note: bytes) -> None:
    """After this call the project's raw events are as if they were not there, for ever; `note` says why, in JSON."""
    files.write(lake, f"{lake.deleted_folder}/{check_project_id(project_id)}.json", note)
    heads.moved(lake, "deleted")


def take_back(lake: Lake, project_id: str, source: str, note: bytes) -> None:
    """After this call the parts of the source are as if they were not there; `note` says why, in JSON."""
    files.write(lake, note_of_taking_back(lake, project_id, source), note)
    _say_there_are_others(lake, project_id)


def note_of_taking_back(lake: Lake, project_id: str, source: str) -> str:
    """Return the address of the note that says that the source is taken back."""
    return f"{lake.project_folder(project_id)}/{_TAKEN_BACK}/{source}.json"


def taken_back(lake: Lake, project_id: str) -> dict[str, bytes]:
    """Return the sources that were taken back, each with the note that says why, in order."""
    folder = f"{lake.project_folder(project_id)}/{_TAKEN_BACK}"
    found = {}
    for name in sorted(files.names(lake, folder)):
        if name.endswith(".json") and not name.startswith("."):
            found[name.removesuffix(".json")] = files.read(lake, f"{folder}/{name}")
    return found


def remove_files(lake: Lake, parts: Iterable[Part]) -> None:
    """After this call the files of `parts` are not there; any of them may be gone already."""
    touched: dict[str, list[dt.date]] = {}
    for part in parts:
        files.remove(lake, part_file(lake, part))
        unseal(lake, part_file(lake, part))
        failpoint.reached("parts.after_removal")
        touched.setdefault(part.project_id, []).append(part.received_date)
    for project_id, days in touched.items():
        _say_there_are_others(lake, project_id, *days)


def read_parts(lake: Lake, parts: Iterable[Part]) -> pl.DataFrame:
    """Return the rows of `parts` with a column `part` (file name) behind those of `PART_SCHEMA`, part after part."""
    frames = []
    for part, file in _opened(lake, parts):
        with reading(lake, part_file(lake, part)):
            frame = pl.DataFrame(pl.from_arrow(file().read())).cast(PART_SCHEMA)
        frames.append(frame.with_columns(part=pl.lit(part.name)))
    return pl.concat(frames) if frames else pl.DataFrame(schema=PART_SCHEMA | {"part": pl.String})


def read_ids(lake: Lake, parts: Iterable[Part]) -> Iterator[pl.Series]:
    """Yield the `event_id` of the rows of each of `parts`; nothing else is read."""
    for part, file in _opened(lake, parts):
        with reading(lake, part_file(lake, part)):
            ids = pl.Series("event_id", file().read(["event_id"])["event_id"]).cast(pl.String)
        yield ids


def read_again(lake: Lake, parts: Iterable[Part], event_ids: pl.Series) -> pl.DataFrame:
    """Return those rows of `parts` that have one of `event_ids`, as `read_parts` does, with their `received_date`."""
    wanted = pl.col("event_id").is_in(event_ids.unique().implode())
    day = pl.lit(None, dtype=pl.Date).alias("received_date")
    frames = [read_parts(lake, ()).with_columns(day)]
    # One part in memory at a time: few of their rows are wanted.
    frames += [
        read_parts(lake, [part]).filter(wanted).with_columns(day.fill_null(part.received_date)) for part in parts
    ]
    return pl.concat(frames)


def count_rows(lake: Lake, parts: Iterable[Part]) -> list[int]:
    """Return how many rows each of `parts` has, in order; no row is read."""
    return [footer.num_rows for footer in _footers(lake, parts)]


def read_notes(lake: Lake, part: Part) -> dict[str, str]:
    """Return the words about the part that it was written with."""
    (footer,) = _footers(lake, [part])
    notes = footer.schema.to_arrow_schema().metadata or {}
    return {key.decode(): words.decode() for key, words in notes.items()}


def _footers(lake: Lake, parts: Iterable[Part]) -> Iterator[pq.FileMetaData]:
    for part, file in _opened(lake, parts):
        with reading(lake, part_file(lake, part)):
            footer = file().metadata
        yield footer


def _opened(lake: Lake, parts: Iterable[Part]) -> Iterator[tuple[Part, Callable[[], pq.ParquetFile]]]:
    """Yield the parts with what opens the file of each, and raises what that raises.

    On S3 a part is one request, some at a time; those that were read last are kept for whoever needs them next.
    """
    if lake.is_local:
        for part in parts:
            yield part, partial(pq.ParquetFile, part_file(lake, part))
        return
    waiting = iter(parts)
    with ThreadPoolExecutor(AT_ONCE, "part") as readers:
        while some := list(itertools.islice(waiting, AT_ONCE)):
            contents = [readers.submit(objects.read_kept, lake, part_file(lake, part)) for part in some]
            for part, content in zip(some, contents, strict=True):
                yield part, partial(_from_future, content)


def _from_future(content: Future[bytes | None]) -> pq.ParquetFile:
    return pq.ParquetFile(pa.BufferReader(content.result() or b""))
