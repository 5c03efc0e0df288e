"""Mending damaged files of the lake, each in the way that loses least; and never a row that a person wrote.

    a file with a second copy (a table's log, the tables that no build makes again) ──> put back
    a file that a backup holds ──> put back
    a data file of any other table ──> its rows are taken out in one commit, and the next build makes them anew
    a log of any other table ──> the table is removed, and the next build makes it anew
    a raw part ──> written again from the table `events`, or set aside
    an embedding model ──> removed; it is converted from its package again
    rows of a person, in none of these ways to be had ──> nothing is done, unless they are to be set aside

While a table is made anew its readers are told so (`ANEW`), instead of getting what there is of it. What is set aside
lies in the lake's folder `aside`, under its own name.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl

from turret_pipeline.lake import files, store, sums
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.damage import ANEW, Damage, DamageError, note
from turret_pipeline.lake.inspection import is_standing
from turret_pipeline.lake.marks import MarkLog, mark_id
from turret_pipeline.lake.parts import PART_SCHEMA, list_projects, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, TABLES, Table

FindInBackup = Callable[[str], bytes | None]
"""Returns what a backup has for a file's name in the lake; None: nothing."""


class UnmendableError(Exception):
    """The file cannot be mended without a loss; the message says what would be lost, and what to do."""


def mend(lake: Lake, damage: Damage, in_backup: FindInBackup, may_lose: bool = False) -> str:
    """After this call the file is no longer damaged; return what was done, in words.

    may_lose: whether rows that no build makes again may be set aside with the file. Call it while no other process
    writes the project (or, where the damage concerns all, any). Raise `UnmendableError` where nothing can be done.
    """
    address = f"{lake.root}/{damage.file}"
    if done := _put_back(lake, damage, address, in_backup):
        return done
    if damage.is_part:
        return _mend_part(lake, damage, address)
    if damage.table is None:
        files.remove(lake, address)
        sums.unseal(lake, address)
        return "removed; it is converted from its package again"
    table = TABLES[damage.table]
    if damage.is_of_log:
        return _mend_log(lake, table, address)
    assert damage.project_id is not None
    if table.is_kept and not may_lose:
        raise UnmendableError(
            f"{damage.file} holds rows that no build makes again: `turret doctor --mend --from-backup ARCHIVE` puts it "
            "back from a backup, `turret doctor --mend --set-aside` goes on without its rows"
        )
    if table.is_kept:
        return _set_rows_aside(lake, table, damage.project_id, address)
    return _take_out(lake, table, damage.project_id, address)


def _put_back(lake: Lake, damage: Damage, address: str, in_backup: FindInBackup) -> str | None:
    """Put the file back as it was written; return from where, in words, or None if it is not to be had."""
    if damage.is_of_log and address.endswith("/_delta_log"):
        return _put_back_log(lake, damage, address, in_backup)
    for origin, content in (
        ("its second copy", sums.second_copy(lake, address)),
        ("the backup", in_backup(damage.file)),
    ):
        if content is not None:
            files.write(lake, address, content)
            with contextlib.suppress(DamageError):
                sums.verify(lake, address)
                if not is_standing(lake, damage):
                    return f"put back from {origin}"
    return None


def _put_back_log(lake: Lake, damage: Damage, folder: str, in_backup: FindInBackup) -> str | None:
    """Put back what is to be had of a log that is gone or unreadable; return from where, None if it does not help."""
    names = {file.name for file in sums.sum_file(lake, folder).glob("*")}
    origins = {
        "its second copies": {name: sums.second_copy(lake, f"{folder}/{name}") for name in names},
        "the backup": {name: in_backup(f"{damage.file}/{name}") for name in names | {*files.names(lake, folder)}},
    }
    for origin, copies in origins.items():
        for name, content in copies.items():
            if content is not None:
                files.write(lake, f"{folder}/{name}", content)
        if any(copies.values()) and not is_standing(lake, damage):
            return f"put back from {origin}"
    return None


def _mend_log(lake: Lake, table: Table, address: str) -> str:
    if address.endswith("_last_checkpoint"):
        files.remove(lake, address)  # readers look for the newest checkpoint themselves
        return "removed; it is written again with the next checkpoint"
    if table.is_kept:
        raise UnmendableError(
            f"the log of {table.name}, whose rows no build makes again, is damaged, and so is its second copy: "
            "`turret doctor --mend --from-backup ARCHIVE` puts the file back from a backup"
        )
    for project in list_projects(lake):
        _begin_anew(lake, table, project)
    filesystem, root = lake.filesystem()
    sums.unseal_folder(lake, lake.table(table.name))
    with contextlib.suppress(FileNotFoundError):
        filesystem.delete_dir(f"{root}{lake.table(table.name).removeprefix(lake.root)}")
    return f"the table was removed; {_then(table)}"


def _then(table: Table) -> str:
    """Return what becomes of rows that are gone, in words."""
    return "builds write to it as they go on" if table.made_with == table.name else "what was in it is made anew"


def _begin_anew(lake: Lake, table: Table, project_id: str) -> None:
    """Let the project's rows of the table be made anew, where a build makes them; readers are told until then."""
    made_with = TABLES[table.made_with or table.name]
    if made_with.made_with is None:
        note(lake, Damage(f"tables/{made_with.name}/project_id={project_id}", ANEW))
        if made_with is not table:
            with contextlib.suppress(DamageError):  # of its own log, for which it is made anew anyway
                ProjectTable(lake, made_with, project_id).replace(made_with.empty(), inputs=0)


def _take_out(lake: Lake, table: Table, project_id: str, address: str) -> str:
    """Take the rows of the project (of the day of receipt that the file is of) out of the table."""
    _begin_anew(lake, table, project_id)
    opened = ProjectTable(lake, table, project_id)
    log = MarkLog(lake, table)
    log.catch_up()
    built = mark_id(project_id, "inputs")
    days = [dt.date.fromisoformat(name.removeprefix(built)) for name in log.marks if name.startswith(f"{built}2")]
    only = None
    if table.is_by_day:
        only = [dt.date.fromisoformat(address.rpartition("/received_date=")[2].partition("/")[0])]
        days = [day for day in days if day in only]
    opened.replace(table.empty(), only, inputs=0, days=dict.fromkeys(days, 0))
    _set_aside(lake, address)
    return f"the rows of {project_id}{f' of {only[0]}' if only else ''} were taken out; {_then(table)}"


def _set_rows_aside(lake: Lake, table: Table, project_id: str, address: str) -> str:
    """Go on with the rows of the project's other files."""
    opened = ProjectTable(lake, table, project_id)
    sound = []
    for file in opened.files():
        with contextlib.suppress(DamageError, FileNotFoundError):
            sound.append(store.scan_files(lake, table, [file]).collect())
    opened.replace(pl.concat(sound) if sound else table.empty())
    _set_aside(lake, address)
    return "set aside, with its rows"


def _mend_part(lake: Lake, damage: Damage, address: str) -> str:
    project_id, day, name = damage.project_id, damage.received_date, address.rpartition("/")[2]
    assert project_id is not None and day is not None
    built = pl.DataFrame()
    with contextlib.suppress(Exception):  # that table may be damaged too: then the part is set aside
        of_part = (pl.col("received_date") == day) & (pl.col("part") == name)
        built = store.scan(lake, EVENTS, project_id).filter(of_part).select(PART_SCHEMA.names()).sort("seq").collect()
    if built.height:
        # A copy, for the part is replaced in one step: if that does not come to pass it is still there, as damaged.
        _copy_aside(lake, address)
        write_part(lake, project_id, day, name, built)
        return f"written again with its {built.height:,} events, which the table events has"
    return (
        "set aside; its events are in no table"
        if _set_aside(lake, address)
        else "it is gone, and its events are in no table"
    )


def _set_aside(lake: Lake, address: str) -> bool:
    """Move the file into the folder `aside`; return whether it was there."""
    is_there = _copy_aside(lake, address)
    files.remove(lake, address)
    sums.unseal(lake, address)  # last: a damaged file without a checksum might be read
    return is_there


def _copy_aside(lake: Lake, address: str) -> bool:
    """Copy the file into the folder `aside`; return whether it was there."""
    filesystem, root = lake.filesystem()
    source, target = (f"{root}{each.removeprefix(lake.root)}" for each in (address, lake.aside(address)))
    if lake.is_local:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        filesystem.copy_file(source, target)
    except FileNotFoundError:
        return False
    return True
