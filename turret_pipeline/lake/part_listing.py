"""The files of raw events on S3, of which there are ever more, without listing all of them again and again.

A listing is a request for each thousand files, and a collector makes thousands a day. Days that are over stay as they
are, but for what comes late, and then the project's head `late/<project>` moves (`lake.heads`). So what was listed of
them is good while that head stays: in a process, and for others in a note beside the events, `listed/parts.parquet`,
which whoever has listed them leaves where there are many.

    nothing known ── note for the same head, not old ──▶ known ── days from `since` on ──▶ all files
         └── no note, or another head, or old ── all are listed, and noted ──▶ known
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq

from turret_pipeline.lake import heads, objects
from turret_pipeline.lake.paths import Lake

File = tuple[str, str, str, int]
"""Project, folder in the project's, name and size in bytes of a file."""

LATE_S = 3600.0
"""Seconds after which all are listed anew, should no head have told of one that came late."""
NOTED_FROM = 2_000
"""Files of days that are over from which on a note is left: fewer are listed with two requests."""


def files(lake: Lake, project_id: str) -> Iterator[File]:
    """Yield the files of a project's raw events, in order; raise `UnreachableError`.

    Of a lake that bears a look nothing is listed that has not changed since an earlier one.
    """
    if lake.look is None:
        return listed(lake, project_id)
    return iter(heads.remembered(lake, f"events/{project_id}", "parts", partial(_now, lake, project_id)))


def listed(lake: Lake, project_id: str, after: str = "") -> Iterator[File]:
    """Yield the files of a project's raw events whose names follow `after`; one request for each 1,000."""
    for each in objects.listed(lake, lake.project_folder(project_id), after):
        folder, _, name = each.name.partition("/")
        yield project_id, folder, name, each.size_bytes


def days_ago(n: int) -> dt.date:
    """Return the UTC day so many days before today."""
    return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=n)


def _now(lake: Lake, project_id: str) -> list[File]:
    since, known = heads.remembered(
        lake, f"late/{project_id}", "parts", partial(_closed, lake, project_id), trusted_s=LATE_S
    )
    return known + list(listed(lake, project_id, since))


def _closed(lake: Lake, project_id: str) -> tuple[str, list[File]]:
    """Return the folder of the first day that is not over, and the files of those that are."""
    if (noted := _noted(lake, project_id)) is not None:
        return noted
    # Those that come later and are not late are of the day before this one at the earliest; one more for clocks.
    at, since = time.time(), f"date={days_ago(2).isoformat()}"
    known = [each for each in listed(lake, project_id) if each[1] < since]
    if len(known) >= NOTED_FROM:
        _note(lake, project_id, at, since, known)
    return since, known


def _noted(lake: Lake, project_id: str) -> tuple[str, list[File]] | None:
    assert lake.look is not None
    content = objects.read(lake, _address(lake, project_id)) if lake.look.tag(f"listed/{project_id}") else None
    if content is None:
        return None
    table = pq.ParquetFile(pa.BufferReader(content)).read()
    about = {key.decode(): words.decode() for key, words in table.schema.metadata.items()}
    is_good = about["late"] == _late(lake, project_id) and 0 <= time.time() - float(about["at"]) < LATE_S
    rows = zip(*(table[name].to_pylist() for name in ("folder", "name", "size_bytes")), strict=True)
    return (about["since"], [(project_id, *row) for row in rows]) if is_good else None


def _note(lake: Lake, project_id: str, at: float, since: str, known: list[File]) -> None:
    about = {"late": _late(lake, project_id), "at": str(at), "since": since}
    _, folders, names, sizes = zip(*known, strict=True)
    table = pa.table({"folder": folders, "name": names, "size_bytes": sizes}).replace_schema_metadata(about)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    objects.write(lake, _address(lake, project_id), memoryview(sink.getvalue()))
    heads.moved(lake, f"listed/{project_id}")


def _late(lake: Lake, project_id: str) -> str:
    assert lake.look is not None
    return lake.look.tag(f"late/{project_id}")


def _address(lake: Lake, project_id: str) -> str:
    return f"{lake.project_folder(project_id)}/listed/parts.parquet"
