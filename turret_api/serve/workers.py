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

from turret_api.processes.kept import Died, KeptProcess, NotRestarted

log = logging.getLogger(__name__)

STOP_S = 20.0
LOOK_S = 0.1
_COMMAND = "from turret_api.command.main import main; main()"


def run_workers(n_workers: int, listener: socket.socket, database_url: str, events_only: bool = False) -> int:
    """Run `n_workers` processes on `listener` until SIGTERM or SIGINT; return the exit status.

    A worker that dies is started again and takes up its spool, after a pause that grows while it keeps dying. At the
    end, one that is late is killed: what it took is safe in its spool.
    """
    ending = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ending.set())
    descriptor = listener.fileno()
    environment = {**os.environ, "TURRET_DATABASE_URL": database_url.replace("+psycopg2", "", 1)}

    only = ["--events-only"] if events_only else []

    def spawn() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "serve", *only, "--inherited-socket", str(descriptor)],
            pass_fds=[descriptor],
            env=environment,
            # Ctrl-C goes to the parent alone, which ends its workers in order.
            start_new_session=True,
        )

    workers = [KeptProcess(spawn, first_pause_s=0.2, longest_pause_s=10.0, steady_s=10.0) for _ in range(n_workers)]
    for worker in workers:
        worker.start()
    while not ending.wait(LOOK_S):
        for worker in workers:
            match worker.poll():
                case Died(status, _, pause_s):
                    log.error("a worker ended and is started again", extra={"status": status, "pause_s": pause_s})
                case NotRestarted(error, pause_s):
                    log.error("a worker cannot be started", extra={"reason": str(error), "pause_s": pause_s})
    for worker in workers:
        worker.ask_to_end()
    deadline = time.monotonic() + STOP_S
    return max(_exit_status(worker.end(max(0.1, deadline - time.monotonic()))) for worker in workers)


def _exit_status(status: int | None) -> int:
    # A worker that was only just starting has nothing to finish, and ends by the signal itself.
    return 0 if status in (None, -signal.SIGTERM) else abs(status)
