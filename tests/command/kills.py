"""Killing parts of a running system while a run of the pipeline's is at a chosen point (`dying/sitecustomize.py`)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.processes.conftest import processes_of, until

if TYPE_CHECKING:
    from tests.command.test_up import Up

DYING = str(Path(__file__).with_name("dying"))
"""To be on the `PYTHONPATH` of a system that is to be killed so."""
REACHED_S = 300.0
"""Seconds in which a run comes to a point on a busy machine; a tenth of that otherwise."""


def order(home: Path, point: str, what: str) -> Path:
    """Have the next process that comes to the failpoint die, or wait, there; return the order, gone once it is done."""
    file = home / "at-failpoint"
    file.parent.mkdir(exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(f"{point} {what}")
    new.replace(file)
    return file


@contextmanager
def while_waiting(home: Path, point: str, then: str | None = None) -> Iterator[None]:
    """Enter the block when a run waits at the failpoint; behind it the run goes on, if it still lives.

    then: the point at which the next one is to wait, for another call of this function.
    """
    waits, file = home / "waits", home / "at-failpoint"
    if not file.exists():  # else it was ordered before
        waits.unlink(missing_ok=True)
        order(home, point, "wait")
    until(waits.exists, REACHED_S)
    yield
    waits.unlink(missing_ok=True)
    if then is None:
        file.unlink()
    else:
        order(home, then, "wait")


def die_at(home: Path, point: str) -> None:
    """Return when a run has died at the failpoint."""
    file = order(home, point, "die")
    until(lambda: not file.exists(), REACHED_S)


def kill_daemon(up: Up) -> None:
    os.kill(up.pids()["daemon"], signal.SIGKILL)


def kill_code_server_and_runs(up: Up) -> None:
    code = psutil.Process(up.pids()["code"])
    for process in [*code.children(recursive=True), code]:
        process.kill()


def kill_database(up: Up) -> None:
    """Kill the database and its keeper."""
    database = [process for process in processes_of(up.home) if "postgres" in " ".join(process.cmdline()[:3])]
    assert len(database) == 2
    for process in database:
        process.kill()


def kill_everything(up: Up) -> None:
    assert up.process is not None
    for process in [up.process, *processes_of(up.home)]:
        process.kill()
    up.process.wait()
    until(lambda: not processes_of(up.home), 60)


Kill = Callable[["Up"], None]
