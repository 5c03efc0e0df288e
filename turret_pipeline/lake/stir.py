"""Whether anything has changed in a local lake, told by the time of one file, which a look costs next to nothing.

Whatever changes a local lake moves that time on right after (`stirred`, by way of `heads.moved`). So the daemon, which
has neither pyarrow nor polars in its memory, need not have the whole lake looked at every few seconds.

The file is never the truth: a process that is killed between its change and this, or one of an earlier version, tells
nobody. So who rests by it looks at the lake itself now and then.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import orjson

FILE = "stirred"
WAITING = "waiting.json"
"""What `lake.waiting` leaves; a test holds the names together."""


def stirred(root: str) -> None:
    """After this call a look at the local lake in the folder `root` finds that it has changed."""
    file = Path(root) / FILE
    # A lake that cannot be written, or has just been taken away, stops nothing here.
    with contextlib.suppress(OSError):
        file.touch()
        # Set in full: a file system's own clock is coarse, and two changes within its tick would look like one.
        os.utime(file, ns=(time.time_ns(), time.time_ns()))


def last_stirred(root: str) -> int:
    """Return what tells changes apart: another number after each; 0 where there was none."""
    try:
        return (Path(root) / FILE).stat().st_mtime_ns
    except OSError:
        return 0


def nothing_waits(root: str) -> bool:
    """Return whether the pipeline's last look found everything up to date."""
    try:
        found = orjson.loads((Path(root) / WAITING).read_bytes())
        return isinstance(found, dict) and not found.get("waiting", True)
    except (OSError, ValueError):
        return False
