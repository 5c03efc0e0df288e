"""How long one tracked event takes to reach the read API, and how many runs a steady stream of events starts.

A whole system is started on an empty home and gets a sample of messages through `POST /track`. When all of it is built:

- idle: one event at a time, in a session of its own, until `GET /v1/sessions/{session_id}` shows it, and until the
  session is counted in `GET /v1/journeys`;
- stream: `--rate` events a second for `--seconds`; how many runs Dagster was asked for, and how long after
  the last event all sessions are counted.

The yardsticks: two minutes for the first (`GOAL_S`), and one run an event, as a sensor would start that
reacts to each event.

    python benchmarks/freshness.py [--sessions 150] [--repeats 3] [--rate 2] [--seconds 90] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import tempfile
import time
import uuid
import warnings

import dagster as dg
import httpx
from automation import opened
from report import say, show

from turret_api.command.demo import send
from turret_api.command.sample import FIELD, make_sample
from turret_api.command.system import System, system
from turret_pipeline.settings import Settings
from turret_pipeline.stages.pending import pending_stages

GOAL_S = 120.0
POLL_S = 0.1
BUILT_S = 240.0


class Reader:
    """Asks the read API of one project, and waits for what it is to say."""

    def __init__(self, whole: System) -> None:
        assert whole.first_project is not None
        self.write_key = whole.first_project.write_key
        self.project = whole.first_project.project_id
        self.url = whole.url
        self._client = httpx.Client(base_url=whole.url, headers={"X-API-Key": whole.first_project.read_key}, timeout=60)

    def track(self, text: str, session: str) -> None:
        """Send one event; it is on the disk afterwards."""
        event = {"name": "asked", "session_id": session, "metadata": {FIELD: text}}
        answer = httpx.post(f"{self.url}/track", json=event, headers={"X-API-Key": self.write_key}, timeout=60)
        answer.raise_for_status()

    def knows(self, session: str) -> bool:
        """Return whether the read API shows the session."""
        return self._client.get(f"/v1/sessions/{session}").status_code == 200

    def n_sessions(self) -> int:
        """Return how many sessions the journeys of the read API have."""
        edges = self._client.get("/v1/journeys", params={"field": FIELD}).json()["edges"]
        return sum(edge["count"] for edge in edges if edge["from"] == "start")


def until(what: object, timeout_s: float = BUILT_S) -> float:
    """Return the seconds until `what()` is true."""
    assert callable(what)
    started = time.perf_counter()
    while not what():
        if time.perf_counter() - started > timeout_s:
            raise TimeoutError(f"waited {timeout_s:.0f} s in vain")
        time.sleep(POLL_S)
    return time.perf_counter() - started


def idle(reader: Reader, settings: Settings, repeats: int) -> dict[str, float]:
    """Return the longest waits for one event on a system that had nothing to do."""
    shown, counted = [], []
    for number in range(repeats):
        until(lambda: not any(pending_stages(settings.open_lake(), None).values()))
        before, session = reader.n_sessions(), f"idle-{uuid.uuid4().hex}"
        reader.track(f"how do I change the seat that I booked, case {number}", session)
        started = time.perf_counter()
        until(lambda: reader.knows(session))  # noqa: B023
        shown.append(time.perf_counter() - started)
        until(lambda: reader.n_sessions() > before)  # noqa: B023
        counted.append(time.perf_counter() - started)
        say(f"shown after {shown[-1]:.1f} s, counted after {counted[-1]:.1f} s")
    return {"event_to_session_s": max(shown), "event_to_journeys_s": max(counted), "goal_s": GOAL_S}


def stream(reader: Reader, instance: dg.DagsterInstance, rate: float, seconds: float) -> dict[str, float]:
    """Return how many runs a steady stream starts, and how far the tables are behind its end."""
    before, n_runs = reader.n_sessions(), instance.get_runs_count()
    started, n = time.perf_counter(), 0
    while time.perf_counter() < started + seconds:
        reader.track(f"where does the bus to the airport leave, question {n}", f"stream-{uuid.uuid4().hex}")
        n += 1
        time.sleep(max(0.0, started + n / rate - time.perf_counter()))
    runs = instance.get_runs_count() - n_runs
    behind = until(lambda: reader.n_sessions() == before + n)
    return {
        "stream_events": n,
        "stream_runs": runs,
        "stream_runs_a_minute": runs / seconds * 60,
        "run_an_event_a_minute": n / seconds * 60,
        "stream_end_to_journeys_s": behind,
    }


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Return the figures."""
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        home = {"TURRET_HOME": f"{folder}/home", "TURRET_PORT": "18421", "TURRET_DAGSTER_PORT": "18422"}
        settings = Settings.from_environment(home)
        with system(settings, say) as whole, opened(settings, whole.database_url) as instance:
            reader = Reader(whole)
            sample = make_sample(dt.datetime.now(dt.UTC), n_sessions=options.sessions)
            asyncio.run(send(whole.url, reader.write_key, [message.event for message in sample]))
            first = until(lambda: reader.n_sessions() == options.sessions)
            say(f"{len(sample)} messages were built {first:.1f} s after they were tracked")
            figures = {"first_messages": len(sample), "first_build_s": first}
            figures |= idle(reader, settings, options.repeats)
            return figures | stream(reader, instance, options.rate, options.seconds)


def main() -> None:
    """Measure, and print a table."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rate", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    show(measure(options), options.json)


if __name__ == "__main__":
    main()
