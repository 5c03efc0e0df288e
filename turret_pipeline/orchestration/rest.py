"""When the sensor's daemon need not look, because nothing can have changed since it looked last.

A tick of the sensor has the code server look at the whole lake, and leaves rows in Dagster's tables. Asked every few
seconds on a system that has nothing to do, that is a good part of what such a system costs.
"""

from __future__ import annotations

from turret_pipeline.lake.stir import last_stirred, nothing_waits
from turret_pipeline.orchestration.pulse import Pulse

TICK_S = 5
"""Seconds between two looks of the sensor while there is something to do."""
REST_S = 30.0
"""Seconds after which a daemon looks though nothing says that it should; far below `waiting.OLD_S`."""


class Rest:
    """Tells the sensor's daemon when to look. One thread only.

    Args:
        lake: address of the lake.
        pulse: what Dagster's tables say.
    """

    def __init__(self, lake: str, pulse: Pulse) -> None:
        self._lake = lake
        self._pulse = pulse
        self._looked_at = float("-inf")
        self._stirred = -1

    def is_over(self, now: float) -> bool:
        """Return whether it is time to look, and take it that it is done. now: seconds, never going back."""
        since_s = now - self._looked_at
        if since_s < TICK_S:
            return False
        # Read before the look, so that what changes while it lasts leads to another.
        stirred = last_stirred(self._lake)
        if since_s < REST_S and "://" not in self._lake and stirred == self._stirred and nothing_waits(self._lake):
            beat = self._pulse.beat()
            if not (beat.is_under_way or beat.is_queued):
                return False
        self._looked_at, self._stirred = now, stirred
        return True
