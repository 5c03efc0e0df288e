"""Free space: nothing is taken while a disk has less than its reserve, so that what was taken can be rolled."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

log = logging.getLogger(__name__)

LOOK_S = 0.5
_MOST_RESERVE = 256 * 2**20


def free_and_reserve(folder: Path, reserve_bytes: int | None) -> tuple[int, int]:
    """Return the free bytes of the file system of `folder`, and how many must stay free.

    That is `reserve_bytes`, or by default a tenth of the file system, at most 256 MiB.
    """
    state = os.statvfs(folder)
    default = min(_MOST_RESERVE, state.f_blocks * state.f_frsize // 10)
    return state.f_bavail * state.f_frsize, default if reserve_bytes is None else reserve_bytes


class DiskGuard:
    """Looks at the file systems of `places` (name to folder) twice a second.

    Args:
        places: what to look at.
        reserve_bytes: how much must stay free; None: see `free_and_reserve`.
        on_look: called with (place, free bytes) at every look.
    """

    def __init__(
        self, places: Mapping[str, Path], reserve_bytes: int | None, on_look: Callable[[str, int], None]
    ) -> None:
        self._places = dict(places)
        self._reserve_bytes = reserve_bytes
        self._on_look = on_look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disk", daemon=True)
        self.is_low = False

    def start(self) -> None:
        """Look once, and from then on again and again."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """After this call the thread has ended."""
        self._stop.set()
        self._thread.join()

    def mark_full(self) -> None:
        """Take nothing until the next look finds free space."""
        self.is_low = True

    def look(self) -> None:
        """Bring `is_low` up to date. Once low, it stays so until a tenth more than the reserve is free."""
        low = False
        for place, folder in self._places.items():
            try:
                free, reserve = free_and_reserve(folder, self._reserve_bytes)
            except OSError as error:
                log.error("a disk cannot be looked at", extra={"place": place, "reason": str(error)})
                low = True
                continue
            self._on_look(place, free)
            low = low or free < reserve + (reserve // 10 if self.is_low else 0)
        if low != self.is_low:
            log.warning("the disk is low; nothing is taken" if low else "the disk has room again")
        self.is_low = low

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.look()
