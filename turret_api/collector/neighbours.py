"""What the other collectors of this host have seen, so that an `event_id` counts once however many share the port.

A collector holds one lock of the host from the moment it looks an id up until its own commit is on the disk, and looks
in the spools of the others as well as in its own. Only events that bear an id of their client's pay for it.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterable

from turret_api.collector.rows import Seen
from turret_api.collector.slots import SPOOL_FILE, Slot
from turret_api.collector.spool_file import SpoolError
from turret_api.collector.spool_reader import SpoolReader

log = logging.getLogger(__name__)

LOCK_FILE = "names.lock"


class Neighbours:
    """The other spools beside that of `slot`. One thread only."""

    def __init__(self, slot: Slot) -> None:
        self._spools = slot.folder.parent
        self._own = slot.folder.name
        self._descriptor = os.open(self._spools / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._readers: dict[str, SpoolReader] = {}
        self._unreadable: set[str] = set()

    def __enter__(self) -> None:
        """Keep the others from looking up and committing ids; the lock goes with the process however it ends."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def seen(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        """Return, of these (project_id, event_id), those that another collector has seen. Only within `with`."""
        found: dict[tuple[str, str], Seen] = {}
        # A collector that has just started may be anywhere among them, so they are listed every time.
        for name in (entry.name for entry in self._spools.iterdir()):
            if name == self._own or not name.isdigit() or name in self._unreadable:
                continue
            try:
                reader = self._readers.get(name)
                if reader is None:
                    file = self._spools / name / SPOOL_FILE
                    if not file.exists():
                        continue
                    reader = SpoolReader(file)
                    if not reader.is_made():
                        reader.close()
                        continue
                    self._readers[name] = reader
                found |= reader.seen(names)
            except SpoolError as error:
                log.error("a neighbour's spool cannot be read", extra={"spool": name, "reason": str(error)})
                self._unreadable.add(name)
        return found

    def close(self) -> None:
        """After this call nothing is open."""
        for reader in self._readers.values():
            reader.close()
        os.close(self._descriptor)
