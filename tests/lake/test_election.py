"""Which process is elected, in a real Postgres, by real processes."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import psycopg2
import pytest

from tests.processes.conftest import until
from turret_pipeline.lake.election import Elected, elected
from turret_pipeline.lake.session import open_session

CANDIDATE = """
import os, sys, time
from turret_pipeline.lake.election import Candidacy
candidacy = Candidacy(sys.argv[1], lambda line: print(line, flush=True))
candidacy.win()
print("elected", flush=True)
candidacy.keep(lambda: os._exit(75))
time.sleep(600)
"""


@pytest.fixture
def url(make_database: Callable[[], str]) -> str:
    return make_database()


@contextlib.contextmanager
def candidate(url: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", CANDIDATE, url], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def who(url: str) -> Elected | None:
    with contextlib.closing(open_session(url, "test")) as session:
        return elected(session)


def cut(url: str, name: str = "turret daemon%") -> None:
    """End the sessions of this name, as a server does that is started again."""
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    with contextlib.closing(connection), connection.cursor() as sql:
        sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s", (name,))


def test_one_is_elected_and_when_it_is_killed_another(url: str) -> None:
    assert who(url) is None
    with candidate(url) as first:
        assert line(first) == "elected"
        found = who(url)
        assert found is not None and found.is_here and found.pid == first.pid
        with candidate(url) as second:
            assert line(second) == f"standing by: the daemon runs on {found.host}"
            first.kill()
            assert line(second) == "elected"
            found = who(url)
            assert found is not None and found.pid == second.pid


@pytest.mark.slow
def test_an_elected_process_whose_session_breaks_is_elected_again_if_nobody_else_was(url: str) -> None:
    with candidate(url) as process:
        assert line(process) == "elected"
        cut(url)
        assert line(process) == "the database was away; still elected"
        found = who(url)
        assert found is not None and found.pid == process.pid


@pytest.mark.slow
def test_an_elected_process_that_was_cut_off_ends_when_another_was_elected_meanwhile(url: str) -> None:
    with candidate(url) as cut_off:
        assert line(cut_off) == "elected"
        cut_off.send_signal(signal.SIGSTOP)  # as a host whose network is gone: it learns nothing
        with candidate(url) as other:
            assert line(other).startswith("standing by")
            cut(url, f"turret daemon % {cut_off.pid} %")
            assert line(other) == "elected"
            cut_off.send_signal(signal.SIGCONT)
            assert line(cut_off) == "another daemon was elected meanwhile"
            assert cut_off.wait(30) == 75
            until(lambda: (found := who(url)) is not None and found.pid == other.pid)


def test_the_server_is_told_to_notice_within_twenty_seconds_that_a_host_is_gone(url: str) -> None:
    shown = "SELECT current_setting('tcp_keepalives_idle')::int, current_setting('tcp_keepalives_interval')::int, "
    shown += "current_setting('tcp_keepalives_count')::int, current_setting('tcp_user_timeout')"
    with contextlib.closing(open_session(url, "test")) as session, session.cursor() as sql:
        sql.execute(shown)
        ((idle, interval, count, unsent),) = sql.fetchall()
    assert idle + interval * count < 20 and int(unsent) == 17_000
