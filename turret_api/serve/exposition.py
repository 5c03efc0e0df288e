"""The text of `/metrics`: of this collector process, and of the others that share its port.

Which process answers a scrape is chance, so each leaves its figures in its spool folder every few seconds, and the one
that is asked gives them all, told apart by the label `worker` (the number of the spool's folder).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

if TYPE_CHECKING:
    from turret_api.collector.collector import Collector

METRICS_FILE = "metrics.json"
KEEP_EVERY_S = 2.0
_STALE_S = 15.0


class Family(msgspec.Struct):
    """One metric with its samples: (name, labels, value)."""

    name: str
    documentation: str
    type: str
    samples: list[tuple[str, dict[str, str], float]]


def families(registry: CollectorRegistry) -> list[Family]:
    """Return what `registry` holds."""
    return [
        Family(each.name, each.documentation, each.type, [(s.name, s.labels, s.value) for s in each.samples])
        for each in registry.collect()
    ]


def keep(registry: CollectorRegistry, folder: Path) -> None:
    """Leave the figures in `folder` for the other processes."""
    temporary = folder / f"{METRICS_FILE}.tmp"
    temporary.write_bytes(msgspec.json.encode(families(registry)))
    temporary.replace(folder / METRICS_FILE)


def exposition(collector: Collector) -> bytes:
    """Return the figures of this process and of the others on the same spools in Prometheus's text format."""
    found = {collector.slot.folder.name: families(collector.metrics.registry)}
    for file in collector.slot.folder.parent.glob(f"*/{METRICS_FILE}"):
        try:
            if file.parent.name not in found and time.time() - file.stat().st_mtime < _STALE_S:
                found[file.parent.name] = msgspec.json.decode(file.read_bytes(), type=list[Family])
        except (OSError, msgspec.MsgspecError):
            continue  # just being replaced, or its process is just ending; the next scrape has it
    registry = CollectorRegistry()
    registry.register(_Merged(found))
    return generate_latest(registry)


class _Merged:
    """The figures of several processes as one set of metrics."""

    def __init__(self, found: dict[str, list[Family]]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        merged: dict[str, Metric] = {}
        for worker, members in sorted(self._found.items()):
            for family in members:
                metric = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for name, labels, value in family.samples:
                    metric.add_sample(name, {"worker": worker, **labels}, value)
        return merged.values()
