"""Old runs are removed, and no partition shows as missing because of that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import dagster as dg
import pytest

from turret_pipeline.orchestration.retention import FAILED_KEPT_FOR, KEPT_FOR, forget_runs

NAMES = ["a", "b", "c"]
PARTITIONS = dg.StaticPartitionsDefinition(NAMES)
NOW = dt.datetime.now(dt.UTC)


@dg.asset(partitions_def=PARTITIONS)
def table() -> None:
    """Something with partitions."""


@dg.asset
def whole() -> None:
    """Something without."""


@dg.asset(partitions_def=PARTITIONS)
def broken() -> None:
    raise dg.Failure("always")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def materialize(instance: dg.DagsterInstance, asset: dg.AssetsDefinition, partition: str | None = None) -> str:
    return dg.materialize([asset], instance=instance, partition_key=partition, raise_on_error=False).run_id


def test_after_retention_every_partition_is_still_materialized(instance: dg.DagsterInstance) -> None:
    for name in NAMES * 2:
        materialize(instance, table, name)
    for _ in range(3):
        materialize(instance, whole)
    failed = materialize(instance, broken, "a")

    assert forget_runs(instance, NOW) == (0, 0)
    assert forget_runs(instance, NOW + KEPT_FOR + dt.timedelta(days=1)) == (5, 4)

    assert instance.get_materialized_partitions(dg.AssetKey("table")) == set(NAMES)
    assert instance.get_latest_materialization_event(dg.AssetKey("whole")) is not None
    assert instance.get_run_by_id(failed) is not None
    assert forget_runs(instance, NOW + FAILED_KEPT_FOR + dt.timedelta(days=1)) == (1, 4)
    assert instance.get_run_by_id(failed) is None


def test_a_night_that_is_too_short_leaves_the_rest_to_the_next(instance: dg.DagsterInstance) -> None:
    for _ in range(3):
        materialize(instance, whole)
    later = NOW + KEPT_FOR + dt.timedelta(days=1)
    assert forget_runs(instance, later, most_seconds=-1) == (0, 1)
    assert forget_runs(instance, later) == (2, 1)
