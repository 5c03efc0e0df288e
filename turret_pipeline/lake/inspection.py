"""Looking for damage: in all that the lake holds, or in what was read when something failed for no known reason.

A file with a checksum is sound if it holds what was written. One without is sound if all of it can be read. What is
found is looked at once more against the newest state of the table: files leave tables while one looks.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

from turret_pipeline.lake import files, store, sums
from turret_pipeline.lake.damage import ANEW, Damage, DamageError, forget, note, notes
from turret_pipeline.lake.marks import MarkLog, mark_id
from turret_pipeline.lake.parts import (
    PART_NAME,
    Part,
    deleted_projects,
    list_parts,
    list_projects,
    part_file,
    taken_back,
)
from turret_pipeline.lake.paths import PROJECT_ID, Lake
from turret_pipeline.lake.tables import TABLES, Table


def _untold() -> None:
    """Do nothing."""


def damage_of_table(
    lake: Lake, table: Table, project_id: str | None = None, tell: Callable[[], None] = _untold
) -> Iterator[Damage]:
    """Yield what is damaged of a table: its log, or data files (of one project, default: of all).

    tell: called after each file.
    """
    try:
        used = files_of(lake, table, project_id)
    except DamageError as error:
        yield error.damage
        return
    for file in used:
        tell()
        if (damage := _of_data_file(lake, file)) and is_standing(lake, damage):
            yield damage


def files_of(lake: Lake, table: Table, project_id: str | None = None) -> list[str]:
    """Return the data files of a table's newest version (one project's, default: all); raise `DamageError`."""
    opened = store.open_table(lake, table)
    if opened is None:
        return []
    try:
        found = opened.file_uris() if project_id is None else store.project_files(opened, project_id)
    except Exception as error:
        raise store.unreadable(lake, table, error) from error
    return store.file_names(lake, found)


def damage_of_parts(lake: Lake, project_id: str | None = None, tell: Callable[[], None] = _untold) -> Iterator[Damage]:
    """Yield what is damaged or gone of the raw parts (of one project, default: of all); see `damage_of_table`."""
    for part in list_parts(lake, project_id):
        tell()
        if damage := _of_part(lake, part):
            yield damage
    for project in [project_id] if project_id else list_projects(lake):
        yield from _gone_parts(lake, project)


def damage_of_models(lake: Lake) -> Iterator[Damage]:
    """Yield what is damaged of the embedding models that the lake keeps."""
    for name in files.names(lake, f"{lake.root}/models"):
        if name.endswith(".zip") and (damage := _of_model(lake, f"{lake.root}/models/{name}")):
            yield damage


def blamed(lake: Lake, error: BaseException, project_id: str, tables: Iterable[Table]) -> Damage | None:
    """Return the damage for which something failed that read one project's rows of `tables`; None: there is none."""
    if isinstance(error, DamageError):
        return error.damage
    return next((damage for table in tables for damage in damage_of_table(lake, table, project_id)), None)


def standing(lake: Lake, project_id: str | None = None) -> list[Damage]:
    """Return the damage that notes tell of and that still is (what concerns one project, default: all), in order.

    After this call no note tells of what was mended.
    """
    found = []
    for damage in notes(lake):
        if project_id is not None and damage.project_id not in (None, project_id):
            continue
        if is_standing(lake, damage):
            found.append(damage)
        else:
            forget(lake, damage)
    return found


class Watch:
    """Notices files of a lake that change under a process which may not read them again, and notes their damage.

    Logs are verified, which is a look at each file's times; of data files, which never change, only those are that did.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._stamps: dict[str, tuple[int, int]] = {}

    def look(self, data_files: Iterable[str]) -> None:
        """After this call the lake notes each log, and each of `data_files`, that is found damaged."""
        if not self._lake.is_local:
            return
        for table in TABLES.values():
            with self._noting():
                sums.verify_log(self._lake, table)
        for file in data_files:
            with self._noting():
                self._look_at(file)

    def _look_at(self, file: str) -> None:
        try:
            about = Path(file).stat()
            stamp = about.st_size, about.st_ctime_ns
        except FileNotFoundError:
            stamp = -1, 0
        if self._stamps.setdefault(file, stamp) != stamp and (damage := _of_data_file(self._lake, file)):
            if is_standing(self._lake, damage):
                raise DamageError(damage)
            del self._stamps[file]

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except DamageError as error:
            note(self._lake, error.damage)


def is_standing(lake: Lake, damage: Damage) -> bool:
    """Return whether the file is still damaged, and still belongs to something."""
    address = f"{lake.root}/{damage.file}"
    if damage.table is not None:
        table = TABLES.get(damage.table)
        if table is None:
            return False
        if damage.reason == ANEW:
            return table.made_with is None and _is_unbuilt(lake, table, str(damage.project_id))
        try:
            used = files_of(lake, table)
        except DamageError:
            return True
        return not damage.is_of_log and address in used and _of_data_file(lake, address) is not None
    if damage.is_part and damage.project_id is not None and damage.received_date is not None:
        part = Part(damage.project_id, damage.received_date, address.rpartition("/")[2], 0)
        if _exists(lake, address):
            return _of_part(lake, part) is not None
        return damage in _gone_parts(lake, part.project_id)
    return _exists(lake, address) and _of_model(lake, address) is not None


def _is_unbuilt(lake: Lake, table: Table, project_id: str) -> bool:
    log = MarkLog(lake, table)
    with contextlib.suppress(DamageError):  # of which another note tells
        log.catch_up()
    return project_id not in deleted_projects(lake) and not log.marks.get(mark_id(project_id, "inputs"))


def _of_data_file(lake: Lake, address: str) -> Damage | None:
    filesystem, root = lake.filesystem()
    try:
        with sums.reading(lake, address):
            if not sums.is_sealed(lake, address):
                path = f"{root}{address.removeprefix(lake.root)}"
                for _ in pq.ParquetFile(path, filesystem=filesystem).iter_batches():
                    pass
    except FileNotFoundError:
        return sums.damaged(lake, address, "is gone").damage
    except DamageError as error:
        return error.damage
    return None


def _of_part(lake: Lake, part: Part) -> Damage | None:
    # Taken back, or removed with its project, while we looked.
    with contextlib.suppress(FileNotFoundError):
        return _of_data_file(lake, part_file(lake, part)) if _exists(lake, part_file(lake, part)) else None
    return None


def _gone_parts(lake: Lake, project_id: str) -> Iterator[Damage]:
    """Yield the parts of a project that have a checksum and no file, though nobody took them back."""
    if not lake.is_local or not PROJECT_ID.fullmatch(project_id):
        return
    folder = Path(lake.project_folder(project_id))
    sealed = sums.sum_file(lake, str(folder))
    gone = [file for file in sealed.glob("date=*/*") if not (folder / file.relative_to(sealed)).exists()]
    notes_of = taken_back(lake, project_id) if gone else {}
    for file in sorted(gone):
        address = str(folder / file.relative_to(sealed))
        is_back = file.name.rpartition("-")[0] in notes_of
        if PART_NAME.fullmatch(file.name) and not is_back and sums.is_sealed(lake, address):
            yield sums.damaged(lake, address, "is gone").damage


def _of_model(lake: Lake, address: str) -> Damage | None:
    try:
        with (
            sums.reading(lake, address),
            files.open_input(lake, address) as stream,
            zipfile.ZipFile(stream) as packed,
        ):
            if (name := packed.testzip()) is not None:
                return sums.damaged(lake, address, f"holds other bytes than were written in {name}").damage
    except FileNotFoundError:
        return None
    except DamageError as error:
        return error.damage
    return None


def _exists(lake: Lake, address: str) -> bool:
    folder, _, name = address.rpartition("/")
    return Path(address).exists() if lake.is_local else name in files.names(lake, folder)
