"""The text of `/metrics`: of this collector process, and of the others that share its port.

Which process answers a scrape is chance. So each leaves its figures in its spool folder every few seconds, and the one
that is asked gives them all, told apart by the label `worker` (the name of the spool's folder). Figures of a process
that has ended are left out once they are old, and a new process in the same folder replaces them.

Not prometheus-client's own multiprocess mode: it adds the counters and histograms of all workers up without a label,
and gives 0 for a gauge that is read when asked, such as requests in flight. Two collectors in one process, which there
are while one takes up a left spool, overwrite each other's values there, and an increment costs 1.5 to 5 times as much.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

METRICS_FILE = "metrics.json"
LEAVE_EVERY_S = 2.0
STALE_S = 15.0


class Family(msgspec.Struct):
    """One metric with its samples: (name, labels, value)."""

    name: str
    documentation: str
    type: str
    samples: list[tuple[str, dict[str, str], float]]


def leave(registry: CollectorRegistry, folder: Path) -> None:
    """After this call the other processes find the figures of `registry` in `folder`. Raise `OSError` if not."""
    temporary = folder / f"{METRICS_FILE}.tmp"
    temporary.write_bytes(msgspec.json.encode(_families(registry)))
    temporary.replace(folder / METRICS_FILE)


def exposition(registry: CollectorRegistry, folder: Path) -> bytes:
    """Return what is in `registry` now, and what the processes in the folders beside `folder` left, as text.

    The text is in Prometheus's format; each sample has the label `worker`.
    """
    found = {folder.name: _families(registry)}
    for file in folder.parent.glob(f"*/{METRICS_FILE}"):
        try:
            if file.parent.name not in found and time.time() - file.stat().st_mtime < STALE_S:
                found[file.parent.name] = msgspec.json.decode(file.read_bytes(), type=list[Family])
        except (OSError, msgspec.MsgspecError):
            continue  # its process is just replacing it, or just ending; the next scrape has it
    merged = CollectorRegistry()
    merged.register(_Merged(found))
    return generate_latest(merged)


def _families(registry: CollectorRegistry) -> list[Family]:
    return [
        Family(each.name, each.documentation, each.type, [(s.name, s.labels, s.value) for s in each.samples])
        for each in registry.collect()
    ]


class _Merged:
    """The figures of several processes as one set of metrics."""

    def __init__(self, found: dict[str, list[Family]]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        merged: dict[str, Metric] = {}
        for worker, families in sorted(self._found.items()):
            for family in families:
                metric = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for name, labels, value in family.samples:
                    metric.add_sample(name, {"worker": worker, **labels}, value)
        return merged.values()
