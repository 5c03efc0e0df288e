"""Leases on runs, in a real Postgres, held by real processes; another machine is one whose pids mean nothing here."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator

import psycopg2
import pytest

from tests.processes.conftest import until
from turret_pipeline.lake.fingerprint import fingerprint
from turret_pipeline.orchestration import leases as leases_module
from turret_pipeline.orchestration.leases import Leases

LEASE_S = 3.0
HOLDER = """
import sys, time
from turret_pipeline.orchestration.leases import Leases
with Leases(sys.argv[1], float(sys.argv[3])).held(sys.argv[2]):
    print("held", flush=True)
    time.sleep(600)
"""


@contextlib.contextmanager
def holder(database_url: str, run_id: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lease on a run; killed at the end of the block if it still lives."""
    command = [sys.executable, "-c", HOLDER, database_url, run_id, str(LEASE_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def execute(database_url: str, statement: str, *values: object) -> None:
    connection = psycopg2.connect(database_url.replace("+psycopg2", ""))
    with contextlib.closing(connection), connection, connection.cursor() as sql:
        sql.execute(statement, values)


def fetch(database_url: str, query: str) -> list[tuple]:
    connection = psycopg2.connect(database_url.replace("+psycopg2", ""))
    with contextlib.closing(connection), connection.cursor() as sql:
        sql.execute(query)
        return sql.fetchall()


@pytest.fixture
def run_id() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of the tests may have started just now."""
    monkeypatch.setattr(leases_module, "GRACE_S", -1e6)


def test_a_killed_process_of_this_machine_is_known_to_be_dead_at_once(database_url: str, run_id: str) -> None:
    leases = Leases(database_url)
    with holder(database_url, run_id) as process:
        assert leases.living([run_id, "another"]) == {run_id: True}
        process.kill()
        process.wait()
        assert leases.living([run_id]) == {run_id: False}


@pytest.mark.slow
def test_a_process_of_another_machine_lives_as_long_as_it_renews_its_lease(
    database_url: str, run_id: str, monkeypatch: pytest.MonkeyPatch, no_grace: None
) -> None:
    leases = Leases(database_url)
    monkeypatch.setattr(leases_module, "machine", lambda: "a container made anew")
    with holder(database_url, run_id) as process:

        def deadline() -> dt.datetime:
            ((at,),) = fetch(database_url, f"SELECT deadline FROM turret_pipeline.run_leases WHERE run_id = '{run_id}'")
            return at

        first = deadline()
        until(lambda: fetch(database_url, f"SELECT now() > '{first}'") == [(True,)])
        assert leases.living([run_id]) == {run_id: True}
        last = deadline()
        until(lambda: deadline() > last)
        process.kill()
        process.wait()
        assert leases.living([run_id]) == {run_id: True}, "nothing tells that it is dead yet"
        until(lambda: leases.living([run_id]) == {run_id: False})


def test_a_process_of_another_machine_that_is_too_busy_to_renew_lives_as_long_as_its_connection(
    database_url: str, run_id: str, monkeypatch: pytest.MonkeyPatch, no_grace: None
) -> None:
    leases = Leases(database_url)
    monkeypatch.setattr(leases_module, "machine", lambda: "another host")
    with holder(database_url, run_id) as process:
        process.send_signal(signal.SIGSTOP)
        execute(database_url, "UPDATE turret_pipeline.run_leases SET deadline = now() - interval '1 s'")
        assert leases.living([run_id]) == {run_id: True}
        process.kill()
        process.wait()
        until(lambda: leases.living([run_id]) == {run_id: False})


@pytest.mark.slow
def test_a_lease_outlives_the_connection_that_it_was_taken_with(database_url: str, run_id: str) -> None:
    leases = Leases(database_url, LEASE_S)
    with leases.held(run_id):
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'turret leases'"
        execute(database_url, ended)
        half = fingerprint("turret", "run", run_id) % 2**32
        shown = f"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid::bigint = {half}"
        until(lambda: fetch(database_url, shown))
        assert leases.living([run_id]) == {run_id: True}


def test_leases_that_nobody_could_renew_while_the_database_was_away_get_time_for_it(
    database_url: str, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = Leases(database_url, lease_s=-1)
    leases.take(run_id)
    monkeypatch.setattr(leases_module, "machine", lambda: "elsewhere")
    monkeypatch.setattr(leases_module, "GRACE_S", 1e6)
    assert leases.living([run_id]) == {run_id: True}
    monkeypatch.setattr(leases_module, "GRACE_S", -1e6)
    assert leases.living([run_id]) == {run_id: False}


def test_a_process_whose_lease_was_dropped_is_told(database_url: str, run_id: str) -> None:
    leases, told = Leases(database_url, lease_s=0.3), threading.Event()
    with leases.held(run_id, told.set):
        leases.drop(run_id)
        assert told.wait(30)


def test_a_process_whose_lease_was_dropped_ends(database_url: str, run_id: str) -> None:
    with holder(database_url, run_id) as process:
        Leases(database_url).drop(run_id)
        assert process.wait(30) == -15


def test_a_process_whose_run_was_cancelled_ends_also_when_it_took_the_lease_later(
    database_url: str, run_id: str
) -> None:
    leases = Leases(database_url)
    assert not leases.cancel(run_id)
    leases.launching(run_id)
    assert leases.cancel(run_id) and leases.machine_of(run_id) == leases_module.machine()
    with holder(database_url, run_id) as process:
        assert process.wait(30) == -15
    assert leases.machine_of("another") is None


def test_a_table_of_an_earlier_version_gets_what_it_lacks(database_url: str, run_id: str) -> None:
    leases = Leases(database_url)
    leases.take(run_id)
    execute(database_url, "ALTER TABLE turret_pipeline.run_leases DROP COLUMN cancelled")
    assert leases.living([run_id]) == {run_id: True}
    assert leases.cancel(run_id)


def test_a_lease_is_gone_after_its_block_also_when_that_fails(database_url: str, run_id: str) -> None:
    leases = Leases(database_url)
    with pytest.raises(ZeroDivisionError), leases.held(run_id):
        assert leases.living([run_id]) == {run_id: True}
        raise ZeroDivisionError
    assert leases.living([run_id]) == {}


def test_a_database_that_never_had_a_lease_has_none(database_url: str, run_id: str) -> None:
    execute(database_url, "DROP SCHEMA IF EXISTS turret_pipeline CASCADE")
    leases = Leases(database_url)
    assert leases.living([run_id]) == {}
    leases.drop(run_id)
    leases.take(run_id)
    assert leases.living([run_id]) == {run_id: True}


def test_without_a_database_there_are_no_leases(run_id: str) -> None:
    with Leases(None).held(run_id):
        assert Leases(None).living([run_id]) == {}
