"""Leaving in the lake what waits to be built, after each look at it: the sensor's, and that of a foreground build."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from turret_pipeline.lake import waiting
from turret_pipeline.lake.damage import note
from turret_pipeline.lake.paths import Lake
from turret_pipeline.stages.pending import LakeNow

WRITE_S = 15.0
"""Seconds after which the same is written again, to say that the pipeline still looks; far below `waiting.OLD_S`."""

_last: dict[str, waiting.Seen] = {}
"""By lake on S3 what this process wrote last: it is not read at each look, every few seconds."""


def note_waiting(lake: Lake, lake_now: LakeNow, pending: Mapping[str, Mapping[str, int]], now: float) -> None:
    """After this call readers of the lake know what waits, and for what damage some of it cannot be built.

    A lake that cannot be written stops nothing here. pending: of every project, the tables that are not up to date.
    now: when `lake_now` was made, in seconds since 1970.
    """
    for damage in {each for project in pending for each in lake_now.damage(project)}:
        note(lake, damage)
    with contextlib.suppress(OSError):
        before = _last.get(lake.root)
        if lake.is_local or before is None or abs(now - before.at) >= WRITE_S:
            before = waiting.read(lake)
        made_from = {
            project: {table: lake_now.made_from(project, table) for table in tables}
            for project, tables in pending.items()
        }
        seen = waiting.follow(before, made_from, now)
        if before is None or seen.waiting != before.waiting or abs(now - before.at) >= WRITE_S:
            waiting.write(lake, seen)
            _last[lake.root] = seen
