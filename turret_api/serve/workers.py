"""Several collector processes on one port: a parent that holds the socket and starts again what dies."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time

log = logging.getLogger(__name__)

STOP_S = 20.0
_COMMAND = "from turret_api.command.main import main; main()"
_LEAST_PAUSE_S, _MOST_PAUSE_S = 0.2, 10.0
_HEALTHY_S = 10.0


def run_workers(n_workers: int, listener: socket.socket, database_url: str) -> int:
    """Run `n_workers` processes on `listener` until SIGTERM or SIGINT; return the exit status.

    A worker that ends is started again, and takes up its spool; ever more slowly if it keeps ending.
    """
    ending = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ending.set())
    workers = [_Worker(listener, database_url) for _ in range(n_workers)]
    for worker in workers:
        worker.start()
    while not ending.wait(0.1):
        for worker in workers:
            worker.look_after()
    for worker in workers:
        worker.ask_to_end()
    deadline = time.monotonic() + STOP_S
    return max(worker.wait(deadline) for worker in workers)


class _Worker:
    """One place for a worker process, and the process that has it."""

    def __init__(self, listener: socket.socket, database_url: str) -> None:
        self._listener = listener
        self._environment = {**os.environ, "TURRET_DATABASE_URL": database_url.replace("+psycopg2", "", 1)}
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._next_start_at = 0.0
        self._pause_s = _LEAST_PAUSE_S

    def start(self) -> None:
        """Start the process."""
        descriptor = self._listener.fileno()
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "serve", "--inherited-socket", str(descriptor)],
            pass_fds=[descriptor],
            env=self._environment,
            # Ctrl-C goes to the parent alone, which ends its workers in order.
            start_new_session=True,
        )

    def look_after(self) -> None:
        """Start the process again if it has ended, after a pause that grows while it keeps ending at once."""
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            self._process = None
            is_sudden = time.monotonic() - self._started_at < _HEALTHY_S
            self._pause_s = min(_MOST_PAUSE_S, self._pause_s * 2) if is_sudden else _LEAST_PAUSE_S
            self._next_start_at = time.monotonic() + self._pause_s
            log.error("a worker ended and is started again", extra={"status": status, "pause_s": self._pause_s})
        elif time.monotonic() >= self._next_start_at:
            self.start()

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        if self._process is not None:
            self._process.terminate()

    def wait(self, deadline: float) -> int:
        """Return the exit status; kill the process at `deadline` (what it took is safe in its spool)."""
        if self._process is None:
            return 0
        try:
            status = self._process.wait(max(0.1, deadline - time.monotonic()))
            # A worker that was only just starting has nothing to finish, and ends by the signal itself.
            return 0 if status == -signal.SIGTERM else abs(status)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return 1
