"""What the assets share: partitions, resources, the lock around a stage, and what is shown of a table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from turret_pipeline.analysis.labels.language_model import LanguageModel
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.orchestration.locks import sole_writer
from turret_pipeline.settings import Settings
from turret_pipeline.stages.work import Outcome, Work

PROJECT, DAY = "project", "date"
PROJECTS = dg.DynamicPartitionsDefinition(name=PROJECT)
OWNERS = ["team:turret"]


def _untold(*args: object) -> None:
    """Nobody listens."""


class RefreshResource(dg.ConfigurableResource):
    """Whether to compute again what is up to date; to be set at the launch of a run or a backfill."""

    full: bool = False


@dataclass(frozen=True)
class Workshop:
    """What assets work with: the settings, and who is told how it goes.

    Args:
        tell: called with (project_id, stage, done, total) as a long stage goes on.
        done: called with (project_id, outcome) after each stage.
        waits: called with a sentence when another process has the project.
    """

    settings: Settings
    tell: Callable[[str, str, int, int], None] = _untold
    done: Callable[[str, Outcome], None] = _untold
    waits: Callable[[str], None] = _untold

    @property
    def lake(self) -> Lake:
        return self.settings.open_lake()

    def _suggest(self) -> LanguageModel | None:
        found = self.settings
        if found.llm_url is None or found.llm_model is None:
            return None
        return LanguageModel(found.llm_url, found.llm_model, found.llm_key)

    @property
    def database_url(self) -> str:
        if self.settings.database_url is None:
            raise dg.Failure("TURRET_DATABASE_URL is not set; the lock that keeps two builds apart is there")
        return self.settings.database_url

    @contextmanager
    def work(self, project_id: str, refresh: bool, say: Callable[[str], None]) -> Iterator[Work]:
        """Yield the project's work while no other process brings the project up to date."""
        work = Work(
            self.lake,
            project_id,
            self.settings.model,
            refresh,
            self._suggest(),
            lambda stage, done, total: self.tell(project_id, stage, done, total),
            self.settings.clusters,
        )

        def wait() -> None:
            for hear in (say, self.waits):
                hear(f"another process is building {project_id}; waiting for it")

        with sole_writer(self.database_url, self.lake, project_id, wait):
            yield work


FIRST_DAY = dt.date(2026, 1, 1)
"""The first partition by day; no Turret is older. It stands for the days before it too: an unset clock stops nobody."""
DAYS_BY_PROJECT = dg.MultiPartitionsDefinition(
    {DAY: dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=1), PROJECT: PROJECTS}
)
"""The partitions of what is about events: UTC day of receipt, up to today whenever that is, by project."""


def day_key(day: dt.date, project: str) -> dg.MultiPartitionKey:
    """Return the key of the partition that holds one day of receipt of one project."""
    return dg.MultiPartitionKey({DAY: max(day, FIRST_DAY).isoformat(), PROJECT: project})


def days_by_project(keys: Sequence[str]) -> dict[str, list[dt.date]]:
    """Return the days of receipt of each project among multi-partition keys."""
    found: dict[str, list[dt.date]] = {}
    for key in keys:
        # Dimensions stand in order of their names, `date` before `project`.
        day, _, project = key.partition("|")
        found.setdefault(project, []).append(dt.date.fromisoformat(day))
    return found


NO_ROWS = {"dagster/partition_row_count": 0, "files": 0, "bytes": 0}
"""What is shown of a partition's size; the names of the numbers, in the order of `ProjectTable.sizes`."""


def row_count(table: ProjectTable) -> dict[str, int]:
    """Return what is shown of the size of the project's share of the table."""
    return dict(zip(NO_ROWS, table.sizes().drop("received_date").sum().row(0), strict=True))


def row_counts(table: ProjectTable) -> dict[dt.date, dict[str, int]]:
    """Return the same by day of receipt, of the days that have rows."""
    return {day: dict(zip(NO_ROWS, counts, strict=True)) for day, *counts in table.sizes().rows()}
