"""The calculator process: questions come over a socket, and their answers in bytes go back.

It runs until the socket closes, and answers `THREADS` questions at a time, each as soon as it is worked out.
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
from turret_pipeline.lake.paths import Lake

log = logging.getLogger(__name__)

THREADS = 8
NICE = 10
"""How far questions stand back where the machine has too much to do: an event that waits is worse than an answer."""


def main() -> None:
    """Answer the questions that come over the socket `argv[1]` from the lake `argv[2]`, until the socket closes."""
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
    with contextlib.suppress(EOFError, OSError):
        while True:
            number, asked = connection.recv()
            threads.submit(work_out, number, asked)
    os._exit(0)  # the server is gone, and with it all who wait for what is still being worked out


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
