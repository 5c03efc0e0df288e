"""One collector process: its spool and the threads over it, started and ended in the right order.

made ──start()──▶ open ──stop()──▶ ended, its slot free
                   └──the spool fails──▶ the process ends at once, and the next one recovers
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import Accounts
from turret_api.accounts.collectors import NOTHING_WAITS, clock_in_words
from turret_api.accounts.directory import Directory
from turret_api.accounts.grants import Grants
from turret_api.collector.broker import Broker
from turret_api.collector.disk import DiskGuard
from turret_api.collector.event import Checked
from turret_api.collector.housekeeping import Housekeeping
from turret_api.collector.ledger import Ledger
from turret_api.collector.metrics import Metrics
from turret_api.collector.neighbours import Neighbours
from turret_api.collector.roller import Roller
from turret_api.collector.slots import KEYS_FILE, TURNS_FILE, Slot, take_slot
from turret_api.collector.spool import Spool, SpoolDamagedError
from turret_api.collector.submission import Parked, Result, Submission
from turret_api.collector.writer import Writer
from turret_api.errors import ApiError, UnavailableError
from turret_pipeline.settings import Settings

log = logging.getLogger(__name__)

BROKEN_EXIT = 70


def _end_at_once(error: Exception) -> None:
    """End the process: what is on the disk is not known, so it may answer nothing; the next start finds out."""
    log.critical("the spool failed; ending, the next start recovers", extra={"reason": str(error)})
    logging.shutdown()
    os._exit(BROKEN_EXIT)


def _opened(spools: Path, slot: Slot | None, vfs: str | None) -> tuple[Slot, Spool]:
    """Return the spool of `slot` (None: of the first that is free and not damaged), open.

    A damaged one is left to a person: events go on being taken into the next.
    """
    damaged: list[Slot] = []
    try:
        while True:
            taken = slot or take_slot(spools)
            try:
                return taken, Spool(taken.spool_file, vfs)
            except SpoolDamagedError as error:
                damaged.append(taken)
                if slot is not None:
                    raise
                log.critical("a spool is damaged and is left alone", extra={"reason": str(error)})
            except BaseException:
                taken.release()
                raise
    finally:
        for each in damaged:  # not before: it would be taken again
            each.release()


class Collector:
    """Takes events durably and brings them to the lake.

    Args:
        settings: where things lie and what the limits are.
        accounts: projects, plans and keys.
        slot: the locked folder of its spool; None: the first that is free.
        vfs: name of the apsw VFS that the spool is on; None: the default.
        on_broken: is called on the writer's thread when the spool failed; must end the process.
    """

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        *,
        slot: Slot | None = None,
        vfs: str | None = None,
        on_broken: Callable[[Exception], None] = _end_at_once,
    ) -> None:
        self.settings = settings
        self._accounts = accounts
        self.metrics = Metrics()
        self.lake = settings.open_lake()
        self.slot, self._spool = _opened(settings.home / "spool", slot, vfs)
        self.keys = Directory(accounts, self.slot.folder / KEYS_FILE)
        self.lake.make()
        self.collector_id = self._spool.collector_id
        places = {"spool": self.slot.folder} | ({"lake": Path(self.lake.root)} if self.lake.is_local else {})
        self.disk = DiskGuard(
            places, settings.disk_reserve_bytes, lambda place, free: self.metrics.disk_free.labels(place).set(free)
        )
        self.ledger = Ledger(self.keys, self._spool.quota())
        self._neighbours = Neighbours(self.slot)
        parked: queue.SimpleQueue[Parked | None] = queue.SimpleQueue()
        self.writer = Writer(
            self._spool,
            self.ledger,
            self.metrics,
            parked.put,
            self.disk.mark_full,
            on_broken,
            self._neighbours,
            self.keys.suppressed,
            self.keys.erased,
        )
        self.grants = Grants(accounts, self.collector_id)
        self.broker = Broker(self.grants, self.ledger, self.writer, parked, lambda: self.roller.brought_in)
        self._reader = self._spool.reader()
        self.roller = Roller(
            self.writer,
            self._reader,
            self.collector_id,
            self.lake,
            self.metrics,
            settings.roll_after_s,
            self.keys.deleted,
            self.keys.erased,
            self.keys.asked,
        )
        self.house = Housekeeping(self.slot, self._spool.reader(), self.metrics, self._adopt, self.keys.erased)
        self.is_open = False

    def start(self) -> None:
        """After this call events are taken; what an earlier process left half rolled is rolled."""
        self.keys.start()
        self.disk.start()
        self.writer.start()
        try:
            recovered = self.roller.recover()
            if recovered:
                log.info("rolled what was left half rolled", extra={"events": recovered})
        except OSError as error:
            log.warning("the lake cannot be written yet; events stay in the spool", extra={"reason": str(error)[:300]})
        self.broker.start()
        self.roller.start()
        self.house.start()
        self.is_open = True

    def stop(self) -> None:
        """After this call what was taken is in the lake (or, if that cannot be written, safe in the spool)."""
        self.is_open = False
        self.house.stop()
        self.broker.stop()
        self.roller.stop()
        self._say_that_nothing_waits()
        self.writer.stop()
        self.disk.stop()
        self.keys.stop()
        self._neighbours.close()
        self._reader.close()
        self._spool.close()
        self.slot.release()

    def _say_that_nothing_waits(self) -> None:
        """Let erasures know that nothing is to be waited for here, if that is so."""
        turns = self.slot.folder / TURNS_FILE
        if not self.keys.is_current or self._reader.backlog().rows or (turns.exists() and turns.stat().st_size):
            return
        try:
            self.grants.report({}, NOTHING_WAITS)
        except SQLAlchemyError as error:
            log.info("Postgres does not know that nothing waits here", extra={"reason": type(error).__name__})

    def _adopt(self, slot: Slot) -> None:
        """Bring what is in a spool that no process has to the lake, and give its grants back."""
        left = Collector(self.settings, self._accounts, slot=slot)
        left.start()
        left.stop()

    @property
    def obstacle(self) -> str | None:
        """Why nothing can be stored now, in words; None: it can."""
        if not self.is_open:
            return "The server is starting or shutting down; nothing was stored. Try again."
        if not self.writer.is_alive:
            return "The server cannot store events; nothing was stored. Try again later."
        if self.disk.is_low:
            return "The server's disk is low; nothing was stored. Try again later."
        return None

    @property
    def clock(self) -> str:
        """How this host's clock stands to that of Postgres, in words."""
        return clock_in_words(self.grants.clock_off_s)

    async def store(self, project_id: str, events: list[Checked | ApiError], size_bytes: int) -> list[Result]:
        """Return one result for each of `events`, in order, once all that can be stored is.

        Raises `UnavailableError` if nothing was stored, for a reason that lies with the server.
        """
        obstacle = self.obstacle
        if obstacle is not None:
            raise UnavailableError(obstacle, retry_after_s=5)
        submission = Submission(project_id, events, size_bytes, asyncio.get_running_loop())
        self.writer.submit(submission)
        return await submission.future
