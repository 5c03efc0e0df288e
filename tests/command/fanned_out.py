"""`python -m tests.command.fanned_out LAKE PROJECT FLAG LAST`: work in chunks on Ray.

A worker dies in the midst of the first work, and a chunk of it cannot be done: FLAG.json tells what came of it. The
second are the stages up to that of the table LAST.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

from turret_pipeline.lake.paths import Lake
from turret_pipeline.orchestration.workshop import fanout_of
from turret_pipeline.settings import Settings
from turret_pipeline.stages import STAGE_OF, STAGES, by_day, embeddings
from turret_pipeline.stages.work import Work

CHUNK_TEXTS, BATCH_ROWS = 20, 50


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
    root, project, flag, last = sys.argv[1:]
    fanout, found, error = fanout_of(Settings.from_environment()), [], ""
    try:
        for square in fanout(partial(squared, flag), range(20)):
            found.append(square)
    except KeyError as raised:
        error = raised.args[0]
    # Not printed: Ray prints in between.
    Path(flag).with_suffix(".json").write_text(json.dumps([found, error]))
    embeddings.CHUNK_TEXTS = CHUNK_TEXTS
    by_day.BATCH_ROWS = BATCH_ROWS
    for stage in STAGES[: STAGES.index(STAGE_OF[last]) + 1]:
        stage.bring(Work(Lake(root), project, fanout=fanout))


if __name__ == "__main__":
    main()
