"""The embedded Postgres: real servers, real kills."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg2
import pytest

from tests.processes.conftest import processes_of, until
from turret_api.processes.log_lines import message_of
from turret_api.processes.postgres import DatabaseError, database, embedded_server, embedded_url
from turret_api.processes.postgres_keeper import state, unprivileged_user
from turret_pipeline.settings import Settings

HOLD = """
import sys
from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings
with database(Settings.from_environment()) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def settings_of(home: Path) -> Settings:
    return Settings.from_environment({"TURRET_HOME": str(home)})


def run_sql(url: str, *statements: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def hold(home: Path) -> subprocess.Popen[str]:
    """Start a process that uses the database of `home` until its standard input is closed."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env={**os.environ, "TURRET_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def url_of(holder: subprocess.Popen[str]) -> str:
    assert holder.stdout is not None
    return holder.stdout.readline().strip()


def release(holder: subprocess.Popen[str]) -> None:
    with holder:
        pass


@pytest.fixture
def holder(used_home: Path) -> Iterator[subprocess.Popen[str]]:
    process = hold(used_home)
    yield process
    process.kill()
    release(process)


def test_what_is_written_is_there_again_and_the_server_ends_with_its_only_user(used_home: Path) -> None:
    with database(settings_of(used_home)) as url:
        run_sql(url, "CREATE TABLE t (x int)", "INSERT INTO t VALUES (7)")
        assert embedded_server(used_home) is not None
    assert processes_of(used_home) == []
    with database(settings_of(used_home)) as again:
        assert run_sql(again, "SELECT x FROM t") == [(7,)]
    assert again == url, "the address is kept, where it is free"


def test_the_server_is_for_those_alone_who_may_read_the_password(used_home: Path) -> None:
    with database(settings_of(used_home)) as url:
        password = used_home / "postgres" / "password"
        assert stat.S_IMODE(password.stat().st_mode) == 0o600
        assert stat.S_IMODE((used_home / "postgres" / "data").stat().st_mode) == 0o700
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            run_sql(url.replace(password.read_text(), "guess"), "SELECT 1")
        assert run_sql(url, "SHOW listen_addresses", "SHOW unix_socket_directories") == [("",)]
        server = embedded_server(used_home)
        assert server is not None
        assert server.uids().effective != 0


@pytest.mark.slow
def test_commands_that_start_at_once_share_one_server_which_ends_with_the_last(home: Path) -> None:
    holders = [hold(home) for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        urls = set(pool.map(url_of, holders))
    assert len(urls) == 1
    url = urls.pop()
    for each in holders[:-1]:
        release(each)
        assert run_sql(url, "SELECT 1") == [(1,)]
    release(holders[-1])
    assert processes_of(home) == []


def test_the_server_ends_by_itself_when_its_last_user_is_killed(used_home: Path, holder: subprocess.Popen[str]) -> None:
    url = url_of(holder)
    holder.kill()
    until(lambda: embedded_server(used_home) is None)
    with pytest.raises(psycopg2.OperationalError):
        run_sql(url, "SELECT 1")


def test_a_kill_of_everything_loses_nothing_and_the_next_start_works(
    used_home: Path, holder: subprocess.Popen[str]
) -> None:
    run_sql(url_of(holder), "CREATE TABLE t (x int)", "INSERT INTO t VALUES (7)")
    for process in [holder, *processes_of(used_home)]:
        process.kill()
    with database(settings_of(used_home)) as url:
        assert run_sql(url, "SELECT x FROM t") == [(7,)]


def test_a_server_that_dies_is_started_again_at_its_address(used_home: Path) -> None:
    with database(settings_of(used_home)) as url:
        server = embedded_server(used_home)
        assert server is not None
        server.kill()
        until(lambda: embedded_server(used_home) not in (None, server))
        until(lambda: can_connect(url))


@pytest.mark.slow
def test_a_server_that_keeps_dying_is_given_up_and_its_log_says_why(used_home: Path) -> None:
    with (used_home / "postgres" / "data" / "postgresql.conf").open("a") as conf:
        conf.write("\nno_such_setting = on\n")
    refused = pytest.raises(DatabaseError, match="the database does not start: see the end of ")
    with refused, database(settings_of(used_home)):
        pass
    lines = [message_of(line) for line in (used_home / "logs" / "postgres.log").read_text().splitlines()]
    assert lines[-1] == "keeper: Postgres does not stay up; the lines above say why"
    assert sum("no_such_setting" in line for line in lines) == 6, "one line each start"


def test_a_server_whose_keeper_is_killed_does_not_stay(used_home: Path) -> None:
    with database(settings_of(used_home)):
        server, found = embedded_server(used_home), state(used_home / "postgres")
        assert server is not None and found is not None
        os.kill(found["keeper_pid"], signal.SIGKILL)
        if sys.platform == "linux":
            until(lambda: not server.is_running())
        with database(settings_of(used_home)) as url:
            assert run_sql(url, "SELECT 1") == [(1,)]
            assert embedded_server(used_home) != server


def test_a_pid_file_that_names_somebody_else_is_no_server(used_home: Path) -> None:
    data = used_home / "postgres" / "data"
    bystander = subprocess.Popen(["sleep", "60"], user=unprivileged_user()[0])
    try:
        (data / "postmaster.pid").write_text(f"{bystander.pid}\n{data}\n1\n1\n\n127.0.0.1\n0 0\nready\n")
        assert embedded_server(used_home) is None
        with database(settings_of(used_home)) as url:
            assert run_sql(url, "SELECT 1") == [(1,)]
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_another_port_is_taken_when_somebody_else_has_ours(used_home: Path) -> None:
    with database(settings_of(used_home)) as url:
        port = int(url.rpartition(":")[2].partition("/")[0])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with database(settings_of(used_home)) as url:
            assert f":{port}/" not in url
            assert url == embedded_url(used_home)
            assert run_sql(url, "SELECT 1") == [(1,)]


def test_a_first_start_that_was_interrupted_is_begun_anew(home: Path) -> None:
    (home / "postgres" / "data.1234").mkdir(parents=True)
    (home / "postgres" / "password").write_text("of a start that was killed")
    with database(settings_of(home)) as url:
        assert run_sql(url, "SELECT 1") == [(1,)]
    assert not (home / "postgres" / "data.1234").exists()


def test_a_cluster_without_its_password_is_a_clear_error(used_home: Path) -> None:
    (used_home / "postgres" / "password").unlink()
    with pytest.raises(DatabaseError, match="is gone, and without it the database"), database(settings_of(used_home)):
        pass


def test_a_server_of_ones_own_is_used_as_it_is(home: Path, database_url: str) -> None:
    given = {"TURRET_HOME": str(home), "TURRET_DATABASE_URL": database_url.replace("+psycopg2", "")}
    with database(Settings.from_environment(given)) as url:
        assert url == database_url
    assert not home.exists()


def test_a_server_of_ones_own_that_is_away_is_one_line_or_told_to_who_can_do_without(home: Path) -> None:
    given = {"TURRET_HOME": str(home), "TURRET_DATABASE_URL": "postgresql://me@127.0.0.1:1/turret"}
    told: list[str] = []
    with database(Settings.from_environment(given), told.append) as url:
        assert url == "postgresql+psycopg2://me@127.0.0.1:1/turret"
    (line,) = told
    assert line.startswith("cannot use the database of TURRET_DATABASE_URL: ") and "\n" not in line
    with pytest.raises(DatabaseError, match=re.escape(line)), database(Settings.from_environment(given)):
        pass


def can_connect(url: str) -> bool:
    try:
        return run_sql(url, "SELECT 1") == [(1,)]
    except psycopg2.OperationalError:
        return False


def test_no_other_process_is_seen_as_the_server(home: Path) -> None:
    (home / "postgres" / "data").mkdir(parents=True)
    (home / "postgres" / "data" / "postmaster.pid").write_text(str(psutil.Process().pid))
    assert embedded_server(home) is None
