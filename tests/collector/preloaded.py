"""`turret` processes without the second that each would spend on imports: forked from one that has done them.

A forked process is a real one: its own memory, threads, files and signals; it runs `launch.main` with the arguments
and the environment it is given, and ends as any process does. The parent never starts a thread and opens nothing.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

_MODULES = (
    "launch",
    "psycopg2",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "turret_api.collector.collector",
    "turret_api.importing.history",
    "turret_api.serve.server",
    "turret_api.command.import_events",
    "turret_api.command.key",
    "turret_api.command.main",
    "turret_api.processes.postgres",
    "turret_api.command.project",
    "turret_api.command.serve",
    "turret_api.command.spool",
    "turret_api.dashboard.routes",
    "turret_api.read.http.routes",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvloop",
)


class Forked:
    """One process, with what tests need of `subprocess.Popen`."""

    def __init__(self, pid: int, stdout: IO[str], status: int) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        if self._look(timeout) is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            self.returncode = int(os.read(self._status, 20))
            os.close(self._status)
        return self.returncode


class Preloaded:
    """The process that has everything imported."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )

    def start(self, arguments: Sequence[str], environment: dict[str, str], stderr: int) -> Forked:
        """Start `launch.py ARGUMENTS`; its stdout is a pipe, its stderr the open file `stderr`."""
        out, out_end = os.pipe()
        status, status_end = os.pipe()
        request = json.dumps([list(arguments), environment]).encode()
        socket.send_fds(self._socket, [request], [out_end, stderr, status_end])
        os.close(out_end)
        os.close(status_end)
        pid = int(self._socket.recv(20))
        return Forked(pid, os.fdopen(out, encoding="utf-8"), status)

    def close(self) -> None:
        """End the process; those it forked go on."""
        self._socket.close()
        self._process.wait(30)


def _fork_until_closed(control: socket.socket) -> list[str] | None:
    """Fork on request: None in the parent, at the end; in a forked process, the arguments to go on with."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    statuses: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            with contextlib.suppress(ChildProcessError):
                while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                    end = statuses.pop(ended[0])
                    with contextlib.suppress(BrokenPipeError):
                        os.write(end, str(os.waitstatus_to_exitcode(ended[1])).encode())
                    os.close(end)
        if control not in ready:
            continue
        request, given, _, _ = socket.recv_fds(control, 1_000_000, 3)
        if not request:
            return None
        pid = os.fork()
        if pid:
            control.send(str(pid).encode())
            statuses[pid] = given.pop()
            for each in given:
                os.close(each)
            continue
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        arguments, environment = json.loads(request)
        os.environ.clear()
        os.environ.update(environment)
        os.dup2(given[0], 1)
        os.dup2(given[1], 2)
        control.close()
        for each in (*given, woken, wake, *statuses.values()):
            os.close(each)
        return list(arguments)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    sys.path.insert(0, str(Path(__file__).parent))
    for module in _MODULES:
        __import__(module)
    gc.freeze()
    arguments = _fork_until_closed(control)
    if arguments is not None:
        import launch

        launch.main(arguments)


if __name__ == "__main__":
    main()
