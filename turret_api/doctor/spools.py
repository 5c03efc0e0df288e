"""The spools of a home: whether each can be read to its end, and taking over what can be from one that cannot.

A damaged spool is never written to. What can be read of it goes into a new one in its place, by way of its pages, for
the tables above them may be what is damaged; the damaged file stays beside it, under another name.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import apsw

from turret_api.collector.salvage import batches_in
from turret_api.collector.slots import SPOOL_FILE, Slot, slot_folders, try_slot
from turret_api.collector.spool import Spool
from turret_api.collector.spool_file import fault_of
from turret_api.doctor.fault import SPOOL, Fault
from turret_pipeline import failpoint

ROOM = 1_000_000
"""Numbers that a mended spool leaves out: those of events that could not be read may be in parts already."""


def faults_of_spools(home: Path) -> Iterator[Fault]:
    """Yield the spools that cannot be read to their end."""
    for folder in slot_folders(home / "spool"):
        if reason := fault_of(folder / SPOOL_FILE):
            yield Fault(SPOOL, str(folder / SPOOL_FILE), reason)


def mend_spool(file: Path) -> str:
    """After this call the spool holds what could be read of it, and the damaged file lies beside it; return how much.

    Raise `OSError` if a process has it, or where it cannot be written.
    """
    slot = try_slot(file.parent)
    if slot is None:
        raise OSError(f"a process uses {file}: end `turret up` or `turret serve` first, and call this again")
    try:
        return _mend(slot)
    finally:
        slot.release()


def _mend(slot: Slot) -> str:
    file = slot.spool_file
    whole = file.with_name("mended-whole.db")
    if not whole.exists():  # or a mend that was cut off has made it
        _recover(file, whole)
    n_events = sum(batch.n for batch in batches_in(whole))
    aside = f"{SPOOL_FILE}.damaged-{time.strftime('%Y%m%dT%H%M%S')}"
    beside = [f"{SPOOL_FILE}-wal", f"{SPOOL_FILE}-shm"]
    for name in (SPOOL_FILE, *beside):
        with contextlib.suppress(FileNotFoundError, FileExistsError):  # linked by the mend that was cut off
            (file.parent / name.replace(SPOOL_FILE, aside)).hardlink_to(file.parent / name)
    for name in beside:  # SQLite would take them for those of the new file
        (file.parent / name).unlink(missing_ok=True)
    failpoint.reached("doctor.before_swap")
    whole.replace(file)
    return f"{n_events:,} events were read from it and go on; the damaged file lies beside it as {aside}"


def _recover(file: Path, whole: Path) -> None:
    """After this call there is a spool `whole` with all that can be read of the damaged one."""
    found, rest = batches_in(file), _Rest(file)
    fresh = file.with_name("mended.db")
    for left_over in file.parent.glob("mended.db*"):
        left_over.unlink()
    spool = Spool(fresh)
    try:
        spool.begin()
        spool.take_over(found, rest.rolls, rest.seen, rest.quota, rest.collector_id, rest.next_seq + ROOM)
        spool.commit()
    finally:
        spool.close()
    fresh.rename(whole)


class _Rest:
    """What is in a spool besides events, as far as it can be read."""

    def __init__(self, file: Path) -> None:
        self.rolls: list[tuple[int, int]] = []
        self.seen: list[tuple[str, str, str, str, int]] = []
        self.quota: list[tuple[str, str, int, int]] = []
        self.collector_id: str | None = None
        self.next_seq = 1
        with contextlib.suppress(apsw.Error):
            db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
            try:
                for into, table in ((self.rolls, "rolls"), (self.quota, "quota"), (self.seen, "seen")):
                    with contextlib.suppress(apsw.Error):
                        for row in db.execute(f"SELECT * FROM {table}"):
                            into.append(row)
                with contextlib.suppress(apsw.Error):
                    meta = dict(db.execute("SELECT name, value FROM meta"))
                    if isinstance(meta.get("next_seq"), int) and isinstance(meta.get("collector_id"), str):
                        self.next_seq, self.collector_id = meta["next_seq"], meta["collector_id"]
            finally:
                db.close()
