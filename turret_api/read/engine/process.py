"""The calculator process: questions come over a socket, and their answers in bytes go back.

It runs until the socket closes, and answers `THREADS` questions at a time, each as soon as it is worked out.

What is kept of large projects takes seconds to read, so it is read when the process starts:

    started ──make_ready, while questions are answered──▶ the steps of large projects are at hand
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from turret_api.errors import ApiError, FailedError
from turret_api.read.engine.encoding import Encoded
from turret_api.read.engine.engine import Engine
from turret_api.read.engine.question import Question
from turret_pipeline.lake.objects import UnreachableError
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import JOURNEY_STEPS

log = logging.getLogger(__name__)

THREADS = 8
LARGE, MOST_READY = 1_000_000, 20_000_000
"""Steps of journeys from which a project is large, and how many of all large ones are made ready: 400 MB of them."""
BYTES_A_STEP = 500
"""Memory for each step that is made ready: four times what it takes, or the questions after it would have none."""
NICE = 10
"""How far questions stand back where the machine has too much to do: an event that waits is worse than an answer."""


def main(usual: Question) -> None:
    """Answer the questions that come over the socket `argv[1]` from the lake `argv[2]`, until the socket closes.

    The process may hold `argv[3]` bytes.

    usual: what is mostly asked first; of large projects it is worked out at once.
    """
    with contextlib.suppress(OSError):  # should memory run out, the kernel is to end this process and no other
        Path("/proc/self/oom_score_adj").write_text("1000")
    os.nice(NICE)
    connection, engine = Connection(int(sys.argv[1])), Engine(Lake(sys.argv[2]))
    sending = threading.Lock()

    def work_out(number: int, asked: tuple[Any, ...]) -> None:
        found = _answer(engine, asked)
        with sending:
            connection.send((number, found))

    threads = ThreadPoolExecutor(THREADS)
    threads.submit(make_ready, engine, usual, most=min(MOST_READY, int(sys.argv[3]) // BYTES_A_STEP))
    with contextlib.suppress(EOFError, OSError):
        while True:
            number, asked = connection.recv()
            threads.submit(work_out, number, asked)
    os._exit(0)  # the server is gone, and with it all who wait for what is still being worked out


def make_ready(engine: Engine, usual: Question, large: int = LARGE, most: int = MOST_READY) -> None:
    """After this call the answer to `usual` is at hand for projects of `large` steps and more, and what it is made of.

    The largest come first, until they have `most` steps together.
    """
    try:
        sizes = engine.library.rows_by_project(JOURNEY_STEPS)
    except UnreachableError:
        return  # whoever asks is told
    for project_id, n_steps in sorted(sizes.items(), key=lambda each: -each[1]):
        if n_steps < large or n_steps > most:
            continue
        most -= n_steps
        _answer(engine, (project_id, usual, "json", None, None))


def _answer(engine: Engine, asked: tuple[Any, ...]) -> Encoded | ApiError:
    try:
        *question, look = asked
        engine.library.offer(look)
        return engine.ask(*question)
    except ApiError as error:
        return error
    except Exception:
        log.exception("unhandled error", extra={"question": repr(asked[1])})
        return FailedError()
