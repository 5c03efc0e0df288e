"""How long thousands of small projects take until they are built, and whether a large one holds a small one up.

A whole system is started on an empty home. Then:

- many: `--projects` projects get three events each through `POST /track`; seconds from the first event until all of
  them are in all tables, as the pipeline sees it, and until the read API counts the journeys of `CHECKED` of them; the
  longest tick of the sensor meanwhile, and one when nothing is left to do;
- large beside small: one project gets `--large` events through `POST /track`; while its topics are found another one
  gets three, until `GET /v1/journeys` counts them.

The yardstick: five minutes for 2,000 projects (`GOAL_S`), and 5 s a tick.

    python benchmarks/projects.py [--projects 2000] [--large 200000] [--json]
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import httpx
from automation import opened, ticks
from freshness import until
from report import say, show

from turret_api.accounts import Accounts
from turret_api.accounts.store import NewProject
from turret_api.command.sample import FIELD
from turret_api.command.system import System, system
from turret_pipeline.lake import waiting
from turret_pipeline.lake.parts import list_projects
from turret_pipeline.lake.paths import Lake
from turret_pipeline.orchestration.sensor import MODELS_JOB, PROJECT_TAG
from turret_pipeline.settings import Settings

GOAL_S = 300.0
LONGEST_S = 3600.0
CHECKED = 50
SENDERS = 8
AT_ONCE = 1000
WORDS = ["refund", "invoice", "parcel", "password", "seat", "gate", "soup", "meeting", "report", "printer"]


def texts(n: int, whose: int) -> list[str]:
    """Return messages of a project, no two alike."""
    chance = random.Random(whose)
    return [f"what do I do about the {' and the '.join(chance.sample(WORDS, 2))}, case {whose}-{i}" for i in range(n)]


def track(whole: System, client: httpx.Client, project: NewProject, said: Sequence[str]) -> None:
    """Send a project's messages, five a session."""
    for start in range(0, len(said), AT_ONCE):
        events = [
            {"name": "asked", "session_id": f"s{place // 5}", "metadata": {FIELD: text, "plan": WORDS[place % 3]}}
            for place, text in enumerate(said[start : start + AT_ONCE], start)
        ]
        answer = client.post("/track", json=events, headers={"X-API-Key": project.write_key}, timeout=120)
        answer.raise_for_status()


def is_counted(client: httpx.Client, project: NewProject, n_sessions: int) -> bool:
    """Return whether the read API counts so many sessions of the project."""
    headers = {"X-API-Key": project.read_key}
    answer = client.get("/v1/journeys", params={"field": FIELD}, headers=headers, timeout=120)
    edges = answer.json().get("edges", [])
    return sum(edge["count"] for edge in edges if edge["from"] == "start") == n_sessions


def is_built(lake: Lake, n_projects: int, since: float) -> bool:
    """Return whether the pipeline has seen since then that so many projects are in all tables."""
    seen = waiting.read(lake)
    return len(list_projects(lake)) >= n_projects and seen is not None and seen.at > since and not seen.waiting


def many(
    whole: System, client: httpx.Client, projects: list[NewProject], dagster: dg.DagsterInstance
) -> dict[str, float]:
    """Return how long small projects take."""
    lake, started, now = whole.settings.open_lake(), time.perf_counter(), time.time()
    longest = 0.0
    with ThreadPoolExecutor(SENDERS) as senders:
        numbered = enumerate(projects)
        list(senders.map(lambda each: track(whole, client, each[1], texts(3, each[0])), numbered))
    sent = time.perf_counter() - started
    say(f"{len(projects)} projects sent three events each in {sent:.0f} s")

    def done() -> bool:
        nonlocal longest
        time.sleep(1)
        longest = max([longest, *ticks(dagster)])
        return is_built(lake, len(projects), now + sent)

    until(done, LONGEST_S)
    built = time.perf_counter() - started
    say(f"all of them were built {built:.0f} s after the first event; longest tick {longest:.1f} s")
    for project in random.Random(0).sample(projects, min(CHECKED, len(projects))):
        until(lambda: is_counted(client, project, 1))  # noqa: B023
    read = time.perf_counter() - started
    time.sleep(30)
    idle = max(ticks(dagster)[:3])
    return {
        "projects": len(projects),
        "sent_s": sent,
        "all_built_s": built,
        "read_api_s": read,
        "goal_s": GOAL_S,
        "longest_tick_s": longest,
        "idle_tick_s": idle,
    }


def beside(
    whole: System,
    client: httpx.Client,
    large: NewProject,
    small: NewProject,
    n_events: int,
    dagster: dg.DagsterInstance,
) -> dict[str, float]:
    """Return how long a small project takes while a large one is fitted."""
    track(whole, client, large, texts(n_events, -1))
    say(f"the large project sent {n_events:,} events")

    def under_way() -> bool:
        runs = dagster.get_runs(dg.RunsFilter(tags={PROJECT_TAG: large.project_id}, job_name=MODELS_JOB))
        return any(run.status == dg.DagsterRunStatus.STARTED for run in runs)

    until(under_way, LONGEST_S)
    started = time.perf_counter()
    track(whole, client, small, texts(3, -2))
    until(lambda: is_counted(client, small, 1), LONGEST_S)
    taken = time.perf_counter() - started
    say(f"a small project took {taken:.0f} s; the large one was {'still' if under_way() else 'no longer'} being built")
    return {"large_events": n_events, "small_beside_large_s": taken, "large_still_built": float(under_way())}


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Return the figures."""
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        home = {"TURRET_HOME": f"{folder}/home", "TURRET_PORT": "18431", "TURRET_DAGSTER_PORT": "18432"}
        settings = Settings.from_environment(home)
        with (
            system(settings, say) as whole,
            opened(settings, whole.database_url) as dagster,
            httpx.Client(base_url=whole.url, limits=httpx.Limits(max_connections=SENDERS)) as client,
        ):
            accounts = Accounts(whole.database_url)
            made = [accounts.create_project(f"p{number}") for number in range(options.projects + 2)]
            accounts.close()
            say(f"{len(made)} projects were made")
            time.sleep(5)  # every server process has their keys by then
            figures = many(whole, client, made[2:], dagster)
            if options.large:
                figures |= beside(whole, client, made[0], made[1], options.large, dagster)
            return figures


def main() -> None:
    """Measure, and print a table."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=2000)
    parser.add_argument("--large", type=int, default=200_000, help="events of the large project; 0: none")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    show(measure(options), options.json)


if __name__ == "__main__":
    main()
