"""Partitions by day of receipt: where they begin, and that what was materialized under an earlier name still is."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator

import dagster as dg
import pytest

from tests.small_lake import DAYS, PROJECT, event, put
from turret_pipeline.lake.first_day import EARLIEST, VARIABLE, first_day_received
from turret_pipeline.lake.paths import Lake
from turret_pipeline.orchestration.partitions import DAY, DAYS_BY_PROJECT, PROJECTS, day_key

TODAY = dt.date(2026, 6, 1)
PRINT_DAYS = (
    "from turret_pipeline.orchestration.partitions import DAY, DAYS_BY_PROJECT as by\n"
    "print(DAY, by.get_partitions_def_for_dimension(DAY).get_first_partition_key())"
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster that remembers nothing."""
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions("project", [PROJECT])
        yield made


@pytest.mark.parametrize(
    ("received", "first"),
    [
        ([], TODAY),
        ([dt.date(2026, 5, 2), dt.date(2026, 4, 30)], dt.date(2026, 4, 30)),
        ([dt.date(1970, 1, 1), dt.date(2026, 4, 30)], EARLIEST),
        ([dt.date(2031, 1, 1)], TODAY),
    ],
)
def test_days_begin_with_the_first_received_whatever_clocks_said(
    lake: Lake, received: list[dt.date], first: dt.date
) -> None:
    for number, day in enumerate(received):
        put(lake, day, "a", [event(number, day)])
    assert first_day_received(lake, TODAY) == first


def test_a_lake_that_cannot_be_read_hides_no_day(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Lake) -> None:
        raise OSError("away")

    monkeypatch.setattr("turret_pipeline.lake.first_day.list_parts", fails)
    assert first_day_received(lake, TODAY) == EARLIEST


def test_dagsters_processes_begin_with_the_day_that_is_handed_down() -> None:
    environment = {**os.environ, VARIABLE: "2026-04-30"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PRINT_DAYS], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["day_of_receipt", "2026-04-30"]


def test_what_was_materialized_when_the_dimension_was_called_date_still_is(instance: dg.DagsterInstance) -> None:
    before = dg.MultiPartitionsDefinition(
        {"date": dg.DailyPartitionsDefinition(start_date=EARLIEST.isoformat(), end_offset=1), "project": PROJECTS}
    )

    @dg.asset(name="events", partitions_def=before)
    def events() -> None:
        """The table, as an earlier version declared it."""

    key = dg.MultiPartitionKey({"date": DAYS[0].isoformat(), "project": PROJECT})
    assert dg.materialize([events], partition_key=key, instance=instance).success
    keys = [day_key(day, PROJECT) for day in DAYS[:2]]
    found = instance.get_status_by_partition(dg.AssetKey("events"), keys, DAYS_BY_PROJECT)
    assert found is not None
    assert {key: str(status and status.value) for key, status in found.items()} == {
        keys[0]: "MATERIALIZED",
        keys[1]: "None",
    }
    assert str(keys[0]) == str(key) and DAY == "day_of_receipt"
