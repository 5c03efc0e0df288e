"""What erasing many users in one call costs beside erasing one after the other.

The sample's messages are imported into a new home and built. Then `turret erase --user` is called for one user after
the other, and once for others together: the users with the most events, taken in turn for both, so that both erase
about as much. Told are seconds, and seconds of cores, which other processes of the machine change less. With `--alone`
fewer are erased one by one, and their mean stands for the rest.

    python benchmarks/erasures.py [--users 10] [--alone 10] [--sessions 820] [--json]
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import say, show

from turret_api.command.sample import make_sample
from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings

TURRET = [sys.executable, "-c", "from turret_api.command.main import main; main()"]


def run(home: str, *words: str) -> tuple[float, float]:
    """Run a command to its end; return its seconds, and those of the cores that it and its processes used."""
    environment = {**os.environ, "TURRET_HOME": home}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*TURRET, *words], env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path, n_users: int, n_alone: int, n_sessions: int) -> dict[str, float]:
    """Return all figures."""
    home = str(folder / "home")
    sample = make_sample(dt.datetime.now(dt.UTC), n_sessions=n_sessions)
    file = folder / "sample.ndjson"
    file.write_text("".join(json.dumps(each.event) + "\n" for each in sample))
    counts = collections.Counter(each.event["user_id"] for each in sample)
    users = [user for user, _ in counts.most_common(2 * n_users)]
    with database(Settings.from_environment({"TURRET_HOME": home})):
        run(home, "project", "create", "shop", "--plan", "enterprise")
        run(home, "import", str(file), "--project", "shop")
        say(f"{len(sample):,} events are imported")
        built_s, built_core_s = run(home, "build", "--project", "shop")
        singles = []
        for user in users[::2][:n_alone]:
            singles.append(run(home, "erase", "--project", "shop", "--user", user, "--yes"))
            say(f"one erased in {singles[-1][0]:.1f} s")
        named = [word for user in users[1::2] for word in ("--user", user)]
        together_s, together_core_s = run(home, "erase", "--project", "shop", *named, "--yes")
    alone_s, alone_core_s = (n_users * statistics.fmean(figures) for figures in zip(*singles, strict=True))
    return {
        "events": len(sample),
        "users": n_users,
        "build_s": built_s,
        "build_core_s": built_core_s,
        "one_by_one_s": alone_s,
        "one_by_one_core_s": alone_core_s,
        "together_s": together_s,
        "together_core_s": together_core_s,
        "ratio": alone_s / together_s,
        "ratio_core": alone_core_s / together_core_s,
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10)
    parser.add_argument("--alone", type=int, default=10, help="users who are erased one by one")
    parser.add_argument("--sessions", type=int, default=820)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        show(measure(Path(folder), options.users, options.alone, options.sessions), options.json)


if __name__ == "__main__":
    main()
