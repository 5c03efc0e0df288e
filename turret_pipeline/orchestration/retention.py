"""Which of Dagster's runs may be forgotten: old ones that nothing in the UI rests on any more.

With a run Dagster forgets what it materialized, and a partition whose latest materialization is gone counts as never
built. So a run is kept as long as it holds the latest materialization of any partition of any asset, however old.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator

import dagster as dg

KEPT_FOR = dt.timedelta(days=14)
"""Age up to which every run is kept: what is plotted over time goes back so far."""
FAILED_KEPT_FOR = dt.timedelta(days=60)
MOST_SECONDS = 600.0
"""A run takes some milliseconds to delete; what does not fit into one night has its turn in the next."""
_PAGE = 500

SUCCESSFUL = [dg.DagsterRunStatus.SUCCESS]
UNSUCCESSFUL = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def forget_runs(instance: dg.DagsterInstance, now: dt.datetime, most_seconds: float = MOST_SECONDS) -> tuple[int, int]:
    """After this call old runs are gone, but none that holds a latest materialization. Return (forgotten, held)."""
    deadline = time.monotonic() + most_seconds
    needed = latest_runs(instance)
    forgotten, held = 0, 0
    for statuses, age in ((SUCCESSFUL, KEPT_FOR), (UNSUCCESSFUL, FAILED_KEPT_FOR)):
        for run_id in list(_older(instance, statuses, now - age)):
            if run_id in needed:
                held += 1
            elif time.monotonic() < deadline:
                instance.delete_run(run_id)
                forgotten += 1
    return forgotten, held


def latest_runs(instance: dg.DagsterInstance) -> set[str]:
    """Return the runs that hold the latest materialization of some partition of some asset."""
    found = set()
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    for asset in instance.all_asset_keys():
        latest = instance.event_log_storage.get_latest_storage_id_by_partition(asset, kind)
        ids = sorted(latest.values())
        for start in range(0, len(ids), _PAGE):
            wanted = dg.EventRecordsFilter(kind, asset_key=asset, storage_ids=ids[start : start + _PAGE])
            records = instance.event_log_storage.get_event_records(wanted)
            found |= {record.run_id for record in records}
        newest = instance.get_latest_materialization_event(asset)
        if newest is not None:
            found.add(newest.run_id)
    return found


def _older(instance: dg.DagsterInstance, statuses: list[dg.DagsterRunStatus], before: dt.datetime) -> Iterator[str]:
    cursor = None
    while True:
        page = instance.get_run_records(
            dg.RunsFilter(statuses=statuses, created_before=before), limit=_PAGE, cursor=cursor
        )
        yield from (record.dagster_run.run_id for record in page)
        if len(page) < _PAGE:
            return
        cursor = page[-1].dagster_run.run_id
