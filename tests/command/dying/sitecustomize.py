"""Imported by every Python process that has this folder on its PYTHONPATH: makes it die, or wait, at a failpoint.

`$TURRET_HOME/at-failpoint` says which and what: `events.after_day die`, or `… wait`, until the file is gone or says
something else.
"""

import os
import signal
import time
from pathlib import Path

from turret_pipeline import failpoint

_ORDER = Path(os.environ["TURRET_HOME"]) / "at-failpoint"


def _obey(name: str) -> None:
    ordered = _ordered()
    if ordered not in (f"{name} die", f"{name} wait"):
        return
    if ordered.endswith("die"):
        _ORDER.unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGKILL)
    _ORDER.with_name("waits").touch()
    while _ordered() == ordered:
        time.sleep(0.05)


def _ordered() -> str:
    try:
        return _ORDER.read_text()
    except OSError:
        return ""


failpoint.on_reached = _obey
