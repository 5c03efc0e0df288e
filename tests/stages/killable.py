"""Runs stages in processes of their own that are killed at a failpoint.

One line of JSON on stdin is one order: `lake`, `stage`, `point`, `pass` (passes before the deadly one).
The answer is how the process ended: `-9` where it was killed. The libraries are imported once, before the first fork,
which costs seconds; nothing is called before it, so that no child inherits a thread's lock.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import turret_pipeline.analysis.topics.bertopic  # noqa: F401 - the slow import
from turret_pipeline import failpoint
from turret_pipeline.lake.paths import Lake
from turret_pipeline.stages import STAGE_OF, by_day, embeddings, events, text_kinds, text_sentiment
from turret_pipeline.stages.work import Work


def obey(order: dict[str, str | int]) -> None:
    left = [int(order["pass"])]

    def die_there(name: str) -> None:
        if name == order["point"]:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    failpoint.on_reached = die_there
    embeddings.CHUNK_TEXTS = text_kinds.CHUNK_TEXTS = text_sentiment.CHUNK_TEXTS = int(order["chunk_texts"])
    # A part at a time, so that there are steps between the parts of a day.
    events.GROUP_BYTES = 1
    by_day.BATCH_ROWS = int(order["chunk_texts"])
    STAGE_OF[str(order["stage"])].bring(Work(Lake(str(order["lake"])), str(order["project"])))


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            obey(json.loads(line))
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(ended), flush=True)
