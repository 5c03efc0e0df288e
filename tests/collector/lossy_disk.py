"""A disk that keeps what was fsynced and may lose the rest when the power goes: for SQLite (as a VFS) and the lake.

Files are real, and read and written as usual. Beside them the disk keeps what a machine would find after the power
came back: of each file what the last fsync made durable, plus any of what was written since, sector by sector; of each
folder the names that its last fsync made durable, plus any of the later ones.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw

SECTOR = 512


@dataclass
class _File:
    """What is durable of a file, and what was done since: writes at an offset, or a new size."""

    durable: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, bytes | None]] = field(default_factory=list)

    def synced(self) -> None:
        for offset, data in self.since:
            _apply(self.durable, offset, data)
        self.since = []

    def after_power_loss(self, chance: random.Random) -> bytes:
        """Return what may be found: durable bytes, with none, some or all of the sectors written since."""
        found = bytearray(self.durable)
        kept = chance.choice([0.0, 0.5, 0.9, 1.0])
        for offset, data in self.since:
            if data is None:
                if chance.random() < kept:
                    _apply(found, offset, None)
                continue
            for start in range(0, len(data), SECTOR):
                if chance.random() < kept:
                    _apply(found, offset + start, data[start : start + SECTOR])
        return bytes(found)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
    else:
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data


class LossyDisk(apsw.VFS):
    """The disk, registered as the apsw VFS `name`; `fsync` stands in for `os.fsync` for what is not SQLite's.

    Args:
        name: of the VFS.
        folder: what is on the disk; itself durable from the beginning.
        on_step: called, with the disk's `lock` held, before every step at which the power may go.
    """

    def __init__(self, name: str, folder: Path, on_step: Callable[[], None] = lambda: None) -> None:
        super().__init__(name, "")
        self.name = name
        self.folder = folder
        self.on_step = on_step
        self.lock = threading.RLock()
        self._sqlite: dict[str, _File] = {}
        self._contents: dict[int, bytes] = {}
        self._names: dict[Path, dict[str, int]] = {}

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if name is None:  # a temporary file, which is not looked for after a crash
            return _LossyFile(self, name, flags, _File())
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        with self.lock:
            return _LossyFile(self, name, flags, self._sqlite.setdefault(path, _File()))

    def xDelete(self, name: str, sync_folder: bool) -> None:  # noqa: N802
        with self.lock:
            super().xDelete(name, sync_folder)
            self._sqlite.pop(name, None)

    def fsync(self, descriptor: int) -> None:
        """Make what `descriptor` has open durable: a file's content, or a folder's names."""
        with self.lock:
            self.on_step()
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.is_dir():
                self._names[path] = {entry.name: entry.stat().st_ino for entry in path.iterdir()}
            else:
                self._contents[path.stat().st_ino] = path.read_bytes()

    def after_power_loss(self, chance: random.Random) -> dict[str, bytes]:
        """Return what may be found if the power went now: content by path under `folder`."""
        with self.lock:
            found = {
                str(Path(path).relative_to(self.folder)): file.after_power_loss(chance)
                for path, file in self._sqlite.items()
                if Path(path).is_relative_to(self.folder)
            }
            self._find(self.folder, chance, found)
        return found

    def _find(self, folder: Path, chance: random.Random, found: dict[str, bytes]) -> None:
        with os.scandir(folder) as entries:
            names = [(Path(entry.path), entry.inode(), entry.is_dir()) for entry in entries]
        durable = (
            self._names.get(folder, {}) if folder != self.folder else {path.name: inode for path, inode, _ in names}
        )
        for path, inode, is_folder in names:
            if str(path) in self._sqlite or path.suffix == ".db-shm":
                continue
            if durable.get(path.name) != inode and chance.random() < 0.5:
                continue
            if is_folder:
                self._find(path, chance, found)
            elif inode in self._contents:
                found[str(path.relative_to(self.folder))] = self._contents[inode]
            else:
                with contextlib.suppress(FileNotFoundError):  # just renamed
                    content = path.read_bytes()
                    found[str(path.relative_to(self.folder))] = content[: chance.randint(0, len(content))]


class _LossyFile(apsw.VFSFile):
    """One file of SQLite's. Nothing is fsynced really: what is durable, the disk keeps in memory."""

    def __init__(self, disk: LossyDisk, name: apsw.URIFilename | str | None, flags: list[int], file: _File) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._file = file

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        with self._disk.lock:
            self._disk.on_step()
            super().xWrite(data, offset)
            self._file.since.append((offset, bytes(data)))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        with self._disk.lock:
            super().xTruncate(size)
            self._file.since.append((size, None))

    def xSync(self, flags: int) -> None:  # noqa: N802
        with self._disk.lock:
            self._disk.on_step()
            self._file.synced()
