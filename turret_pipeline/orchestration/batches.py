"""Runs over many small projects: which projects are small, how many go together, and what tells a run which they are.

A run costs some seconds whatever it does, and so does each table that it opens. So small projects share a run: as many
as make a bounded amount of work, told by the bytes of their raw parts. A large project has runs of its own, and the
queue (`dagster_home/dagster.yaml`) always leaves places for runs over small ones.

Dagster gives a run one partition, or a range; which projects have something to do is neither. So the partitions of a
batch stand in its run's configuration, and the run bears the tag by which Dagster leaves it to us to say which
partitions were planned and materialized (`partition_log`). The partition that the run itself is of is the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import dagster as dg
from dagster._core.storage.tags import EXTERNALLY_MANAGED_ASSETS_TAG

BATCH_TAG = "turret/batch"
"""Tag of a run over many projects: how many there are."""
SIZE_TAG, SMALL, LARGE = "turret/size", "small", "large"
"""Tag of the daemon's runs, with its values; the queue has places for each."""

SMALL_BYTES = 1024 * 1024
"""Size of a project's raw parts up to which it is small: some 10,000 events."""
MOST_BYTES = 16 * 1024 * 1024
"""Work of one batch: raw parts, and for each partition as many bytes as take the time that it costs anyway."""
PARTITION_BYTES = 64 * 1024
MOST_BATCHES = 4
"""Unfinished runs over small projects past which none is asked for: what comes meanwhile goes into the next."""
MOST_ALONE = 8
"""Projects that are tried again each in a run of its own; of more, batches get smaller with every try."""
SHRINK = 8

BATCH = "batch"
"""Name of the resource that holds a batch."""

Item = TypeVar("Item")


class BatchResource(dg.ConfigurableResource[Any]):
    """The partitions of a run over many projects; none: the run's own."""

    partitions: list[str] = []  # noqa: RUF012 - pydantic copies it


def batch_config(keys: Sequence[str]) -> dict[str, Any]:
    """Return the configuration of a run over these partitions."""
    return {"resources": {BATCH: {"config": {"partitions": list(keys)}}}}


def batch_tags(n_projects: int) -> dict[str, str]:
    """Return the tags of a run over so many projects.

    It is not tried again as a whole: who asked for it asks for what is left.
    """
    return {BATCH_TAG: f"{n_projects} projects", EXTERNALLY_MANAGED_ASSETS_TAG: "true", "dagster/max_retries": "0"}


def keys_of(run: dg.DagsterRun) -> list[str]:
    """Return the partitions of a run over many projects; none for any other run."""
    if BATCH_TAG not in run.tags:
        return []
    found: Any = run.run_config
    for name in ("resources", BATCH, "config", "partitions"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return [str(key) for key in found or ()]


def weight(size_bytes: int, n_partitions: int) -> int:
    """Return the work, in bytes, that a project is in a batch. size_bytes: size of its raw parts."""
    return size_bytes + PARTITION_BYTES * max(1, n_partitions)


def batches(weights: Iterable[tuple[Item, int]], most_bytes: int = MOST_BYTES) -> list[list[Item]]:
    """Return the items in order, in groups of at most `most_bytes` each; a heavier one is alone. weights: in bytes."""
    found: list[list[Item]] = []
    total = most_bytes
    for item, weight in weights:
        if not found or total + weight > most_bytes:
            found.append([])
            total = 0
        found[-1].append(item)
        total += weight
    return found
