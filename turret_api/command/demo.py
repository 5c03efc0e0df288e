"""`turret demo`: the whole of Turret on a sample, as a newcomer would use it, and what comes out.

It is an ordinary client of an ordinary system: the sample goes through `POST /track`, the tables are built by
`turret build`'s own process through Dagster, and what is printed comes from `/v1`. Run again on the same home it adds
nothing, because every event has an `event_id`. `demo_report` prints, `sample` makes what is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
import httpx

from turret_api.accounts import Accounts, NewProject
from turret_api.command import build, up
from turret_api.command.demo_keys import demo_project
from turret_api.command.demo_report import Report
from turret_api.command.sample import FIELD, OUTCOME, RELEASE, RELEASE_DAYS, make_sample
from turret_api.command.upgrade import upgrade
from turret_api.home.dagster_home import dagster_environment
from turret_api.processes.postgres import database
from turret_pipeline.lake import parts
from turret_pipeline.settings import Settings

BATCH = 50
SENDERS = 4
ROLL_S = 120.0
"""Seconds to wait for accepted events to reach the lake; it takes a few."""
ANSWER_S = 180.0
"""Seconds to wait for the read API on a machine that is too busy to answer in its own time."""


@click.command()
@click.option("--once", is_flag=True, help="End everything after printing, instead of serving until Ctrl-C.")
def command(once: bool) -> None:
    """Run everything on a sample: track it, build topics, field types and journeys, show them, and serve."""
    settings = Settings.from_environment()
    report = Report()
    done = False
    with up.ended_by_signals(), _system(settings, report) as (url, dagster_url, database_url):
        try:
            project = _project(settings, database_url)
            _run(settings, report, url, database_url, project)
        except httpx.HTTPError as error:
            raise click.ClickException(f"the API at {url} did not answer: {error or type(error).__name__}") from error
        report.addresses(settings, url, dagster_url, project, serves=not once)
        done = True
        if not once:
            while True:
                time.sleep(3600)
    if not done:
        raise click.ClickException("the demo was stopped before it was done; run it again, it goes on where it was")


def _run(settings: Settings, report: Report, url: str, database_url: str, project: NewProject) -> None:
    now = dt.datetime.now(dt.UTC)
    sample = make_sample(now)
    with report.progress(f"Tracking {len(sample):,} sample events through POST {url}/track") as done:
        started = time.perf_counter()
        n_new = asyncio.run(send(url, project.write_key, [message.event for message in sample], done))
        rate = len(sample) / (time.perf_counter() - started)
    report.say(f"{n_new:,} events stored, {len(sample) - n_new:,} were there already ({rate:,.0f} events a second)")
    _wait_for_lake(settings, project.project_id, len(sample))
    report.say("Building topics, field types and journeys through Dagster")
    _build(settings, database_url, project.project_id)
    _mark_outcome(url, project.admin_key)
    annotate_release(url, project.admin_key, (now - dt.timedelta(days=RELEASE_DAYS)).date())
    with httpx.Client(base_url=url, headers={"X-API-Key": project.read_key}, timeout=60, verify=False) as client:
        topics = _get(client, "/v1/topics", field=FIELD)
        report.topics([topic for topic in topics["data"] if topic.get("level", 0) == 0])
        report.fields(_get(client, "/v1/fields")["data"])
        report.journeys(_get(client, "/v1/journeys", field=FIELD))


async def send(
    url: str, write_key: str, events: Sequence[dict[str, Any]], done: Callable[[float], None] | None = None
) -> int:
    """Track `events`, `BATCH` a request and `SENDERS` requests at a time; return how many were new.

    `done` is called with the share that is stored. Raise `click.ClickException` if an event is refused; an overloaded
    server (503) is asked again when it says.
    """
    batches = iter([events[i : i + BATCH] for i in range(0, len(events), BATCH)])
    n_new = n_stored = 0

    async def sender(client: httpx.AsyncClient) -> None:
        nonlocal n_new, n_stored
        for batch in batches:
            answer = await client.post("/track", json=batch)
            while answer.status_code == 503:
                await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
                answer = await client.post("/track", json=batch)
            if answer.status_code != 200:
                raise click.ClickException(f"an event was refused ({answer.status_code}): {_words(answer)}")
            n_new += sum(not result.get("duplicate", False) for result in answer.json()["results"])
            n_stored += len(batch)
            if done is not None:
                done(n_stored / len(events))

    async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": write_key}, timeout=60, verify=False) as client:
        await asyncio.gather(*(sender(client) for _ in range(SENDERS)))
    return n_new


@contextlib.contextmanager
def _system(settings: Settings, report: Report) -> Iterator[tuple[str, str, str]]:
    """Yield the addresses of the API, of Dagster's UI and of the database: of what runs, or of what is started."""
    running = up.running(settings)
    if running and running.get("role", "all") != "all":
        raise click.ClickException(
            f"`turret up --role {running['role']}` runs for {settings.home}, which is a part of the whole: "
            "end it, or choose another TURRET_HOME"
        )
    if running and "url" in running:
        report.say(f"Using the system that runs at {running['url']}")
        with database(settings) as database_url:
            yield str(running["url"]), str(running["dagster_url"]), database_url
        return
    report.say("Starting the database, the API and Dagster")
    started = time.perf_counter()
    with database(settings) as database_url:
        upgrade(settings, database_url, report.say)
        # Before the start, so that `up` finds a project and does not make its `default`.
        _project(settings, database_url)
        with up.system(settings, report.say) as system:
            report.say(f"Everything is up ({time.perf_counter() - started:.0f} s)")
            yield system.url, system.dagster_url, database_url


def _project(settings: Settings, database_url: str) -> NewProject:
    accounts = Accounts(database_url)
    try:
        accounts.migrate()
        return demo_project(settings, accounts)
    finally:
        accounts.close()


def _wait_for_lake(settings: Settings, project_id: str, n_events: int) -> None:
    """Return once the lake has `n_events` of the project; a 200 promises them, and the roller brings them."""
    lake = settings.open_lake()
    deadline = time.monotonic() + ROLL_S
    while parts.read_parts(lake, parts.list_parts(lake, project_id))["event_id"].n_unique() < n_events:
        if time.monotonic() > deadline:
            raise click.ClickException(
                f"the events did not reach the lake within {ROLL_S:.0f} s: see {settings.home / 'logs' / 'api.log'}"
            )
        time.sleep(0.25)


def _build(settings: Settings, database_url: str, project_id: str) -> None:
    command = [sys.executable, "-m", "turret_pipeline.orchestration.build", f"--project={project_id}"]
    code = build.run(command, dagster_environment(settings, database_url))
    if code:
        raise click.ClickException(f"the build failed (exit status {code}); its lines above say where")


def _mark_outcome(url: str, admin_key: str) -> None:
    """After this call the sample's `OUTCOME` is an outcome of sessions, good where it is true."""
    with httpx.Client(base_url=url, headers={"X-API-Key": admin_key}, timeout=60, verify=False) as client:
        answer = client.patch("/v1/fields", params={"field": OUTCOME}, json={"outcome": {"good": [True]}})
    if answer.status_code != 200:
        raise click.ClickException(f"/v1/fields answered {answer.status_code}: {_words(answer)}")


def annotate_release(url: str, admin_key: str, date: dt.date) -> None:
    """After this call the sample's release is annotated: on `date`, or where an earlier run has annotated it."""
    with httpx.Client(base_url=url, headers={"X-API-Key": admin_key}, timeout=60, verify=False) as client:
        if any(each["text"] == RELEASE for each in _get(client, "/v1/annotations")["data"]):
            return
        body = {"date": date.isoformat(), "kind": "release", "text": RELEASE}
        answer = client.post("/v1/annotations", json=body)
    if answer.status_code != 200:
        raise click.ClickException(f"/v1/annotations answered {answer.status_code}: {_words(answer)}")


def _get(client: httpx.Client, path: str, **query: str) -> dict[str, Any]:
    deadline = time.monotonic() + ANSWER_S
    while (answer := client.get(path, params=query)).status_code == 503 and time.monotonic() < deadline:
        time.sleep(min(float(answer.headers.get("Retry-After", "1")), 5))
    if answer.status_code != 200:
        raise click.ClickException(f"{path} answered {answer.status_code}: {_words(answer)}")
    found: dict[str, Any] = answer.json()
    return found


def _words(answer: httpx.Response) -> str:
    try:
        found = answer.json()
        refused = [result for result in found.get("results", [found]) if not result.get("success")]
        return str(refused[0]["error"])
    except (ValueError, KeyError, TypeError, IndexError):
        return answer.text[:200]
