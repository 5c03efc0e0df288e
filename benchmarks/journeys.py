"""What the journey graph costs: visits and edges of generated messages, beside pm4py or plain pandas on the same rows.

The messages lie in memory with their topics, in order of receipt, which is any order to a session. Ours goes from them
to edges with counts, sessions, probabilities and quantiles of gaps. The yardstick goes from the same rows, in the same
order, to the directly-follows graph (counts alone): pm4py (format_dataframe, discover_dfg), which is AGPL and so no
part of Turret, if this Python has it (`make bench` sees to it) or `--pm4py` names one that has; else pandas (sort,
shift, count). It knows no visits, so what leads from a topic to itself is left out when both graphs are compared; ours
and theirs take turns, and medians of the rounds count.

    python benchmarks/journeys.py [--events 1000000] [--sessions 100000] [--rounds 3] [--pm4py PYTHON] [--json]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from turret_pipeline.semantics.visits import UNASSIGNED, coded_visits, journey_edges

N_TOPICS = 60

PM4PY = """
import sys, time, json, pandas, pm4py
log = pandas.read_parquet(sys.argv[1])
wall, cpu = time.perf_counter(), time.process_time()
keys = dict(activity_key="topic_id", timestamp_key="at")
ready = pm4py.format_dataframe(log, case_id="session_id", **keys)
graph, starts, ends = pm4py.discover_dfg(ready, case_id_key="session_id", **keys)
times = [time.perf_counter() - wall, time.process_time() - cpu]
print(json.dumps({"times": times, "graph": [[a, b, n] for (a, b), n in graph.items()]}))
"""

Result = TypeVar("Result")


def generate(n_events: int, n_sessions: int, seed: int = 0) -> pl.DataFrame:
    """Return messages of random sessions, topics and times over a month, in order of receipt."""
    random = np.random.default_rng(seed)
    session = random.integers(0, n_sessions, n_events)
    begun = random.integers(0, 30 * 86_400, n_sessions)
    at = (begun[session] + random.exponential(600, n_events)) * 1e6 + 1_772_000_000e6
    topic = random.integers(0, N_TOPICS + 1, n_events)
    rows = pl.DataFrame({"s": session, "at": at.astype(np.int64), "t": topic, "seq": np.arange(n_events)})
    time_of = pl.col("at").cast(pl.Datetime("us", "UTC"))
    return rows.select(
        session_id="ses_" + pl.col("s").cast(pl.String).str.zfill(12),
        timestamp=time_of,
        received_at=time_of,
        seq="seq",
        event_id="evt_" + pl.col("seq").cast(pl.String).str.zfill(16),
        topic_id=pl.when(pl.col("t") > 0).then("t_" + pl.col("t").cast(pl.String)),
    )


def measure(n_events: int, n_sessions: int, rounds: int, pm4py: str | None) -> dict[str, float | str]:
    """Return the figures; raise `AssertionError` if the two graphs differ."""
    messages = generate(n_events, n_sessions)
    log = messages.select("session_id", pl.col("topic_id").fill_null(UNASSIGNED), at="timestamp")
    timed: list[tuple[Times, Times, Times]] = []
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        path = Path(folder) / "log.parquet"
        log.write_parquet(path)
        for _ in range(rounds):
            # In turn, so that what else the machine does falls on both alike.
            found, of_visits = _timed(lambda: coded_visits(messages))
            edges, of_edges = _timed(lambda found=found: journey_edges(found))
            graph, theirs = _pm4py(pm4py, path) if pm4py else _pandas(log)
            timed.append((of_visits, of_edges, theirs))
    inner = edges.filter(pl.col("from_topic") != "start", pl.col("to_topic") != "end")
    ours = {(a, b): n for a, b, n in inner.select("from_topic", "to_topic", "count").iter_rows()}
    assert {(a, b): n for (a, b), n in graph.items() if a != b} == ours, "the graphs differ"
    wall, cpu = (
        [statistics.median(getattr(each[i], kind) for each in timed) for i in range(3)] for kind in ("wall_s", "cpu_s")
    )
    return {
        "events": n_events,
        "sessions": n_sessions,
        "visits_s": wall[0],
        "edges_s": wall[1],
        "ours_s": wall[0] + wall[1],
        "yardstick": "pm4py" if pm4py else "pandas",
        "yardstick_s": wall[2],
        "times_faster": wall[2] / (wall[0] + wall[1]),
        "ours_cpu_s": cpu[0] + cpu[1],
        "times_less_cpu": cpu[2] / (cpu[0] + cpu[1]),
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


class Times(NamedTuple):
    """What a piece of work took by the clock, and on all processors together."""

    wall_s: float
    cpu_s: float


def _timed(work: Callable[[], Result]) -> tuple[Result, Times]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, Times(time.perf_counter() - wall, time.process_time() - cpu)


def _pm4py(python: str, log: Path) -> tuple[dict[tuple[str, str], int], Times]:
    ran = subprocess.run([python, "-W", "ignore", "-c", PM4PY, str(log)], capture_output=True, text=True, check=True)
    found = json.loads(ran.stdout.splitlines()[-1])
    return {(a, b): n for a, b, n in found["graph"]}, Times(*found["times"])


def _pandas(log: pl.DataFrame) -> tuple[dict[tuple[str, str], int], Times]:
    frame = log.to_pandas()

    def discover() -> dict[tuple[str, str], int]:
        ordered = frame.sort_values(["session_id", "at"], kind="stable")
        following = ordered.groupby("session_id")["topic_id"].shift(-1)
        counted = ordered.assign(following=following).dropna().groupby(["topic_id", "following"]).size()
        return dict(counted.items())  # type: ignore[arg-type]

    return _timed(discover)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    here = sys.executable if importlib.util.find_spec("pm4py") else None
    parser.add_argument("--pm4py", default=here, help="a Python interpreter that has pm4py")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = measure(options.events, options.sessions, options.rounds, options.pm4py)
    if options.json:
        print(json.dumps(report))
        return
    print(f"journeys of {report['events']:,} events in {report['sessions']:,} sessions")
    print(f"  messages to visits     {report['visits_s']:8.2f} s")
    print(f"  visits to edges        {report['edges_s']:8.2f} s")
    print(f"  {report['yardstick']}, counts alone   {report['yardstick_s']:8.2f} s")
    print(f"  times faster           {report['times_faster']:8.1f}")
    print(f"  times less processor   {report['times_less_cpu']:8.1f}")
    print(f"  most memory            {report['peak_gib']:8.1f} GiB")


if __name__ == "__main__":
    main()
