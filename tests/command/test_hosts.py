"""Several hosts with one database and one lake: one with everything, one with the pipeline, one with the API."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import create_engine, text

from tests.command.hosts import Host, end, host_of_the_daemon, namespace, runs, start
from tests.command.kills import REACHED_S, order, while_waiting
from tests.command.test_up import turret
from tests.processes.conftest import processes_of, until
from tests.small_lake import DAYS, bring, event, put, tables
from turret_api.accounts import Accounts, NewProject
from turret_api.home.dagster_home import dagster_environment, dagster_url
from turret_api.processes.postgres import database
from turret_pipeline.lake.first_day import VARIABLE
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.session import open_session
from turret_pipeline.settings import Settings
from turret_pipeline.stages.pending import pending_stages

LIMIT = 600
MOST_KEPT = 6
"""Connections that one of Dagster's processes keeps when nothing is built."""
SAME = ({}, {"event_id": "mine"})
TERMINATE = "mutation($run: String!) { terminateRun(runId: $run) { __typename } }"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def url(database_url: str) -> Iterator[str]:
    """SQLAlchemy URL of a database that the hosts share."""
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE of_hosts"))
    yield f"{database_url.rpartition('/')[0]}/of_hosts"
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE of_hosts WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, keep_model: Callable[[Lake], None]) -> Lake:
    found = Lake(str(tmp_path_factory.mktemp("shared") / "lake"))
    keep_model(found)
    return found


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, url: str, lake: Lake) -> Iterator[list[Host]]:
    folder = tmp_path_factory.mktemp("hosts")
    made = [Host(folder, name, role, url, Path(lake.root)) for name, role in (("ada", "all"), ("bob", "pipeline"))]
    made.append(Host(folder, "eve", "api", url, Path(lake.root)))
    start(made)
    yield made
    end(made)


@pytest.fixture(scope="module")
def project(url: str, hosts: list[Host]) -> NewProject:
    with closing(Accounts(url)) as accounts:
        return accounts.create_project("limited", "enterprise", LIMIT)


def processes(host: Host) -> dict[str, dict]:
    return {each["name"]: each for each in host.status()["processes"]}  # type: ignore[attr-defined]


def test_each_host_runs_what_its_role_says_and_one_daemon_works(hosts: list[Host], url: str) -> None:
    ada, bob, eve = hosts
    found = [processes(host) for host in hosts]
    pipeline = ["code", "dagster-ui", "daemon"]
    assert [list(each) for each in found] == [["api", *pipeline], pipeline, ["api"]]
    assert [each["healthy"] for host in found for each in host.values()] == [True] * 8
    has = host_of_the_daemon(url, hosts)
    (stands_by,) = {ada, bob} - {has}
    of = dict(zip((ada, bob, eve), found, strict=True))
    assert of[has]["daemon"]["standing_by_for"] is None
    assert of[stands_by]["daemon"]["standing_by_for"] == has.name
    assert f"daemon: standing by, {has.name} has it" in stands_by.said()
    if namespace():  # else the process has what `named` imports, too
        assert psutil.Process(of[stands_by]["daemon"]["pid"]).memory_info().rss < 60e6, "without Dagster"
    for host, shown, hidden in ((bob, "Dagster UI", "Dashboard"), (eve, "Dashboard", "Dagster UI")):
        assert f"Turret is up, with the role {host.role} (" in host.said()
        assert shown in host.said() and hidden not in host.said()


def test_what_has_no_login_listens_on_this_machine_alone_whatever_the_role(hosts: list[Host]) -> None:
    for host in hosts:
        addresses = {
            connection.laddr.ip.removeprefix("::ffff:")
            for process in processes_of(host.home)
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        assert addresses == {"127.0.0.1"}


def test_every_process_of_dagster_keeps_few_connections(hosts: list[Host], url: str) -> None:
    runs_of_ui = {"query": "{ runsOrError(limit: 5) { ... on Runs { results { id status } } } }"}
    for host in hosts[:2]:
        for _ in range(5):
            answer = httpx.post(f"http://127.0.0.1:{host.dagster_port}/graphql", json=runs_of_ui, timeout=60)
            assert "errors" not in answer.json()
    query = "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1"
    with closing(open_session(url, "test")) as session, session.cursor() as sql:
        sql.execute(query)
        found = dict(sql.fetchall())
    assert {name for name in found if name.startswith("turret dagster-ui")} == {"turret dagster-ui"}
    for name in ("turret code", "turret daemon", "turret dagster-ui"):
        assert found[name] <= 2 * MOST_KEPT, found


def test_a_sign_in_on_one_host_is_valid_on_the_other_and_so_is_a_sign_out(
    hosts: list[Host], project: NewProject
) -> None:
    ada, _, eve = hosts
    form = {"key": project.read_key, "destination": "/"}
    signed_in = httpx.post(f"{ada.url}/sign-in", data=form, headers=SAME_ORIGIN, timeout=30)
    cookies = dict(signed_in.cookies)
    for host in (ada, eve):
        assert httpx.get(f"{host.url}/v1/usage", cookies=cookies, timeout=30).status_code == 200
    httpx.post(f"{eve.url}/sign-out", cookies=cookies, headers=SAME_ORIGIN, timeout=30)
    until(lambda: httpx.get(f"{ada.url}/v1/usage", cookies=cookies, timeout=30).status_code == 401)


@pytest.mark.slow
def test_a_run_is_cancelled_in_the_ui_of_another_host(
    hosts: list[Host], project: NewProject, url: str, lake: Lake
) -> None:
    has = host_of_the_daemon(url, hosts)
    (other,) = {hosts[0], hosts[1]} - {has}
    order(has.home, "events.after_read", "wait")
    put(lake, DAYS[0], "a", [event(1, DAYS[0])], project="cancelled")
    with while_waiting(has.home, "events.after_read"):
        ((run_id,),) = fetch(url, "SELECT run_id FROM dagster.runs WHERE status = 'STARTED'")
        words = {"query": TERMINATE, "variables": {"run": run_id}}
        answer = httpx.post(f"http://127.0.0.1:{other.dagster_port}/graphql", json=words, timeout=60).json()
        assert answer["data"]["terminateRun"]["__typename"] == "TerminateRunSuccess", answer
        until(lambda: runs(url, {"turret/project": "cancelled"})[0][1] == "CANCELED")
    assert fetch(url, f"SELECT 1 FROM turret_pipeline.run_leases WHERE run_id = '{run_id}'") == []


@pytest.mark.slow
def test_two_hosts_together_accept_exactly_the_limit(hosts: list[Host], project: NewProject, url: str) -> None:
    # For the test after the next: the run that is about to start waits, so that its host can be killed.
    order(host_of_the_daemon(url, hosts).home, "events.after_read", "wait")
    answers: Counter[int] = Counter()

    def send(host: Host, client: int) -> None:
        with httpx.Client(headers={"X-API-Key": project.write_key}, timeout=60) as http:
            for number in range(LIMIT // 4):
                body = {"name": "asked", "metadata": {"n": number}, "session_id": f"{host.name}-{client}"}
                answers[http.post(f"{host.url}/track", json=body | SAME[client == number == 0]).status_code] += 1

    clients = [(host, client) for host in (hosts[0], hosts[2]) for client in range(3)]
    senders = [threading.Thread(target=send, args=each) for each in clients]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert answers == {200: LIMIT, 429: LIMIT // 4 * 6 - LIMIT}


@pytest.mark.slow
def test_when_the_host_of_the_daemon_dies_another_one_ends_its_work_and_nothing_runs_twice(
    hosts: list[Host], project: NewProject, url: str, lake: Lake, tmp_path: Path
) -> None:
    dying, limited = host_of_the_daemon(url, hosts), project.project_id
    (other,) = {hosts[0], hosts[1]} - {dying}
    raw = Path("events") / f"project={limited}"
    with while_waiting(dying.home, "events.after_read"):
        assert runs(url, {"turret/project": limited}) == [("events_of_days", "STARTED", False)]
        # Events that are still in the spool of the dead host would be missing until it is started again.
        until(lambda: read_parts(lake, list_parts(lake, limited)).height == LIMIT)
        dying.kill()
    until(lambda: not pending_stages(lake, None, [limited])[limited], REACHED_S)
    assert host_of_the_daemon(url, hosts) is other
    assert processes(other)["daemon"]["standing_by_for"] is None
    until(lambda: runs(url, {"turret/project": limited})[-1][1] == "SUCCESS")
    assert runs(url, {"turret/project": limited}) == [
        ("events_of_days", "FAILURE", False),
        ("events_of_days", "SUCCESS", True),
        ("models_of_project", "SUCCESS", False),
    ]
    undisturbed = Lake(str(tmp_path / "lake"))
    shutil.copytree(Path(lake.root) / raw, Path(undisturbed.root) / raw)
    bring(undisturbed, limited)
    left = tables(lake, limited)
    for name, expected in tables(undisturbed, limited).items():
        assert left[name].equals(expected), name
    ids = left["events"]["event_id"]
    assert (len(ids), ids.n_unique(), (ids == "mine").sum()) == (LIMIT - 1, LIMIT - 1, 1), "sent to both, stored once"


@pytest.mark.slow
def test_a_collector_takes_events_and_answers_nothing_else(url: str, lake: Lake, tmp_path: Path) -> None:
    collector = Host(tmp_path, "max", "collector", url, Path(lake.root))
    try:
        collector.begin("--host", "0.0.0.0")
        collector.wait_until_up()
        with closing(Accounts(url)) as accounts:
            keys = accounts.create_project("collected")
        assert track(collector, keys) == 200
        assert httpx.get(f"{collector.url}/readyz", timeout=30).json()["status"] == "ready"
        for path in ("/v1/usage", "/sign-in", "/"):
            found = httpx.get(collector.url + path, headers={"X-API-Key": keys.read_key}, timeout=30)
            assert found.status_code == 404, path
        status = collector.status()
        assert status["role"] == "collector" and [each["name"] for each in status["processes"]] == ["api"]  # type: ignore[attr-defined]
        assert "Track events" in collector.said() and "POST http://max:" in collector.said()
    finally:
        end([collector])


@pytest.mark.slow
@pytest.mark.parametrize("role", ["api", "collector", "pipeline"])
def test_a_part_of_the_whole_is_refused_with_the_embedded_database(home: Path, role: str) -> None:
    done = subprocess.run(
        turret("up", "--role", role),
        env={**os.environ, "TURRET_DATABASE_URL": "", "TURRET_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: `--role {role}` needs TURRET_DATABASE_URL: the embedded database serves one host, which does "
        "everything\n"
    )
    assert not home.exists()


def test_hosts_agree_on_the_first_day_though_one_started_before_there_were_events(
    make_database: Callable[[], str], tmp_path: Path
) -> None:
    url, lake, found = make_database(), Lake(str(tmp_path / "lake")), []
    for home in ("ada", "bob"):
        names = {"TURRET_HOME": str(tmp_path / home), "TURRET_LAKE": lake.root, "TURRET_DATABASE_URL": url}
        found.append(dagster_environment(Settings.from_environment(names), url)[VARIABLE])
        put(lake, DAYS[0], "a", [event(1, DAYS[0])])
    assert found[0] == found[1] > DAYS[0].isoformat()


@pytest.mark.slow
def test_a_host_that_starts_while_the_database_is_away_takes_events_and_the_rest_comes_with_it(tmp_path: Path) -> None:
    server = Settings.from_environment({"TURRET_HOME": str(tmp_path / "server")})
    with database(server) as url:
        host = Host(tmp_path, "ida", "api", url, tmp_path / "lake")
        try:
            start([host])
            with closing(Accounts(url)) as accounts:
                keys = accounts.create_project("shop")
            assert track(host, keys) == 200
            host.end()
        finally:
            end([host])
    try:
        host.begin()
        until(lambda: "Turret takes events, and nothing else runs yet" in host.said(), 60)
        assert "cannot use the database of TURRET_DATABASE_URL: " in host.said()
        assert httpx.get(f"{host.url}/readyz", timeout=30).json()["accounts"] == "away"
        with database(server):
            until(lambda: "everything runs" in host.said(), 60)
            until(lambda: httpx.get(f"{host.url}/readyz", timeout=30).json()["accounts"] == "reached")
            assert track(host, keys) == 200
            host.end()
    finally:
        end([host])


def fetch(url: str, query: str) -> list[tuple]:
    with closing(open_session(url, "test")) as session, session.cursor() as sql:
        sql.execute(query)
        return sql.fetchall()


def track(host: Host, keys: NewProject) -> int:
    body = {"name": "asked", "metadata": {"plan": "free"}}
    return httpx.post(f"{host.url}/track", json=body, headers={"X-API-Key": keys.write_key}, timeout=30).status_code


def test_options_in_the_address_of_the_database_stay(database_url: str) -> None:
    found = dagster_url(f"{database_url}?options=-cwork_mem%3D5MB&application_name=mine")
    with closing(create_engine(found).connect()) as connection:
        for setting, value in (("work_mem", "5MB"), ("search_path", "dagster"), ("application_name", "mine")):
            assert connection.scalar(text(f"SHOW {setting}")) == value
