"""The first day of receipt that Dagster shows as a partition.

All of Dagster's processes have to agree on it, also those that start later than a first event came. So who starts them
finds it out once, and hands it down in `VARIABLE`; until the next start it stands for earlier days too (where there may
be other hosts, for good). Without it the days begin with `EARLIEST`. Nothing of Dagster is imported here.
"""

from __future__ import annotations

import datetime as dt
import os

from turret_pipeline.lake import heads
from turret_pipeline.lake.parts import list_parts
from turret_pipeline.lake.paths import Lake

VARIABLE = "TURRET_FIRST_DAY"
EARLIEST = dt.date(2026, 1, 1)
"""No Turret is older; days before it are those of clocks that were not set."""


def first_day_received(lake: Lake, today: dt.date) -> dt.date:
    """Return the first day on which an event was received, from `EARLIEST` to `today`; `today` if there is none.

    Where the lake cannot be read it is `EARLIEST`: whoever needs the lake says why.
    """
    try:
        first = min((part.received_date for part in list_parts(heads.look(lake))), default=today)
    except OSError:
        return EARLIEST
    return min(max(first, EARLIEST), today)


def handed_down() -> dt.date:
    """Return the day that our environment names, or `EARLIEST`."""
    return dt.date.fromisoformat(os.environ.get(VARIABLE, EARLIEST.isoformat()))
