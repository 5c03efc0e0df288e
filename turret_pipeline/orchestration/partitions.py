"""The partitions of the assets: projects, and days of receipt by project."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from turret_pipeline.lake.first_day import handed_down

PROJECT, DAY = "project", "day_of_receipt"
PROJECTS = dg.DynamicPartitionsDefinition(name=PROJECT)

FIRST_DAY = handed_down()
"""The first partition by day: the first day received. It stands for the days before it too, which unset clocks make."""
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
        # Dimensions stand in order of their names, `day_of_receipt` before `project`. So did `date`, as it was called:
        # what was materialized then still is.
        day, _, project = key.partition("|")
        found.setdefault(project, []).append(dt.date.fromisoformat(day))
    return found
