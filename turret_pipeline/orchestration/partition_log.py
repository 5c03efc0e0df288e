"""What Dagster is told of the partitions of a batch: which are materialized, and which were meant to be.

Dagster plans and writes each of them by itself, which costs more than the work on a small project. Here those of a step
are stored with one statement, and only those that failed are planned: that makes them count as failed. The run bears
the tag by which Dagster leaves its partitions to us (`batches`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.partitions.utils.multi import get_tags_from_multi_partition_key
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry

AT_ONCE = 500
"""Events that go into the database with one statement."""


def failed(context: dg.AssetExecutionContext, step: str, asset: str, keys: Iterable[str]) -> None:
    """After this call the partitions count as failed, once the run has."""
    for key in keys:
        planned = AssetMaterializationPlannedData(dg.AssetKey(asset), partition=key)
        event = DagsterEvent.build_asset_materialization_planned_event(context.run.job_name, step, planned)
        context.instance.report_dagster_event(event, context.run.run_id, logging.DEBUG)


def materialized(
    context: dg.AssetExecutionContext, step: str, asset: str, shown: Mapping[str, Mapping[str, Any]]
) -> None:
    """After this call the partitions of the asset that are in `shown` are materialized, each with its metadata."""
    entries = [_entry(context, step, asset, key, metadata) for key, metadata in shown.items()]
    for start in range(0, len(entries), AT_ONCE):
        context.instance.event_log_storage.store_event_batch(entries[start : start + AT_ONCE])


def _entry(
    context: dg.AssetExecutionContext, step: str, asset: str, key: str, metadata: Mapping[str, Any]
) -> EventLogEntry:
    tags = get_tags_from_multi_partition_key(key) if isinstance(key, dg.MultiPartitionKey) else None
    made = dg.AssetMaterialization(asset, metadata=metadata, partition=key, tags=tags)
    event = DagsterEvent(
        event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
        job_name=context.run.job_name,
        event_specific_data=StepMaterializationData(made),
        message="Materialized value.",
        step_key=step,
    )
    return EventLogEntry(  # type: ignore[no-untyped-call]
        error_info=None,
        user_message="",
        level=logging.DEBUG,
        run_id=context.run.run_id,
        timestamp=time.time(),
        step_key=step,
        job_name=context.run.job_name,
        dagster_event=event,
    )
