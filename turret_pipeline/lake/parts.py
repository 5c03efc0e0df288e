"""Raw events as collectors append them: immutable Parquet parts under `events/project=…/date=YYYY-MM-DD/`.

A part is named after its source, so writing the same rows twice writes the same file. The date is the UTC day of
receipt, so a past day closes. A part that is visible under its final name is whole and on stable storage.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from turret_pipeline import failpoint
from turret_pipeline.lake.files import fsync_folder, make_durable_folder
from turret_pipeline.lake.paths import PROJECT_ID, Lake
from turret_pipeline.lake.schema import TIME

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


@dataclass(frozen=True, order=True)
class Part:
    """One raw part: whose, of which day of receipt, its file name and its size in bytes."""

    project_id: str
    received_date: dt.date
    name: str
    size_bytes: int


def write_part(lake: Lake, project_id: str, received_date: dt.date, name: str, events: pl.DataFrame) -> None:
    """Make the part `name` hold `events` (of `PART_SCHEMA`), whole and durable, whatever happened to earlier tries.

    On a local lake: a temporary file, fsync, rename, fsync of the folder; on S3 one put, which is atomic by itself.
    The same `events` give the same bytes.
    """
    if not PART_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a part's file name")
    table = events.select(PART_SCHEMA.names()).cast(PART_SCHEMA).to_arrow(compat_level=pl.CompatLevel.oldest())
    folder = lake.events_folder(project_id, received_date)
    if not lake.is_local:
        filesystem, root = lake.filesystem()
        path = f"{root}{folder.removeprefix(lake.root)}/{name}"
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        with filesystem.open_output_stream(path) as stream:
            stream.write(sink.getvalue())
        return
    target = Path(folder)
    make_durable_folder(target)
    temporary = target / f".{name}.tmp"
    with temporary.open("wb") as stream:
        pq.write_table(table, stream, compression="zstd")
        stream.flush()
        failpoint.reached("part.mid_file")
        os.fsync(stream.fileno())
    temporary.replace(target / name)
    failpoint.reached("part.after_rename")
    # Without this the rename, and with it the part, may be lost with the power.
    fsync_folder(target)
    failpoint.reached("part.after_folder_fsync")


def parts_by_day(parts: Iterable[Part]) -> dict[dt.date, list[Part]]:
    """Return the parts of one project by their day of receipt, in order."""
    found: dict[dt.date, list[Part]] = {}
    for part in sorted(parts):
        found.setdefault(part.received_date, []).append(part)
    return found


def list_parts(lake: Lake, project_id: str | None = None) -> list[Part]:
    """Return every whole part of one project (default: of all), in order."""
    found = _local_files(lake, project_id) if lake.is_local else _files(lake, project_id)
    return sorted(
        Part(project, dt.date.fromisoformat(date.removeprefix("date=")), name, size)
        for project, date, name, size in found
        if PART_NAME.fullmatch(name) and date.startswith("date=") and PROJECT_ID.fullmatch(project)
    )


def _files(lake: Lake, project_id: str | None) -> Iterator[tuple[str, str, str, int]]:
    """Yield project, folder of the day, name and size of the files in the folders of raw events."""
    filesystem, root = lake.filesystem()
    base = f"{root}/events" + (f"/project={project_id}" if project_id else "")
    for info in filesystem.get_file_info(pyarrow.fs.FileSelector(base, recursive=True, allow_not_found=True)):
        if info.type == pyarrow.fs.FileType.File:
            *_, project, date, name = info.path.split("/")
            yield project.removeprefix("project="), date, name, info.size


def _local_files(lake: Lake, project_id: str | None) -> Iterator[tuple[str, str, str, int]]:
    """Yield the same, ten times as fast: the sensor lists all days of all projects every few seconds."""
    projects = [project_id] if project_id else list_projects(lake)
    for project in projects:
        with contextlib.suppress(FileNotFoundError), os.scandir(f"{lake.root}/events/project={project}") as days:
            for day in (each for each in days if each.is_dir()):
                with os.scandir(day.path) as files:
                    found = [(project, day.name, each.name, each.stat().st_size) for each in files if each.is_file()]
                yield from found


def list_projects(lake: Lake) -> list[str]:
    """Return the ids of all projects that have a folder of raw events, in order."""
    filesystem, root = lake.filesystem()
    selector = pyarrow.fs.FileSelector(f"{root}/events", allow_not_found=True)
    names = (info.base_name.removeprefix("project=") for info in filesystem.get_file_info(selector))
    return sorted(name for name in names if PROJECT_ID.fullmatch(name))


def read_parts(lake: Lake, parts: Iterable[Part]) -> pl.DataFrame:
    """Return the rows of `parts` with a column `part` (file name) behind those of `PART_SCHEMA`, part after part."""
    filesystem, root = lake.filesystem()
    frames = []
    for part in parts:
        folder = lake.events_folder(part.project_id, part.received_date).removeprefix(lake.root)
        table = pq.read_table(f"{root}{folder}/{part.name}", filesystem=filesystem, partitioning=None)
        frame = pl.DataFrame(pl.from_arrow(table)).cast(PART_SCHEMA)
        frames.append(frame.with_columns(part=pl.lit(part.name)))
    return pl.concat(frames) if frames else pl.DataFrame(schema=PART_SCHEMA | {"part": pl.String})


def count_rows(lake: Lake, parts: Iterable[Part]) -> list[int]:
    """Return how many rows each of `parts` has, in order; no row is read."""
    filesystem, root = lake.filesystem()
    counts = []
    for part in parts:
        folder = lake.events_folder(part.project_id, part.received_date).removeprefix(lake.root)
        counts.append(pq.read_metadata(f"{root}{folder}/{part.name}", filesystem=filesystem).num_rows)
    return counts
