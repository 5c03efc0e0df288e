"""What the assets share: partitions, resources, the lock around a stage, and how an outcome is shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from turret_pipeline.analysis.labels_llm import LanguageModel
from turret_pipeline.checks import CHECKS, Finding
from turret_pipeline.lake.parts import list_parts
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.settings import Settings
from turret_pipeline.lake.tables import Table
from turret_pipeline.locks import sole_writer
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

    @contextmanager
    def work(self, project_id: str, refresh: bool, say: Callable[[str], None]) -> Iterator[Work]:
        """Yield the project's work while no other process brings the project up to date."""
        if self.settings.database_url is None:
            raise dg.Failure("TURRET_DATABASE_URL is not set; the lock that keeps two builds apart is there")
        work = Work(
            self.lake,
            project_id,
            self.settings.model,
            refresh,
            self._suggest(),
            lambda stage, done, total: self.tell(project_id, stage, done, total),
        )

        def wait() -> None:
            for hear in (say, self.waits):
                hear(f"another process is building {project_id}; waiting for it")

        with sole_writer(self.settings.database_url, self.lake, project_id, wait):
            yield work


def day_and_project(lake: Lake) -> dg.MultiPartitionsDefinition:
    """Return the partitions of what is about events: UTC day of receipt by project.

    The days begin a month before the first raw event that is there when the definitions are loaded, or before today.
    """
    first = min((part.received_date for part in list_parts(lake)), default=dt.datetime.now(dt.UTC).date())
    start = (first - dt.timedelta(days=31)).replace(day=1)
    days = dg.DailyPartitionsDefinition(start_date=start.isoformat(), end_offset=1)
    return dg.MultiPartitionsDefinition({DAY: days, PROJECT: PROJECTS})


def days_by_project(keys: Sequence[str]) -> dict[str, list[dt.date]]:
    """Return the days of receipt of each project among multi-partition keys; raise `Failure` where there are none."""
    found: dict[str, list[dt.date]] = {}
    for key in keys:
        # Dimensions stand in order of their names, `date` before `project`.
        day, _, project = key.partition("|")
        found.setdefault(project, []).append(dt.date.fromisoformat(day))
    if not found:
        # A range whose end is before its start has no keys, and would otherwise succeed.
        raise dg.Failure("the range of partitions is empty: is its start after its end?")
    return found


def projects(context: dg.AssetExecutionContext) -> list[str]:
    """Return the projects of a run; raise `Failure` where there are none."""
    if not context.partition_keys:
        raise dg.Failure("the range of partitions is empty: is its start after its end?")
    return list(context.partition_keys)


def described(table: Table) -> dict[str, Any]:
    """Return the metadata of an asset that follows from its table's declaration: the columns and their meaning."""
    columns = [
        dg.TableColumn(
            column.name,
            str(column.dtype),
            column.meaning,
            dg.TableColumnConstraints(nullable=column.nullable, unique=table.key == (column.name,)),
        )
        for column in table.columns
    ]
    key = ", ".join(table.key)
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/table_name": table.name,
        "unique by": key,
    }


def check_specs(*tables: Table) -> list[dg.AssetCheckSpec]:
    """Return the checks that `checks` has for the tables."""
    return [
        dg.AssetCheckSpec(name, asset=table.name, description=check.meaning, blocking=check.blocking)
        for table in tables
        for name, check in CHECKS[table.name].items()
    ]


def check_results(lake: Lake, table: str, project_ids: Sequence[str]) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of the table's checks over the projects' rows."""
    for name, check in CHECKS[table].items():
        findings: dict[str, Finding] = {project: check.find(lake, project) for project in project_ids}
        wrong = {project: finding for project, finding in findings.items() if finding.n_wrong}
        metadata: dict[str, Any] = {
            "looked at": sum(finding.n_seen for finding in findings.values()),
            "wrong": sum(finding.n_wrong for finding in findings.values()),
        }
        if wrong:
            metadata["for example"] = "; ".join(f"{project}: {finding.example}" for project, finding in wrong.items())
        yield dg.AssetCheckResult(passed=not wrong, asset_key=table, check_name=name, metadata=metadata)


def show(
    context: dg.AssetExecutionContext, outcome: Outcome, partition_key: str | None = None, asset: str | None = None
) -> None:
    """Log an outcome that changed something, and attach it to the materialization of `partition_key` if given."""
    if partition_key is not None:
        metadata = {"rows written": outcome.n_rows, "seconds": round(outcome.seconds, 3), **outcome.facts}
        context.add_asset_metadata(metadata, asset_key=asset, partition_key=partition_key)
    if outcome.n_rows:
        context.log.info(f"{outcome.n_rows} rows of {outcome.stage} in {outcome.seconds:.1f} s")
