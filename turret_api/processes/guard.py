"""Ending processes that one `turret up` started, however deep they stand and whatever has become of their parents.

Every process that `turret up` starts carries `TURRET_UP=<token> <home>` in its environment, and so does all that comes
from it: Dagster's runs, their workers. That mark survives the parents' death and cannot be mistaken for another's, as
a reused pid can. It is looked for in three places: when `up` ends; when it starts, for what a crash left over; and in
the guard, `python -m turret_api.processes.guard TOKEN HOME`, a small process that waits for the end of its
standard input. The kernel ends that when the supervisor dies, SIGKILL included, and the guard ends what is left.
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
    """Return the environment that marks a process as one of the `up` with this token, which runs `home`."""
    return {VARIABLE: f"{token} {home}"}


def marked(home: Path, token: str | None = None) -> list[psutil.Process]:
    """Return the living processes of `home`'s `up` with this token (default: of any of its), in no order."""
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

    Looks again until there is none, for a process may start another while it ends.
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
    """Start the guard; it acts when its standard input is closed, or we die."""
    command = [sys.executable, "-m", "turret_api.processes.guard", token, str(home)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def main() -> None:
    token, home = sys.argv[1], Path(sys.argv[2])
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Whoever ends us so ends the supervisor too, and that is what we wait for.
        signal.signal(each, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end(home, token)


if __name__ == "__main__":
    main()
