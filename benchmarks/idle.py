"""What a system costs that has nothing to do: processor time, memory and processes of `turret up` on a built home.

`turret demo --once` builds a home first, unless one is given. Then a real `turret up` is started on it and, once it is
quiet, left alone for `--seconds`. Its processes are those that bear its mark, and their descendants, Postgres and its
keeper included. Memory is PSS, which counts a page that several processes share once.

The yardsticks are the goals for everything together: 3 % of one core, 0.8 GiB.

    python benchmarks/idle.py [--home HOME] [--seconds 90] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from report import say, show

from turret_api.command.system import running
from turret_api.processes.guard import marked
from turret_api.processes.postgres import embedded_server
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings
from turret_pipeline.stages.pending import pending_stages

GOAL_PERCENT, GOAL_GIB = 3.0, 0.8
STARTED_S = 240.0
QUIET_S = 20.0
"""Seconds between two looks at the processor time, by which the start is seen to be over."""
QUIET_SHARE = 0.15


@dataclass(frozen=True)
class Usage:
    """What a process has used: seconds of processor time since its start, and bytes of memory now."""

    name: str
    cpu_s: float
    pss_bytes: int


def processes(up: psutil.Process, home: Path) -> list[psutil.Process]:
    """Return the living processes of an `up`: its own, those with its mark, and the embedded Postgres with its own."""
    found = {up, *up.children(recursive=True), *marked(home)}
    server = embedded_server(home)
    if server is not None:
        found |= {server, *server.children(recursive=True)}
        keeper = server.parent()
        if keeper is not None:
            found.add(keeper)
    return sorted((each for each in found if each.is_running()), key=lambda each: each.pid)


def usage(of: list[psutil.Process], names: dict[int, str]) -> dict[int, Usage]:
    """Return what each process has used, by pid; those that have ended meanwhile are left out."""
    found = {}
    for process in of:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            found[process.pid] = Usage(_name(process, names), times.user + times.system, process.memory_full_info().pss)
    return found


def _name(process: psutil.Process, names: dict[int, str]) -> str:
    if process.pid in names:
        return names[process.pid]
    command = process.cmdline()
    words = " ".join(command)
    for part in ("postgres_keeper", "processes.guard", "turret up", "resource_tracker", "read.engine"):
        if part in words:
            return part
    return command[0][:40] if command and command[0].startswith("postgres") else words[-60:]


@contextlib.contextmanager
def up(home: Path, log: Path) -> Iterator[psutil.Process]:
    """Yield a `turret up` of a home, once it serves; end it afterwards."""
    environment = {**os.environ, "TURRET_HOME": str(home), "TURRET_PORT": "18441", "TURRET_DAGSTER_PORT": "18442"}
    with log.open("w") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "turret_api", "up"], env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + STARTED_S
        while "Turret is up" not in log.read_text():
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"`turret up` does not start:\n{log.read_text()}")
            time.sleep(0.2)
        yield psutil.Process(child.pid)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(60)


def wait_until_quiet(process: psutil.Process, home: Path) -> None:
    """Return once nothing is left to build and the start's work is over."""
    lake = Lake(str(home / "lake"))
    deadline = time.monotonic() + STARTED_S
    before, share = -1.0, 1.0
    while time.monotonic() < deadline:
        now = sum(each.cpu_s for each in usage(processes(process, home), {}).values())
        share = (now - before) / QUIET_S if before >= 0 else 1.0
        if 0 <= share < QUIET_SHARE and not any(pending_stages(lake, None).values()):
            return
        before = now
        time.sleep(QUIET_S)
    raise RuntimeError(f"it is not quiet: {share:.0%} of a core")


def measure(home: Path, seconds: float) -> dict[str, float]:
    """Return the figures of a `turret up` on a home that is built."""
    with up(home, home / "idle.log") as process:
        # What a monitoring system would do once; the first answer takes memory.
        urllib.request.urlopen("http://127.0.0.1:18441/metrics", timeout=30).read()
        wait_until_quiet(process, home)
        pids = (running(Settings.from_environment({"TURRET_HOME": str(home)})) or {}).get("pids")
        names = {pid: name for name, pid in pids.items()} if isinstance(pids, dict) else {}
        before, started = usage(processes(process, home), names), time.perf_counter()
        time.sleep(seconds)
        after, took = usage(processes(process, home), names), time.perf_counter() - started
    used = {pid: each.cpu_s - (before[pid].cpu_s if pid in before else 0.0) for pid, each in after.items()}
    for pid in sorted(after, key=lambda pid: -used[pid]):
        each = after[pid]
        say(f"{used[pid] / took:8.2%} {each.pss_bytes / 2**20:8.0f} MiB  {each.name}")
    return {
        "idle_core_percent": 100 * sum(used.values()) / took,
        "goal_core_percent": GOAL_PERCENT,
        "idle_pss_gib": sum(each.pss_bytes for each in after.values()) / 2**30,
        "goal_pss_gib": GOAL_GIB,
        "n_processes": len(after),
    }


def main() -> None:
    """Measure, and print a table; what each process takes goes to the standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="a home that is built; default: that of `turret demo --once`")
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        home = (options.home or Path(folder) / "home").resolve()
        if options.home is None:
            say("building a home")
            ports = {"TURRET_PORT": "18441", "TURRET_DAGSTER_PORT": "18442"}
            subprocess.run(
                [sys.executable, "-m", "turret_api", "demo", "--once"],
                env={**os.environ, "TURRET_HOME": str(home), **ports},
                stdout=subprocess.DEVNULL,
                check=True,
            )
        show(measure(home, options.seconds), options.json)


if __name__ == "__main__":
    main()
