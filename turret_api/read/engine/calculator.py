"""Questions are worked out in a process of their own, so that no question can take the server down.

The server judges keys, keeps answers and takes events; what has to be worked out goes to the calculator, which has the
same lake. A client that has waited for `limit_s` is told to come back; what was found by then is kept, so a large lake
is read once. A question that takes `PATIENCE` times as long, or that makes the calculator grow too large, ends with
that process: the work stops, its memory is free, and the next question starts a new one. (A thread cannot be ended, and
memory that a library has taken cannot be taken back from it.) Questions that were under way with it are asked again,
one at a time: a question that is too large is alone then, and the others are answered.

    no process ──first question, or start()──> running ──too much memory, too long, a crash, close()──> no process
    a question: asked ──> answered
                  ├── limit_s is over ──> its client is told to come back; its work goes on
                  └── the process ended ──> asked again, alone ──> answered, or told that it is too large
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from turret_api.errors import ApiError, UnavailableError, invalid
from turret_api.processes.kept import KeptProcess
from turret_api.read.engine.encoding import Encoded
from turret_api.read.engine.question import Question
from turret_pipeline.lake.paths import Lake, Look

log = logging.getLogger(__name__)

LOOK_S = 0.2
PATIENCE = 4
"""A question's work is ended when it has taken so many times as long as its client waits for the answer."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PROGRAM = "turret_api.read"
"""Module that the process runs: it loads all questions and calls `process.main`."""


class _EndedError(Exception):
    """The calculator ended before it had answered.

    reason: "memory", or "time" for a question that was not this. was_alone: whether it worked on this question only.
    """

    def __init__(self, reason: str, was_alone: bool) -> None:
        super().__init__(reason)
        self.was_too_large = reason == "memory" and was_alone


@dataclass
class _Process:
    """One calculator process, and the questions that it has been asked."""

    process: subprocess.Popen[bytes]
    connection: Connection
    statm: int
    """Descriptor of the process's memory figures, kept open: a look must not need one when there is none left."""
    waiting: dict[int, Future[Encoded]] = field(default_factory=dict)
    asked_at: dict[int, float] = field(default_factory=dict)
    reason: str = "ended"


class Calculator:
    """Asks the calculator process, and starts it at the first question (or before) and whenever it has ended.

    Args:
        lake: what it answers from.
        limit_s: longest time in seconds that a client waits for an answer.
        limit_bytes: memory that the process may hold; None: half of what this machine (or container) has.
        folder: on the disk that may take what does not fit into that; None: where temporary files lie.
    """

    def __init__(
        self, lake: Lake, limit_s: float = 30.0, limit_bytes: int | None = None, folder: Path | None = None
    ) -> None:
        self._lake = lake
        self._folder = folder or Path(tempfile.gettempdir())
        self._limit_s = limit_s
        self._limit_bytes = limit_bytes or total_memory() // 2
        self._lock = threading.Lock()
        self._alone = threading.Lock()
        # At once, and when a question comes: a calculator that ended for one question is there for the next.
        self._kept = KeptProcess(self._spawn, first_pause_s=0.0, end_signals=(signal.SIGKILL,))
        self._running: _Process | None = None
        self._numbers = itertools.count()

    def ask(
        self,
        project_id: str,
        question: Question,
        form: str = "json",
        as_of: dt.datetime | None = None,
        look: Look | None = None,
    ) -> Encoded:
        """Return the answer to the project's question, as `Engine.ask`; raise an `ApiError` if there is none.

        look: what the caller saw of a lake on S3, so that the process need not look too.

        A question with which the process ended is asked again, once, unless the process had it alone.
        """
        with self._alone:
            pass  # none is asked while another is asked again
        asked = (project_id, question, form, as_of, look)
        try:
            return self._ask_once(asked)
        except _EndedError as error:
            return self._ask_again(asked, error)

    def _ask_again(self, asked: tuple[object, ...], error: _EndedError) -> Encoded:
        if not error.was_too_large:
            with self._alone:
                try:
                    return self._ask_once(asked)
                except _EndedError as again:
                    error = again
        if error.was_too_large:
            raise invalid(
                "This question takes more memory than one may have; narrow it with from, to, name or a segment."
            ) from None
        raise UnavailableError("The server had to begin anew; ask again.", retry_after_s=5) from None

    def start(self) -> None:
        """After this call the process runs, or starts, so that the first question need not wait for it."""
        with self._lock, contextlib.suppress(OSError):  # the first question tries again, and says so
            self._kept.start()

    def close(self) -> None:
        """End the process, if there is one."""
        running = self._running
        if running is not None:
            self._end(running, "closed")

    @property
    def process_id(self) -> int | None:
        """Return the id of the process that runs now, if one does."""
        return self._kept.pid

    def _ask_once(self, asked: tuple[object, ...]) -> Encoded:
        number, answered = next(self._numbers), Future[Encoded]()
        with self._lock:
            try:
                self._kept.start()
            except OSError as error:
                log.error("questions cannot be worked out", extra={"reason": str(error)[:300]})
                raise UnavailableError("The server cannot work on questions now; ask again.", retry_after_s=5) from None
            running = self._running
            assert running is not None
            running.waiting[number] = answered
            running.asked_at[number] = time.monotonic()
            with contextlib.suppress(OSError):  # it has just ended; its reader says so
                running.connection.send((number, asked))
        try:
            return answered.result(timeout=self._limit_s)
        except TimeoutError:
            running.waiting.pop(number, None)
            raise UnavailableError(
                f"This question takes longer than {self._limit_s:.0f} s; ask again in a minute, or narrow it with "
                "from, to, name or a segment.",
                retry_after_s=60,
            ) from None

    def _spawn(self) -> subprocess.Popen[bytes]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            limits = str(self._limit_bytes), str(self._folder)
            process = subprocess.Popen(
                [sys.executable, "-m", _PROGRAM, str(theirs.fileno()), self._lake.root, *limits],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                statm = os.open(f"/proc/{process.pid}/statm", os.O_RDONLY)
            except OSError:
                process.kill()
                process.wait()
                raise
            self._running = running = _Process(process, Connection(ours.detach()), statm)
        threading.Thread(target=self._read, args=(running,), name="calculator", daemon=True).start()
        threading.Thread(target=self._watch, args=(running,), name="calculator-memory", daemon=True).start()
        return process

    def _read(self, running: _Process) -> None:
        """Hand on what the process answers until it ends; then tell all who wait."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                number, answered = running.connection.recv()
                running.asked_at.pop(number, None)
                waiting = running.waiting.pop(number, None)
                if waiting is None:
                    continue  # its client was told to come back
                if isinstance(answered, ApiError):
                    waiting.set_exception(answered)
                else:
                    waiting.set_result(answered)
        self._end(running, "ended")
        running.process.wait()
        running.connection.close()
        for waiting in list(running.waiting.values()):
            if not waiting.done():
                waiting.set_exception(_EndedError(running.reason, was_alone=len(running.asked_at) == 1))

    def _watch(self, running: _Process) -> None:
        """End the process when it holds more memory than it may, or works on a question for too long."""
        try:
            while running.process.poll() is None:
                oldest = min(running.asked_at.copy().values(), default=float("inf"))
                for reason, is_over in {
                    "memory": _memory_of(running.statm) > self._limit_bytes,
                    "time": time.monotonic() - oldest > PATIENCE * self._limit_s,
                }.items():
                    if is_over:
                        log.warning("a question took too much and was ended", extra={"of": reason})
                        self._end(running, reason)
                        return
                time.sleep(LOOK_S)
        finally:
            os.close(running.statm)

    def _end(self, running: _Process, reason: str) -> None:
        with self._lock:
            if running.reason == "ended":
                running.reason = reason
            if self._running is running:
                self._running = None
                self._kept.end(0)


def _memory_of(statm: int) -> int:
    """Return the bytes that the process holds whose `/proc/…/statm` is open as `statm`; 0 once it has ended."""
    try:
        return int(os.pread(statm, 200, 0).split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def total_memory() -> int:
    """Return the bytes of memory that this machine has, or that its container (cgroup v2) may use."""
    total = int(psutil.virtual_memory().total)
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total
