"""Forgetting what a project's tables were before: afterwards no file of a table holds what no row of it holds now.

What was taken out of a table lives on in three places: in data files of earlier versions, in the log, which has the
least and the greatest text of each file and what commits said of themselves, and in the second copies of `sums`. Data
files go. Of the log nothing goes, for other projects write to the same tables meanwhile: a writer that opened an older
version must find the commits since then, or its own would take one of their numbers and be lost. So each entry stays,
with all marks, and what it says of the project's files shrinks to their number of rows.

    newest version ──a checkpoint, with the statistics of what is there now──▶ old entries can shrink
        ──entries shrink, one by one──▶ ──data files that are in no table any more go──▶ forgotten

Killed anywhere, the same call does the rest. Earlier versions of the project's rows cannot be read any more; those of
other projects can. A question in flight may miss a file and is asked again, as after `upkeep.remove_old_files`.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import deltalake
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from turret_pipeline import failpoint
from turret_pipeline.lake import files, objects, store, sums
from turret_pipeline.lake.paths import Lake, check_project_id
from turret_pipeline.lake.tables import TABLES, Table

IN_FLIGHT = dt.timedelta(minutes=1)
"""Age up to which a file that is in no version may be one that is being written, where writers hold no lock."""

_UNFINISHED = re.compile(r".*\.tmp")
_LOG = "_delta_log"


@dataclass(frozen=True)
class Forgotten:
    """What was forgotten: data files that went, and entries of the log that say less than they did."""

    files: int = 0
    entries: int = 0

    def __add__(self, other: Forgotten) -> Forgotten:
        return Forgotten(self.files + other.files, self.entries + other.entries)


def forget_histories(lake: Lake, project_id: str) -> Forgotten:
    """Forget the history of every table; see `forget_history`."""
    return sum((forget_history(lake, table, project_id) for table in TABLES.values()), Forgotten())


def forget_history(lake: Lake, table: Table, project_id: str) -> Forgotten:
    """After this call no file of the table holds of the project what its rows do not hold now; return what went.

    Call it with the project's lock. Raise `DamageError` where the log is damaged.
    """
    check_project_id(project_id)
    opened = store.open_table(lake, table)
    if opened is None:
        return Forgotten()
    version, folder = int(opened.version()), f"{lake.table(table.name)}/{_LOG}"
    names = dict(_listed(lake, folder))
    if f"{version:020d}.checkpoint.parquet" not in names:
        with objects.explained(lake):
            opened.create_checkpoint()
        sums.seal(lake, f"{folder}/{version:020d}.checkpoint.parquet", keep_copy=True)
    failpoint.reached("oblivion.after_checkpoint")
    n_entries = 0
    for name, written_at in names.items():
        n_entries += _shrunk(lake, f"{folder}/{name}", name, version, project_id, written_at)
    failpoint.reached("oblivion.after_entries")
    n_files = _remove_files(lake, table, opened, project_id)
    sums.tidy(lake, table.name)
    return Forgotten(n_files, n_entries)


def _shrunk(lake: Lake, address: str, name: str, version: int, project_id: str, written_at: dt.datetime) -> bool:
    """Let an entry of the log say of the project's files only how many rows they have; return whether it said more.

    The checkpoint of `version`, the newest, says of files that are there what they hold, and stays as it is.
    """
    commit, checkpoint = sums.COMMIT.fullmatch(name), sums.CHECKPOINT.fullmatch(name)
    found = commit or checkpoint
    if found is None and _UNFINISHED.fullmatch(name):
        return _removed_unfinished(lake, address, project_id, written_at)
    if found is None or int(found[1]) > version or (checkpoint and int(found[1]) == version):
        return False
    try:
        content = files.read(lake, address)
    except FileNotFoundError:
        return False  # cleaned away meanwhile, as it was old
    less = _less_of_commit(content, project_id) if commit else _less_of_checkpoint(content, project_id)
    if less is None:
        return False
    sums.unseal(lake, address)
    files.write(lake, address, less)
    if lake.is_local:
        os.utime(address, (written_at.timestamp(), written_at.timestamp()))  # its age tells when it is cleaned away
    sums.seal(lake, address, keep_copy=True)
    failpoint.reached("oblivion.after_entry")
    return True


def _removed_unfinished(lake: Lake, address: str, project_id: str, written_at: dt.datetime) -> bool:
    """Remove what a killed writer of the project left in the log; return whether it was that."""
    if dt.datetime.now(dt.UTC) - written_at < IN_FLIGHT:
        return False
    try:
        is_of_project = _marker(project_id) in files.read(lake, address)
    except FileNotFoundError:
        return False
    if is_of_project:
        files.remove(lake, address)
    return is_of_project


def _marker(project_id: str) -> bytes:
    """Return what the addresses of a project's data files contain."""
    return f"project_id={project_id}/".encode()


def _less_of_commit(content: bytes, project_id: str) -> bytes | None:
    """Return what the commit is to say; None: what it says. Marks and names of files stay."""
    if _marker(project_id) not in content and f"'{project_id}'".encode() not in content:
        return None
    lines = []
    for line in content.splitlines():
        action = orjson.loads(line)
        about, of_file = action.get("commitInfo"), action.get("add") or action.get("remove")
        if about is not None:
            about.pop("operationParameters", None)
            about.pop("userMetadata", None)
        elif of_file and of_file.get("stats") and str(of_file["path"]).encode().startswith(_marker(project_id)):
            of_file["stats"] = _n_rows(of_file["stats"])
        lines.append(orjson.dumps(action))
    less = b"\n".join(lines)
    return None if _equal(less, content) else less


def _equal(one: bytes, other: bytes) -> bool:
    """Return whether both commits say the same."""
    return [orjson.loads(line) for line in one.splitlines()] == [orjson.loads(line) for line in other.splitlines()]


def _less_of_checkpoint(content: bytes, project_id: str) -> bytes | None:
    """Return what the checkpoint is to hold; None: what it holds."""
    held = pq.ParquetFile(pa.BufferReader(content)).read()
    place = held.schema.get_field_index("add")
    added = held.column(place).combine_chunks()
    if isinstance(added, pa.ChunkedArray):  # of none, or of more than one chunk can hold
        added = pa.concat_arrays(added.chunks) if added.num_chunks else pa.array([], added.type)
    fields = list(added.type)
    children = [added.field(number) for number in range(len(fields))]
    names = [each.name for each in fields]
    paths, stats = children[names.index("path")].to_pylist(), children[names.index("stats")].to_pylist()
    of_project = _marker(project_id).decode()
    less = [
        _n_rows(said) if said and path and path.startswith(of_project) else said
        for path, said in zip(paths, stats, strict=True)
    ]
    if less == stats:
        return None
    children[names.index("stats")] = pa.array(less, fields[names.index("stats")].type)
    shrunk = pa.StructArray.from_arrays(children, fields=fields, mask=added.is_null())
    sink = pa.BufferOutputStream()
    pq.write_table(held.set_column(place, held.schema.field(place), shrunk), sink, compression="snappy")
    return bytes(memoryview(sink.getvalue()))


def _n_rows(stats: str) -> str:
    """Return the statistics of a data file with its number of rows alone."""
    return orjson.dumps({"numRecords": orjson.loads(stats).get("numRecords")}).decode()


def _remove_files(lake: Lake, table: Table, opened: deltalake.DeltaTable, project_id: str) -> int:
    """Remove the project's data files that the version which is open has not; return how many.

    Writers of tables of people hold no lock, so there a young file that no version has had may be one of theirs.
    """
    root, n_removed = lake.table(table.name), 0
    there = {urllib.parse.unquote(each).rpartition("/")[2] for each in store.project_files(opened, project_id)}
    folder = f"{root}/project_id={project_id}"
    now = dt.datetime.now(dt.UTC)
    gone = _left(lake, f"{root}/{_LOG}") if table.is_kept else frozenset()
    for path, written_at in list(_listed(lake, folder)):
        name = path.rpartition("/")[2]
        may_come = table.is_kept and name not in gone and now - written_at < IN_FLIGHT
        if name not in there and not may_come:
            files.remove(lake, f"{folder}/{path}")
            sums.unseal(lake, f"{folder}/{path}")
            n_removed += 1
            failpoint.reached("oblivion.after_file")
    return n_removed


def _left(lake: Lake, folder: str) -> frozenset[str]:
    """Return the names of the data files that commits of the log have removed."""
    found = set()
    for name, _ in list(_listed(lake, folder)):
        if sums.COMMIT.fullmatch(name):
            lines = files.read(lake, f"{folder}/{name}").splitlines()
            removed = (orjson.loads(line)["remove"]["path"] for line in lines if line.startswith(b'{"remove"'))
            found |= {urllib.parse.unquote(path).rpartition("/")[2] for path in removed}
    return frozenset(found)


def _listed(lake: Lake, folder: str) -> Iterator[tuple[str, dt.datetime]]:
    """Yield name below the folder, and when it was written, of each file in it or below it."""
    if not lake.is_local:
        yield from ((each.name, each.written_at) for each in objects.listed(lake, folder))
        return
    for file in sorted(Path(folder).rglob("*")):
        try:
            about = file.stat()
        except FileNotFoundError:
            continue
        if file.is_file():
            yield str(file.relative_to(folder)), dt.datetime.fromtimestamp(about.st_mtime, dt.UTC)
