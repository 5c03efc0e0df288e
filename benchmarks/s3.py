"""What a build costs on S3 beside one in a folder, in one run, and how many requests it makes.

The same events go into a lake in a folder (the yardstick) and into one on moto's server on this machine. After a first
build of both, `--refreshes` times each gets `--new` events and a `turret build`, in turn; then a build without news.
Seconds are medians of whole processes, with the start of Python and Dagster in both. The store is reached through the
tests' proxy, which counts; what that adds counts against S3. With `--parts`, instead: how many requests it takes a
process that starts to list so many raw parts of days that are over, without the note of one before it and with it.

    python benchmarks/s3.py [--events 2000] [--new 50] [--refreshes 5] [--json]
    python benchmarks/s3.py --parts 100000 [--json]
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson
import polars as pl
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from report import say, show

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.s3_server import store
from turret_api.accounts import Accounts
from turret_api.command.sample import make_sample
from turret_api.processes.postgres import database
from turret_pipeline.lake import heads
from turret_pipeline.lake.parts import PART_SCHEMA, list_parts, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings

TODAY = dt.datetime.now(dt.UTC).date()


def write(settings: Settings, project: str, first: int, events: list[dict]) -> None:
    """Write `events` as one raw part of today."""
    rows = [
        {
            "event_id": f"e{first + number}",
            "session_id": each["session_id"],
            "user_id": each["user_id"],
            "name": each["name"],
            "timestamp": dt.datetime.fromisoformat(each["timestamp"]),
            "received_at": dt.datetime.now(dt.UTC),
            "seq": first + number,
            "metadata": orjson.dumps(each["metadata"]).decode(),
        }
        for number, each in enumerate(events)
    ]
    write_part(settings.open_lake(), project, TODAY, f"bench-{first:09d}.parquet", pl.DataFrame(rows, PART_SCHEMA))


def build(settings: Settings, url: str) -> float:
    """Run `turret build`; return the seconds that it took."""
    home = {"TURRET_HOME": str(settings.home), "TURRET_LAKE": settings.lake, "TURRET_DATABASE_URL": url}
    started = time.perf_counter()
    command = [sys.executable, "-m", "turret_api", "build"]
    subprocess.run(command, env=os.environ | home, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def measure(folder: Path, n_events: int, n_new: int, n_refreshes: int) -> dict[str, float]:
    """Return the figures by name."""
    sample = [each.event for each in make_sample(dt.datetime.now(dt.UTC), n_sessions=n_events)]
    figures: dict[str, float] = {}
    with store() as bucket:
        os.environ.update(bucket.environment)
        lakes = {"local": str(folder / "lake"), "s3": f"s3://{bucket.bucket}/lake"}
        sides = {
            side: Settings.from_environment({"TURRET_HOME": str(folder / side), "TURRET_LAKE": lake})
            for side, lake in lakes.items()
        }
        with database(sides["local"]) as local_url, database(sides["s3"]) as s3_url:
            urls = {"local": local_url, "s3": s3_url}
            names = {}
            for side, settings in sides.items():
                accounts = Accounts(urls[side])
                accounts.migrate()
                names[side] = accounts.create_project("bench").project_id
                accounts.close()
                write(settings, names[side], 0, sample[:n_events])
                with bucket.counting() as found:
                    figures[f"first_build_{side}_s"] = build(settings, urls[side])
                say(f"first build, {side}: {figures[f'first_build_{side}_s']:.1f} s, {len(found):,} requests")
            seconds: dict[str, list[float]] = {side: [] for side in sides}
            requests: list[int] = []
            for number in range(n_refreshes):
                first = n_events + number * n_new
                for side, settings in sides.items():
                    write(settings, names[side], first, sample[first : first + n_new])
                    with bucket.counting() as found:
                        seconds[side].append(build(settings, urls[side]))
                    requests += [len(found)] if side == "s3" else []
                    say(f"refresh {number}, {side}: {seconds[side][-1]:.1f} s, {len(found):,} requests")
            for side in sides:
                figures[f"refresh_{side}_s"] = statistics.median(seconds[side])
            figures["refresh_ratio"] = figures["refresh_s3_s"] / figures["refresh_local_s"]
            figures["refresh_requests"] = statistics.median(requests)
            idle: dict[str, list[float]] = {side: [] for side in sides}
            for _ in range(n_refreshes):
                for side, settings in sides.items():
                    with bucket.counting() as found:
                        idle[side].append(build(settings, urls[side]))
                figures["no_news_requests"] = len(found)
            for side in sides:
                figures[f"no_news_{side}_s"] = statistics.median(idle[side])
    return figures


def measure_listing(n_parts: int) -> dict[str, float]:
    """Return what it takes to list the parts of a hundred days, one after another: by a first process, by a second."""
    figures: dict[str, float] = {}
    with store() as bucket:
        os.environ.update(bucket.environment)
        lake = Lake(f"s3://{bucket.bucket}/lake")
        objects_of_moto = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for number in range(n_parts):
            day = TODAY - dt.timedelta(days=3 + number % 100)
            name = f"lake/events/project=bench/date={day}/c0-{number:012d}-{number + 9:012d}.parquet"
            objects_of_moto.put_object(bucket.bucket, name, b"x")
        for process in ("first", "second"):
            heads._memory.clear()
            started = time.perf_counter()
            with bucket.counting() as found:
                assert len(list_parts(heads.look(lake))) == n_parts
            figures[f"list_{process}_s"] = time.perf_counter() - started
            figures[f"list_{process}_requests"] = len(found)
    return figures


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--new", type=int, default=50)
    parser.add_argument("--refreshes", type=int, default=5)
    parser.add_argument("--parts", type=int, help="list so many raw parts, and measure nothing else")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args()
    if options.parts:
        show(measure_listing(options.parts), options.json)
        return
    with tempfile.TemporaryDirectory(prefix="turret-s3-") as folder:
        show(measure(Path(folder), options.events, options.new, options.refreshes), options.json)


if __name__ == "__main__":
    main()
