"""Imported by every Python process that has this folder on its PYTHONPATH: makes it die, or wait, at a failpoint.

`$TURRET_HOME/at-failpoint` says which and what: `events.after_day die`, or `… wait`, until the file is gone.
"""

import os
import signal
import time
from pathlib import Path

from turret_pipeline.lake import failpoint

_ORDER = Path(os.environ["TURRET_HOME"]) / "at-failpoint"


def _obey(name: str) -> None:
    try:
        point, what = _ORDER.read_text().split()
    except (OSError, ValueError):
        return
    if point != name:
        return
    if what == "die":
        _ORDER.unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGKILL)
    _ORDER.with_name("waits").touch()
    while _ORDER.exists():
        time.sleep(0.05)


failpoint.on_reached = _obey
