"""What the tests of the rooms of processes and commands share: waiting, and seeing which processes there are."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings

WAIT_S = 120.0


def until(what: Callable[[], object], timeout_s: float = WAIT_S) -> None:
    """Return once `what()` is true; fail if that does not come.

    To ask takes a fifth of the time at most: what is waited for needs the processor more.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        asked = time.monotonic()
        if what():
            return
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s in vain"
        time.sleep(min(max(0.05, 4 * (time.monotonic() - asked)), 1.0))


def processes_of(home: Path) -> list[psutil.Process]:
    """Return every living process that has the home in its command line or its environment."""
    found = []
    psutil.process_iter.cache_clear()  # it takes a process for an earlier one that had its number
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            words = [*process.cmdline(), environment.get("TURRET_UP", ""), environment.get("TURRET_HOME", "")]
            if any(str(home) in word for word in words) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `postgres` folder of a home whose server has run once: copying it is quicker than making one."""
    home = tmp_path_factory.mktemp("made")
    with database(Settings.from_environment({"TURRET_HOME": str(home)})):
        pass
    return home / "postgres"


@pytest.fixture
def used_home(home: Path, cluster: Path) -> Path:
    """A home like `home` whose embedded server has run before."""
    shutil.copytree(cluster, home / "postgres")
    return home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A new home with a long path, a space in it and a folder above that is ours alone. Nothing may run in it later."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    home = closed / ("a long name " + "x" * 100) / "home"
    yield home
    try:
        until(lambda: not processes_of(home))
    finally:
        for process in processes_of(home):
            process.kill()
