"""How long events have waited until they are in all tables, whatever holds them up, and what is damaged.

An event waits first in a spool of this host, until its part is in the lake, and then in the lake, until every table has
it (`turret_pipeline.lake.waiting`). It is late once it has waited for longer than the setting says.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from turret_api.collector.rows import Backlog
from turret_api.collector.slots import SPOOL_FILE, slot_folders
from turret_api.collector.spool import SpoolError, SpoolReader
from turret_api.collector.spool_file import fault_of
from turret_pipeline.lake.damage import MEND, DamageError
from turret_pipeline.lake.inspection import Watch, standing
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.waiting import waiting_projects

AT_REST_S = 10.0
"""Seconds without a change after which all of a spool is looked at."""
KEPT_S = 2.0
"""Seconds for which what was found is told again."""


@dataclass(frozen=True)
class Wait:
    """Events that wait: whose (None: of any project), since when (seconds since 1970), and for what.

    table: that they are to be built into first; None: it is not a table that they wait for.
    """

    project_id: str | None
    since: float
    for_what: str
    table: str | None = None

    @property
    def since_utc(self) -> dt.datetime:
        """Since when they wait, in UTC, to the second."""
        return dt.datetime.fromtimestamp(int(self.since), dt.UTC)

    @property
    def words(self) -> str:
        """What waits, in one sentence that names no project."""
        return f"Events have waited {self.for_what} since {self.since_utc:%Y-%m-%d %H:%M:%S} UTC."


class Freshness:
    """What waits in a lake and in the spools of this host, for any number of threads.

    Args:
        lake: where parts and tables are.
        spools: the folder of the spools; None: there are none.
        late_s: seconds that events may wait.
        files_of: returns the data files that a project is answered from, which are watched.
    """

    def __init__(
        self,
        lake: Lake,
        spools: Path | None,
        late_s: float,
        files_of: Callable[[str], Iterable[str]] = lambda project_id: (),
    ) -> None:
        self.late_s = late_s
        self._files_of = files_of
        self._watch = Watch(lake)
        self._lake = lake
        self._spools = spools
        self._lock = threading.Lock()
        self._found: dict[str | None, tuple[float, list[Wait]]] = {}
        self._looked_at: dict[Path, tuple[tuple[int, int], str | None]] = {}
        self._damage: dict[str | None, tuple[float, list[str]]] = {}

    def waits(self, project_id: str | None = None) -> list[Wait]:
        """Return what waits (of one project, default: of all), that which has waited longest first."""
        with self._lock:
            looked_at, found = self._found.get(project_id, (0.0, []))
            now = time.time()
            if not 0 <= now - looked_at < KEPT_S:
                found = sorted(self._look(project_id, now), key=lambda wait: wait.since)
                self._found[project_id] = now, found
            return found

    def damage(self, project_id: str | None = None) -> list[str]:
        """Return what was found damaged and still is (what concerns one project, default: all), a sentence each."""
        with self._lock:
            looked_at, found = self._damage.get(project_id, (0.0, []))
            if not 0 <= time.time() - looked_at < KEPT_S:
                with contextlib.suppress(OSError):  # `waits` tells of a lake that cannot be read
                    self._watch.look(() if project_id is None else self._files_of(project_id))
                    found = [each.words for each in standing(self._lake, project_id)] + self._damaged_spools()
                self._damage[project_id] = time.time(), found
            return found

    def late(self, project_id: str | None = None) -> list[Wait]:
        """Return what waits longer than it should, that which has waited longest first."""
        before = time.time() - self.late_s
        return [wait for wait in self.waits(project_id) if wait.since < before]

    def _look(self, project_id: str | None, now: float) -> list[Wait]:
        found = []
        oldest = [each.oldest_us for each in self._backlogs() if each.oldest_us is not None]
        if oldest:
            found.append(Wait(None, min(oldest) / 1e6, "in the spool to be written to the lake"))
        try:
            for project, waiting in waiting_projects(self._lake, now, project_id).items():
                found.append(Wait(project, waiting.since, f"to be built into the table {waiting.table}", waiting.table))
        except (OSError, DamageError):
            # Nothing of the lake is known, so the worst is assumed.
            found.append(Wait(project_id, 0.0, "for a lake that cannot be read"))
        return found

    def _backlogs(self) -> list[Backlog]:
        return [] if self._spools is None else backlogs(self._spools)

    def _damaged_spools(self) -> list[str]:
        found = []
        for folder in [] if self._spools is None else slot_folders(self._spools):
            file = folder / SPOOL_FILE
            about = file.stat()
            stamp = about.st_size, about.st_mtime_ns
            known = self._looked_at.get(file)
            if known is None or known[0] != stamp:
                # One that is written to is looked at quickly; its collector notices what is wrong as it reads.
                is_at_rest = time.time() - about.st_mtime > AT_REST_S
                fault = fault_of(file, None if is_at_rest else 0)
                known = (stamp, fault)
                if is_at_rest:
                    self._looked_at[file] = known
            if known[1]:
                found.append(f"The spool {folder.name} is damaged: {SPOOL_FILE} {known[1]}; `{MEND}` mends it.")
        return found


def backlogs(spools: Path) -> list[Backlog]:
    """Return for each spool in the folder how many events wait in it, at most, and since when.

    Those that cannot be read are left out: what tells of damage tells of them.
    """
    found = []
    for folder in slot_folders(spools):
        with (
            contextlib.suppress(SpoolError),
            contextlib.closing(SpoolReader(folder / SPOOL_FILE)) as reader,
        ):
            found.append(reader.backlog())
    return found
