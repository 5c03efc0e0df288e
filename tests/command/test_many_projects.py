"""Many small projects in one whole system: all of them come to the read API, in a few runs."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.command.test_up import Up
from tests.processes.conftest import until
from turret_api.accounts import Accounts
from turret_api.accounts.store import NewProject
from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings

N_PROJECTS = 300
MOST_RUNS = 20
PATIENCE_S = 900
RUNS = "{ runsOrError { ... on Runs { results { status } } } }"


def track(client: httpx.Client, project: NewProject) -> None:
    """Send the three events of one session."""
    events = [
        {"name": "asked", "session_id": "s", "metadata": {"prompt": f"what do I do about {word} of {project.name}"}}
        for word in ("the parcel", "the invoice", "my seat")
    ]
    client.post("/track", json=events, headers={"X-API-Key": project.write_key}).raise_for_status()


def n_sessions(client: httpx.Client, project: NewProject) -> int:
    """Return how many sessions the read API counts in the project."""
    answer = client.get("/v1/journeys", params={"field": "prompt"}, headers={"X-API-Key": project.read_key})
    return sum(edge["count"] for edge in answer.json().get("edges", []) if edge["from"] == "start")


@pytest.mark.long
def test_hundreds_of_projects_come_to_the_read_api_in_a_few_runs(used_home: Path) -> None:
    with database(Settings.from_environment({"TURRET_HOME": str(used_home)})) as url:
        accounts = Accounts(url)
        accounts.migrate()
        projects = [accounts.create_project(f"p{n}") for n in range(N_PROJECTS)]
        accounts.close()
    up = Up(used_home)
    up.start()
    try:
        with httpx.Client(base_url=up.url, timeout=60) as client:
            for project in projects:
                track(client, project)
            for project in projects:
                until(lambda: n_sessions(client, project) == 1, PATIENCE_S)  # noqa: B023
        answer = httpx.post(f"http://127.0.0.1:{up.dagster_port}/graphql", json={"query": RUNS}, timeout=60)
        runs = answer.json()["data"]["runsOrError"]["results"]
        assert len(runs) <= MOST_RUNS
        assert "FAILURE" not in {run["status"] for run in runs}
    finally:
        assert up.end()[0] == 0
