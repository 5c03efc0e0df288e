"""Open Delta tables of a lake on S3, kept by the process for whoever needs one next.

To open a table reads each commit since its checkpoint, twice, and makes a connection of its own; to bring one that is
open up to date is one listing, where nothing is new. A table that is open moves forward with its commits, so no two
users may share one: it is lent out, and comes back by itself when the last reference to it is gone.

    not open ──lent──▶ in use ──reference gone──▶ idle ──listing: the same table, nothing newer──▶ lent again
                                                   ├──no listing: `Lake.versions` says the same──▶ lent again
                                                   ├──listing: newer commits──▶ brought up to date, lent again
                                                   └──listing: its commit is not there, or is another──▶ dropped

A local lake opens a table anew each time, which takes a millisecond. Tables to which people write are listed each time:
they are under no lock.
"""

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass

import deltalake
from deltalake.exceptions import TableNotFoundError

from turret_pipeline.lake import objects
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.schema import Table

ABSENT = -1
"""Version of a table that was never written."""
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


def newest(lake: Lake, table: Table) -> deltalake.DeltaTable:
    """Return the table at its newest version, for the caller alone.

    Raises:
        deltalake.exceptions.TableNotFoundError: it was never written.
        UnreachableError: the store does not answer.
    """
    address, versions = lake.table(table.name), None if table.is_kept else lake.versions
    expected = None if versions is None else versions.of.get(address)
    if expected == ABSENT:
        raise TableNotFoundError(address)
    with _lock:
        known = _idle[address].pop() if _idle.get(address) else None
    if known is not None and known.opened.version() != expected and not _is_brought(lake, address, known):
        known = None
    if known is None:
        try:
            known = _Idle(deltalake.DeltaTable(address))
        except TableNotFoundError:
            if versions is not None:
                versions.looked(address, ABSENT, _tag(lake, table))
            raise
    if versions is not None and expected != known.opened.version():
        versions.looked(address, int(known.opened.version()), _tag(lake, table))
    lent = copy.copy(known.opened)  # another shell around the same state: its end is the end of this use
    weakref.finalize(lent, _take_back, address, known).atexit = False
    return lent


def _tag(lake: Lake, table: Table) -> str:
    return lake.look.tag(f"tables/{table.name}") if lake.look is not None else ""


def forget(address: str) -> None:
    """After this call the table is opened anew: it was removed."""
    with _lock:
        _idle.pop(address, None)


def tail(lake: Lake, address: str, version: int) -> dict[int, str]:
    """Return the commits from `version` on that the table's log has, by number, each with its version (ETag)."""
    return commits_of(log_files(lake, address, version))


def log_files(lake: Lake, address: str, version: int = 0) -> dict[str, str]:
    """Return the names of the files of the table's log from `version` on, each with its version (ETag), in order."""
    found = objects.listed(lake, f"{address}/_delta_log", f"{version - 1:020d}.json" if version else "")
    return {each.name: each.tag for each in found}


def commits_of(names: Mapping[str, str]) -> dict[int, str]:
    """Return those of a log's files that are commits, by number."""
    return {int(name[:20]): tag for name, tag in names.items() if len(name) == 25 and name[:20].isdigit()}


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
