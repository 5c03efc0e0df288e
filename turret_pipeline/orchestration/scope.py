"""What a foreground build covers, and what it has to run for a project: which days of which tables, in how many runs.

Without a word of the caller's, all that is not up to date. A range of days, or names of tables, leave out the rest. A
full refresh computes again what is up to date too; with a range of days and no names of tables that is what is kept
by day of receipt, while the tables of the whole project only follow.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from turret_pipeline.stages import BY_DAY, STAGE_OF
from turret_pipeline.stages.pending import LakeNow

BUILT = frozenset(STAGE_OF)
"""Names of the tables that are built."""


@dataclass(frozen=True)
class Scope:
    """What a caller wants to be built.

    Args:
        first, last: days of receipt, both inclusive; None: from the first, to the last.
        tables: names; empty: all.
        full_refresh: whether what is up to date is computed again.
        days_per_run: how many days one run takes; 0: all that there are.
    """

    first: dt.date | None = None
    last: dt.date | None = None
    tables: frozenset[str] = frozenset()
    full_refresh: bool = False
    days_per_run: int = 0

    def contradiction(self) -> str | None:
        """Return what is wrong with the scope, in words, or None."""
        if strange := sorted(self.tables - BUILT):
            return f"{strange[0]!r} is not the name of a table that is built; they are {', '.join(sorted(BUILT))}"
        if self.first and self.last and self.first > self.last:
            return f"--from {self.first} is after --to {self.last}"
        if self.days_per_run < 0:
            return "--days-per-run must be 1 or more"
        if self.has_range and self.tables and not self.tables & BY_DAY:
            return f"only {' and '.join(sorted(BY_DAY))} are kept by day of receipt; leave --from and --to out"
        return None

    @property
    def has_range(self) -> bool:
        """Whether it leaves out days of receipt."""
        return self.first is not None or self.last is not None

    def has(self, day: dt.date) -> bool:
        """Whether the day of receipt is in the range."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


@dataclass(frozen=True)
class ProjectRuns:
    """What is to be run for one project.

    Args:
        runs: the days of receipt of each run over the tables `by_day`.
        by_day, by_project: names of the tables to bring up to date; empty: none.
        refresh_days, refresh_project: whether what is up to date is computed again.
        size_bytes: size of the project's raw parts.
    """

    runs: tuple[tuple[dt.date, ...], ...]
    by_day: frozenset[str]
    by_project: frozenset[str]
    refresh_days: bool
    refresh_project: bool
    size_bytes: int = 0


def runs_for(lake_now: LakeNow, project_id: str, pending: Collection[str], scope: Scope) -> ProjectRuns:
    """Return what is to be run for a project whose tables `pending` are not up to date."""
    tables = scope.tables or BUILT
    by_day, by_project = frozenset(tables & BY_DAY), frozenset(tables - BY_DAY)
    parts, days = lake_now.parts_of(project_id), list[dt.date]()
    if by_day and (scope.full_refresh or by_day & set(pending)):
        days = lake_now.stale_days(project_id)
        if scope.full_refresh:
            # With the stale ones, for a day may have rows and no parts any more.
            days = sorted({part.received_date for part in parts}.union(days))
        today = dt.datetime.now(dt.UTC).date()
        days = [day for day in days if scope.has(day) and day <= today]
    refresh_project = scope.full_refresh and (bool(scope.tables) or not scope.has_range)
    if not (days or refresh_project or by_project & set(pending)):
        by_project = frozenset()
    size = scope.days_per_run or max(1, len(days))
    runs = tuple(tuple(days[start : start + size]) for start in range(0, len(days), size))
    size_bytes = sum(part.size_bytes for part in parts)
    by_day = by_day if days else frozenset()
    return ProjectRuns(runs, by_day, by_project, scope.full_refresh, refresh_project, size_bytes)
