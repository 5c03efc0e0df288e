"""What a collector does beside its work: measure its spool, take up spools that no process has, and forget."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from turret_api.accounts.erased_ids import ErasedIds
from turret_api.collector.forgetting import Forget, answer, asked
from turret_api.collector.metrics import Metrics
from turret_api.collector.slots import Slot, left_slots
from turret_api.collector.spool import SpoolError, SpoolReader

log = logging.getLogger(__name__)

MEASURE_EVERY_S = 2.0
FIRST_LOOK_S = 4.0
LOOK_EVERY_S = 15.0
"""A spool is taken up when it was left at two looks: a worker that is started again has this long to take its own."""


class Housekeeping:
    """A thread that does all of it, again and again.

    Args:
        slot: the collector's own folder.
        reader: a view of its spool, of this thread alone.
        metrics: where the size of the spool is counted.
        adopt: brings what is in a left spool to the lake and gives its grants back; releases the slot.
        erased: returns what was erased lately, the same object as long as nothing changes; None: nothing was.
    """

    def __init__(
        self,
        slot: Slot,
        reader: SpoolReader,
        metrics: Metrics,
        adopt: Callable[[Slot], None],
        erased: Callable[[], ErasedIds | None] = lambda: None,
    ) -> None:
        self._slot = slot
        self._reader = reader
        self._metrics = metrics
        self._adopt = adopt
        self.on_left: Callable[[Path], None] = lambda folder: None
        """Takes up what else is in the folder of a left spool; on the thread of this, with the folder locked."""
        self.on_forget: Callable[[Forget], None] = lambda wanted: None
        """Forgets what waits beside the spool; on the thread of this."""
        self.on_erased: Callable[[ErasedIds], None] = lambda erased: None
        """Forgets what waits beside the spool and was erased, on whichever host; on the thread of this."""
        self._erased = erased
        self._heard: ErasedIds | None = None
        self._left: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """From this call on the spool is measured and left spools are taken up."""
        self._thread.start()

    def stop(self) -> None:
        """After this call the thread has ended."""
        self._stop.set()
        self._thread.join()
        self._reader.close()

    def _run(self) -> None:
        look_at = time.monotonic() + FIRST_LOOK_S
        while not self._stop.wait(MEASURE_EVERY_S):
            try:
                self._metrics.spool_bytes.set(self._reader.state().payload_bytes)
                if (wanted := asked(self._slot.folder)) is not None:
                    self.on_forget(wanted)
                    answer(self._slot.folder)
                if (erased := self._erased()) is not None and erased is not self._heard:
                    self.on_erased(erased)
                    self._heard = erased
                if time.monotonic() >= look_at:
                    look_at = time.monotonic() + LOOK_EVERY_S
                    self.look_for_left_spools()
            except (OSError, SpoolError) as error:
                log.warning("housekeeping failed and is tried again", extra={"reason": str(error)[:300]})

    def look_for_left_spools(self) -> None:
        """After this call every spool that was left at this look and at the one before is in the lake."""
        left = left_slots(self._slot.folder.parent)
        before, self._left = self._left, {slot.folder.name for slot in left}
        for slot in left:
            if slot.folder.name not in before:
                slot.release()
        for slot in [each for each in left if each.folder.name in before]:
            self._take_rest(slot.folder)
            try:
                reader = SpoolReader(slot.spool_file)
                try:
                    is_empty = reader.is_settled()
                finally:
                    reader.close()
            except SpoolError as error:
                log.error("a left spool cannot be read", extra={"spool": slot.folder.name, "reason": str(error)})
                is_empty = True
            if is_empty or self._stop.is_set():
                slot.release()
            else:
                log.info("taking up a left spool", extra={"spool": slot.folder.name})
                self._adopt(slot)

    def _take_rest(self, folder: Path) -> None:
        try:
            self.on_left(folder)
        except OSError as error:
            log.error("a left folder cannot be read", extra={"spool": folder.name, "reason": str(error)[:300]})
