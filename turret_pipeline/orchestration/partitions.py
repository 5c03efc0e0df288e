"""The partitions of the assets: projects, and days of receipt by project."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import dagster as dg

PROJECT, DAY = "project", "date"
PROJECTS = dg.DynamicPartitionsDefinition(name=PROJECT)

FIRST_DAY = dt.date(2026, 1, 1)
"""The first partition by day; no Turret is older. It stands for the days before it too, which unset clocks make."""
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
