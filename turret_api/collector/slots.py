"""A folder for each collector process on this host: `spool/0`, `spool/1`, …, each locked by the process that has it.

A process takes the first folder that is free, so a restarted one takes up the spool of the one that died. The lock is
`flock`, which goes with the process however it ends.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

MOST_SLOTS = 256
SPOOL_FILE = "spool.db"
KEYS_FILE = "keys.json"
TURNS_FILE = "turns.ndjson"
"""Of `turret_api.otlp.journal`."""


class SlotError(Exception):
    """No folder for a spool can be had; the message says why."""


@dataclass
class Slot:
    """A locked folder."""

    folder: Path
    descriptor: int

    @property
    def spool_file(self) -> Path:
        """The SQLite file of the spool in this folder, which may not be there yet."""
        return self.folder / SPOOL_FILE

    def release(self) -> None:
        """After this call another process may have the folder."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def take_slot(spools: Path) -> Slot:
    """Return the first free folder under `spools`, locked; make one if all are taken."""
    for number in range(MOST_SLOTS):
        slot = try_slot(spools / str(number))
        if slot is not None:
            return slot
    raise SlotError(f"{MOST_SLOTS} collectors run on {spools} already")


def left_slots(spools: Path) -> list[Slot]:
    """Return, locked, the folders that hold a spool and no process has: those of processes that ended."""
    found = []
    for folder in slot_folders(spools):
        slot = try_slot(folder)
        if slot is not None:
            found.append(slot)
    return found


def slot_folders(spools: Path) -> list[Path]:
    """Return the folders that hold a spool, in order."""
    files = [file for file in spools.glob(f"*/{SPOOL_FILE}") if file.parent.name.isdigit()]
    return sorted((file.parent for file in files), key=lambda folder: int(folder.name))


def try_slot(folder: Path) -> Slot | None:
    """Return `folder`, locked, or None if another process has it."""
    try:
        _make_durable(folder)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SlotError(f"the folder {folder} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Slot(folder, descriptor)


def _make_durable(folder: Path) -> None:
    """After this call `folder` is there; SQLite fsyncs it when it makes its log, but not the folders above it."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing):
        descriptor = os.open(each.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
