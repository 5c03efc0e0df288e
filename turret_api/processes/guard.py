"""Ending all processes that one `turret up` started, their descendants included, even if their parents have died.

Every process that `turret up` starts carries `TURRET_UP=<token> <home>` in its environment, and so do its descendants:
Dagster's runs and their workers. That mark outlives the parents and, unlike a pid, is never used again by another
process. It is looked for three times: when `up` ends; when it starts, for what a crash left over; and by the guard,
`python -m turret_api.processes.guard TOKEN HOME`, a small process that waits for the end of its standard input. The
kernel ends that input when the supervisor dies, SIGKILL included, and the guard ends what is left.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

VARIABLE = "TURRET_UP"
GRACE_S = 8.0
"""Seconds from SIGTERM to SIGKILL."""
SCAN_S = 0.1


def mark(token: str, home: Path) -> dict[str, str]:
    """Return the variable that marks a process as started by the `up` of `home` with this token."""
    return {VARIABLE: f"{token} {home}"}


def marked(home: Path, token: str | None = None) -> list[psutil.Process]:
    """Return the living processes of the `up` of `home` with this token (None: with any), in no order."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            of, _, where = process.environ().get(VARIABLE, "").partition(" ")
            mine = where == str(home) and token in (None, of) and process.pid != os.getpid()
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end(home: Path, token: str | None = None, grace_s: float = GRACE_S) -> int:
    """After this call no such process lives: each got SIGTERM, and SIGKILL after `grace_s`. Return how many there were.

    It looks again until there is none, because a process may start another while it ends.
    """
    deadline = time.monotonic() + grace_s
    told: set[psutil.Process] = set()
    while living := marked(home, token):
        late = time.monotonic() > deadline
        for process in living:
            with contextlib.suppress(psutil.Error):
                if late:
                    process.kill()
                elif process not in told:
                    process.terminate()
        told.update(living)
        time.sleep(SCAN_S)
    return len(told)


def start(token: str, home: Path) -> subprocess.Popen[bytes]:
    """Return the guard, started; it acts when its standard input is closed or this process dies."""
    command = [sys.executable, "-m", "turret_api.processes.guard", token, str(home)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def main() -> None:
    """Wait for the end of standard input, then end the processes of the token and home in the arguments."""
    token, home = sys.argv[1], Path(sys.argv[2])
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Such a signal goes to the supervisor too, and its end is what we wait for.
        signal.signal(each, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end(home, token)


if __name__ == "__main__":
    main()
