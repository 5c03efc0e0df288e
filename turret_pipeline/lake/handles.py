"""Open Delta tables of a lake on S3, kept by the process for whoever needs one next.

To open a table reads each commit since its checkpoint, twice, and makes a connection of its own; to bring one that is
open up to date is one listing, where nothing is new. A table that is open moves forward with its commits, so no two
users may share one: it is lent out, and comes back by itself when the last reference to it is gone.

    not open ──lent──▶ in use ──reference gone──▶ idle ──listing: the same table, nothing newer──▶ lent again
                                                   ├──listing: newer commits──▶ brought up to date, lent again
                                                   └──listing: its commit is not there, or is another──▶ dropped

A local lake opens a table anew each time, which takes a millisecond.
"""

from __future__ import annotations

import copy
import threading
import weakref
from dataclasses import dataclass

import deltalake

from turret_pipeline.lake import objects
from turret_pipeline.lake.paths import Lake

MOST_IDLE = 4
"""Open tables of one address that are kept."""


@dataclass
class _Idle:
    """A table that is open and not in use; tag: version (ETag) of the commit at `version`; "": not known."""

    opened: deltalake.DeltaTable
    version: int = -1
    tag: str = ""


_idle: dict[str, list[_Idle]] = {}
_lock = threading.RLock()  # what takes a table back may run at any line of this thread


def newest(lake: Lake, address: str) -> deltalake.DeltaTable:
    """Return the table at its newest version, for the caller alone.

    Raises:
        deltalake.exceptions.TableNotFoundError: it was never written.
        UnreachableError: the store does not answer.
    """
    with _lock:
        known = _idle[address].pop() if _idle.get(address) else None
    if known is not None and not _is_brought(lake, address, known):
        known = None
    if known is None:
        known = _Idle(deltalake.DeltaTable(address))
    lent = copy.copy(known.opened)  # another shell around the same state: its end is the end of this use
    weakref.finalize(lent, _take_back, address, known).atexit = False
    return lent


def forget(address: str) -> None:
    """After this call the table is opened anew: it was removed."""
    with _lock:
        _idle.pop(address, None)


def tail(lake: Lake, address: str, version: int) -> dict[int, str]:
    """Return the commits from `version` on that the table's log has, by number, each with its version (ETag)."""
    found = objects.listed(lake, f"{address}/_delta_log", f"{version - 1:020d}.json" if version else "")
    return {int(each.name[:20]): each.tag for each in found if len(each.name) == 25 and each.name[:20].isdigit()}


def _is_brought(lake: Lake, address: str, known: _Idle) -> bool:
    """Bring the table to its newest version; return whether it is still the same table."""
    version = int(known.opened.version())
    commits = tail(lake, address, version)
    tag = known.tag if known.version == version else ""
    if version not in commits or (tag and commits[version] != tag):
        return False
    if max(commits) > version:
        known.opened.update_incremental()
    known.version = int(known.opened.version())
    known.tag = commits.get(known.version, "")
    return True


def _take_back(address: str, known: _Idle) -> None:
    with _lock:
        idle = _idle.setdefault(address, [])
        if len(idle) < MOST_IDLE:
            idle.append(known)
