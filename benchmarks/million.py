"""A million messages end to end: `turret import`, then `turret build`, as a user runs them, the model included.

The messages are generated (`history`): 400,000 distinct texts among 1,000,000, in sessions over a hundred days. The
times leave out making the file. Both commands run as processes in a home of their own. Every second the memory of
these processes and of all their children is measured: the sum of the proportional set sizes, so that a page that two
processes share counts once. The result has the seconds, the tables' seconds as the build prints them, the peak, the
number of cores used, and the load of the machine at start and end, since other work may share it.

    python benchmarks/million.py [--messages 1000000] [--folder DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import polars as pl
import psutil
from history import SHARE_NEW, make_day, make_texts

DAY = 10_000


def write_history(file: Path, n: int) -> int:
    """Write the bodies of `n` messages, as NDJSON; return how many distinct texts are among them."""
    texts = make_texts(round(n * SHARE_NEW))
    said = set()
    with file.open("wb") as stream:
        for day in range(n // DAY):
            events = make_day(texts, day, DAY).drop("received_at", "seq")
            bodies = events.with_columns(
                pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00"), metadata=pl.lit("META")
            )
            lines = bodies.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_list()
            for line, metadata in zip(lines, events["metadata"].to_list(), strict=True):
                said.add(json.loads(metadata)["prompt"])
                stream.write(line.replace('"META"', metadata).encode() + b"\n")
    return len(said)


def run(command: list[str], environment: dict[str, str]) -> dict[str, object]:
    """Run a command of Turret's to its end; return what it printed, took and held. Raise if it fails."""
    started = time.perf_counter()
    peak, cpu_s = 0, 0.0
    with tempfile.TemporaryFile("w+") as output:
        process = psutil.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True)
        while process.poll() is None:
            found = [_held(each) for each in _tree(process)]
            peak = max(peak, sum(held for held, _ in found))
            cpu_s = max(cpu_s, sum(spent for _, spent in found))
            with suppress(psutil.TimeoutExpired):
                process.wait(1.0)
        output.seek(0)
        printed = output.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{printed}")
    return {
        "printed": printed,
        "seconds": time.perf_counter() - started,
        "peak_mib": round(peak / 2**20),
        "cpu_s": cpu_s,
    }


def _tree(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def _held(process: psutil.Process) -> tuple[int, float]:
    """Return the memory that a process holds, in bytes, and the seconds it computed; nothing if it has ended."""
    with suppress(psutil.Error):
        times = process.cpu_times()
        return process.memory_full_info().pss, times.user + times.system
    return 0, 0.0


def stages_of(printed: str) -> dict[str, float]:
    """Return the seconds of each stage in the table that a build prints at its end."""
    table = printed[printed.rindex("stage") :].splitlines()[1:]
    rows = [line.split() for line in table if line.strip()]
    return {words[0]: float(words[-1]) for words in rows if len(words) >= 2}


def measure(folder: Path, n: int) -> dict[str, object]:
    """Import and build `n` messages in `folder`; return the figures."""
    home, file = folder / "home", folder / "history.ndjson"
    shutil.rmtree(home, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    n_distinct = write_history(file, n)
    turret = str(Path(sys.executable).with_name("turret"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TURRET_")}
    environment["TURRET_HOME"] = str(home)
    made = run([turret, "project", "create", "million", "--plan", "enterprise", "--json"], environment)
    project = json.loads(str(made["printed"]).splitlines()[-1])["project_id"]
    before = os.getloadavg()[0]
    imported = run([turret, "import", str(file), "--project", project], environment)
    built = run([turret, "build", "--project", project], environment)
    printed = str(built["printed"])
    return {
        "messages": n,
        "distinct_texts": n_distinct,
        "cores": len(os.sched_getaffinity(0)),
        "import_s": imported["seconds"],
        "import_peak_mib": imported["peak_mib"],
        "build_s": built["seconds"],
        "build_peak_mib": built["peak_mib"],
        "build_cpu_s": built["cpu_s"],
        "all_s": float(str(imported["seconds"])) + float(str(built["seconds"])),
        "load_at_start": before,
        "load_at_end": os.getloadavg()[0],
        **{f"{stage}_s": seconds for stage, seconds in stages_of(printed).items() if stage != "all"},
    }


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where file and home go, and stay; default: a temporary folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as temporary:
        report = measure(options.folder or Path(temporary), options.messages)
    if options.json:
        print(json.dumps(report))
        return
    for name, value in report.items():
        print(f"{name:<24} {value:>14,.1f}" if isinstance(value, float) else f"{name:<24} {value:>14,}")


if __name__ == "__main__":
    main()
