"""What the journey graph costs: visits and edges of generated messages, beside pm4py or plain pandas on the same rows.

The messages lie in memory with their topics; ours goes from them, in any order, to edges with counts, sessions,
probabilities and median gaps. The yardstick discovers the directly-follows graph (counts alone) of our visits, in the
order of time, and is given those visits ready-made: pm4py (format_dataframe, discover_dfg), which is AGPL and so no
part of Turret, if `--pm4py` names a Python that has it; else pandas (sort, shift, count). Both graphs are compared;
medians of the rounds count.

    python benchmarks/journeys.py [--events 1000000] [--sessions 100000] [--rounds 3] [--pm4py PYTHON] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from turret_pipeline.lake.visits import journey_edges, visits

N_TOPICS = 60

PM4PY = """
import sys, time, json, pandas, pm4py
log = pandas.read_parquet(sys.argv[1])
times = []
for _ in range(int(sys.argv[2])):
    started = time.perf_counter()
    keys = dict(activity_key="topic_id", timestamp_key="at")
    ready = pm4py.format_dataframe(log, case_id="session_id", **keys)
    graph, starts, ends = pm4py.discover_dfg(ready, case_id_key="session_id", **keys)
    times.append(time.perf_counter() - started)
print(json.dumps({"times": times, "graph": [[a, b, n] for (a, b), n in graph.items()]}))
"""


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
    of_visits = statistics.median(_timed(lambda: visits(messages)) for _ in range(rounds))
    seen = visits(messages)
    of_edges = statistics.median(_timed(lambda: journey_edges(seen)) for _ in range(rounds))
    inner = journey_edges(seen).filter(pl.col("from_topic") != "start", pl.col("to_topic") != "end")
    ours = {(a, b): n for a, b, n in inner.select("from_topic", "to_topic", "count").iter_rows()}
    # Two visits of one moment keep their order only if the times differ: the yardsticks know no order of receipt.
    log = seen.select("session_id", "topic_id", at=pl.col("started_at") + pl.duration(microseconds="visit"))
    theirs, graph = _pm4py(log, rounds, pm4py) if pm4py else _pandas(log, rounds)
    assert graph == ours, "the graphs differ"
    return {
        "events": n_events,
        "sessions": n_sessions,
        "visits_s": of_visits,
        "edges_s": of_edges,
        "ours_s": of_visits + of_edges,
        "yardstick": "pm4py" if pm4py else "pandas",
        "yardstick_s": theirs,
        "times_faster": theirs / (of_visits + of_edges),
    }


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _pm4py(log: pl.DataFrame, rounds: int, python: str) -> tuple[float, dict[tuple[str, str], int]]:
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        path = Path(folder) / "log.parquet"
        log.write_parquet(path)
        ran = subprocess.run([python, "-c", PM4PY, str(path), str(rounds)], capture_output=True, text=True, check=True)
    found = json.loads(ran.stdout.splitlines()[-1])
    return statistics.median(found["times"]), {(a, b): n for a, b, n in found["graph"]}


def _pandas(log: pl.DataFrame, rounds: int) -> tuple[float, dict[tuple[str, str], int]]:
    frame = log.to_pandas()

    def discover() -> object:
        ordered = frame.sort_values(["session_id", "at"])
        following = ordered.groupby("session_id")["topic_id"].shift(-1)
        return ordered.assign(following=following).dropna().groupby(["topic_id", "following"]).size()

    times = [_timed(discover) for _ in range(rounds)]
    counted = discover()
    return statistics.median(times), dict(counted.items())  # type: ignore[attr-defined]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pm4py", help="a Python interpreter that has pm4py")
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


if __name__ == "__main__":
    main()
