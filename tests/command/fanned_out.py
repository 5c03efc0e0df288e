"""`python -m tests.command.fanned_out LAKE PROJECT FLAG`: work in chunks on Ray, of which FLAG.json tells.

A worker dies in the midst of the first work, and a chunk of it cannot be done; the second is the stage `embeddings`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

from turret_pipeline.fanout import OnRay
from turret_pipeline.lake.paths import Lake
from turret_pipeline.stages import STAGE_OF, embeddings
from turret_pipeline.stages.work import Work

CHUNK_TEXTS = 20


def squared(flag: str, number: int) -> int:
    """Return the square; the first worker that is asked for that of 3 dies, and there is none of 11."""
    if number == 3 and not Path(flag).exists():
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 11:
        raise KeyError("eleven")
    return number * number


def main() -> None:
    """Do both."""
    root, project, flag = sys.argv[1:]
    fanout, found, error = OnRay(), [], ""
    try:
        for square in fanout(partial(squared, flag), range(20)):
            found.append(square)
    except KeyError as raised:
        error = raised.args[0]
    # Not printed: Ray prints in between.
    Path(flag).with_suffix(".json").write_text(json.dumps([found, error]))
    embeddings.CHUNK_TEXTS = CHUNK_TEXTS
    STAGE_OF["embeddings"].bring(Work(Lake(root), project, fanout=fanout))


if __name__ == "__main__":
    main()
