"""`python -m tests.command.fanned_out LAKE PROJECT FIRST LAST [FLAG]`: stages on Ray, in small chunks.

Those from the table FIRST to LAST. With FLAG there is other work before: a worker dies in the midst of it, and a chunk
of it cannot be done. FLAG.json tells what came of it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

from turret_pipeline.fanout import Fanout
from turret_pipeline.lake.paths import Lake
from turret_pipeline.orchestration.workshop import fanout_of
from turret_pipeline.settings import Settings
from turret_pipeline.stages import STAGE_OF, STAGES, by_day, embeddings, field_profiles
from turret_pipeline.stages.fits import field, fit
from turret_pipeline.stages.work import Work

SMALL_CHUNKS = (
    (field_profiles, "SPREAD_EVENTS", 0),
    (embeddings, "CHUNK_TEXTS", 20),
    (by_day, "BATCH_ROWS", 50),
    (field, "ASSIGN_TEXTS", 20),
    (fit, "MAX_FIT_TEXTS", 150),
)
"""What makes several chunks of a small lake, and spreads them: modules, and what is set in them."""


def squared(flag: str, number: int) -> int:
    """Return the square; the first worker that is asked for that of 3 dies, and there is none of 11."""
    if number == 3 and not Path(flag).exists():
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 11:
        raise KeyError("eleven")
    return number * number


def try_out(fanout: Fanout, flag: Path) -> None:
    """Write down what comes of work in the midst of which a worker dies, and of which a chunk cannot be done."""
    found, error = [], ""
    try:
        for square in fanout(partial(squared, str(flag)), range(20)):
            found.append(square)
    except KeyError as raised:
        error = raised.args[0]
    # Not printed: Ray prints in between.
    flag.with_suffix(".json").write_text(json.dumps([found, error]))


def main() -> None:
    """Do what the command line says."""
    root, project, first, last, *flag = sys.argv[1:]
    fanout = fanout_of(Settings.from_environment())
    if flag:
        try_out(fanout, Path(flag[0]))
    for module, name, value in SMALL_CHUNKS:
        setattr(module, name, value)
    for stage in STAGES[STAGES.index(STAGE_OF[first]) : STAGES.index(STAGE_OF[last]) + 1]:
        stage.bring(Work(Lake(root), project, fanout=fanout))


if __name__ == "__main__":
    main()
