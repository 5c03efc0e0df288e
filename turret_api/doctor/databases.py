"""The database of accounts and Dagster: whether it can be reached and read, and getting an embedded one to start again.

The embedded server's control file (`pg_control`) says where its log begins, and without it Postgres does not start. It
is looked at with Postgres's own program, which compares its checksum. What it said is found again from the names of the
files beside it (postgresql.org, "pg_resetwal"); what had not come into the tables since the last checkpoint, of five
minutes ago at most, may be missing then.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import psycopg2
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import Accounts
from turret_api.accounts.collectors import wrong_clocks
from turret_api.command.archive import SCHEMAS, ProgramError, run_postgres
from turret_api.doctor.fault import DATABASE, Fault
from turret_api.processes.postgres import DatabaseError, database, embedded_server, embedded_url
from turret_api.processes.postgres_keeper import KeeperError, binaries, own_command
from turret_pipeline.settings import Settings

FROM_BACKUP = "turret doctor --mend --from-backup ARCHIVE"
CONTROL_BYTES = 8192
_ID_STEP, _OFFSETS_STEP, _MEMBERS_STEP = 0x100000, 0x10000, 0xCC80
"""Transaction ids, and multixact offsets and members, that one file of those names is for."""


def faults_of_database(settings: Settings) -> Iterator[Fault]:
    """Yield what is wrong with the database; an embedded one that was never made is not wrong."""
    data = settings.home / "postgres" / "data"
    if settings.database_url is None:
        if not data.exists():
            return
        if reason := _fault_of_control(data):
            yield Fault(DATABASE, str(data / "global" / "pg_control"), reason)
            if embedded_server(settings.home) is None:
                return
    address = str(data) if settings.database_url is None else "TURRET_DATABASE_URL"
    try:
        with database(settings) as url:
            yield from _faults_at(url, address)
    except DatabaseError as error:
        yield Fault(DATABASE, address, f"does not start ({error.message})", FROM_BACKUP)


def warnings_of_database(settings: Settings) -> list[str]:
    """Return what is not damaged but wrong on the hosts that use the database; empty where it cannot be reached."""
    if settings.database_url is None and not (settings.home / "postgres" / "data").exists():
        return []
    try:
        with database(settings) as url, contextlib.closing(Accounts(url)) as accounts:
            return wrong_clocks(accounts)
    except (DatabaseError, SQLAlchemyError):
        return []  # a fault says so


def _faults_at(url: str, address: str) -> Iterator[Fault]:
    try:
        psycopg2.connect(url.replace("+psycopg2", ""), connect_timeout=5).close()
    except psycopg2.OperationalError as error:
        yield Fault(DATABASE, address, f"cannot be reached ({str(error).strip().splitlines()[-1]})", "turret up")
        return
    try:  # reads every row
        run_postgres("pg_dump", url, "-Fc", "--no-sync", "--file=/dev/null", *(f"--schema={name}" for name in SCHEMAS))
    except ProgramError:
        raise
    except click.ClickException as error:
        if "no matching schemas" not in error.message:
            yield Fault(DATABASE, address, f"cannot be read to its end ({error.message})", FROM_BACKUP)


def _fault_of_control(data: Path) -> str | None:
    """Return in words what is wrong with the control file; None: nothing."""
    if not (data / "global" / "pg_control").exists():
        return "is gone"
    done = _run("pg_controldata", data, str(data))
    said = (done.stderr + done.stdout).decode(errors="replace")
    if done.returncode or "warning" in said.lower():
        return "holds other bytes than were written"
    return None


def mend_control(settings: Settings, say: Callable[[str], None]) -> str:
    """After this call the embedded server starts again; raise `DatabaseError` if it does not."""
    folder = settings.home / "postgres"
    data = folder / "data"
    if embedded_server(settings.home) is not None:
        url = embedded_url(settings.home) or ""
        with contextlib.closing(psycopg2.connect(url.replace("+psycopg2", ""), connect_timeout=5)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("CHECKPOINT")
        return "written again by the running server"
    with (folder / "start.lock").open("a") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        aside = folder / f"damaged-{time.strftime('%Y%m%dT%H%M%S')}"
        shutil.copytree(data, aside)
        control = data / "global" / "pg_control"
        # Empty: of a damaged one pg_resetwal would believe whatever looks like a value.
        control.write_bytes(bytes(CONTROL_BYTES))
        shutil.chown(control, data.stat().st_uid, data.stat().st_gid)
        ids = _next(data / "pg_xact", _ID_STEP)
        offsets = _next(data / "pg_multixact" / "offsets", _OFFSETS_STEP)
        members = _next(data / "pg_multixact" / "members", _MEMBERS_STEP)
        words = ["-f", "-x", str(ids), "-m", f"{offsets},1", "-O", str(members), "-D", str(data)]
        (data / "postmaster.pid").unlink(missing_ok=True)
        done = _run("pg_resetwal", data, *words)
        if done.returncode:
            raise DatabaseError(f"pg_resetwal failed: {done.stderr.decode(errors='replace').strip()[:300]}")
    with database(settings) as url:
        for fault in _faults_at(url, str(data)):
            raise DatabaseError(f"{fault.where} {fault.reason}; restore it with `{FROM_BACKUP}`")
        connection = psycopg2.connect(url.replace("+psycopg2", ""))
        connection.autocommit = True
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("REINDEX DATABASE")
    say(f"the database as it was lies in {aside}")
    return "written anew; what was changed in the last minutes before the damage may be missing"


def restore_database(settings: Settings, dump: Path, say: Callable[[str], None]) -> str:
    """After this call a new embedded database holds what a backup's dump does; the old one lies beside it."""
    folder = settings.home / "postgres"
    if embedded_server(settings.home) is not None:
        raise DatabaseError("the database runs: end `turret up` or `turret serve` first, and call this again")
    with (folder / "start.lock").open("a") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        aside = folder / f"damaged-{time.strftime('%Y%m%dT%H%M%S')}"
        (folder / "data").rename(aside)
    say(f"the database as it was lies in {aside}")
    with database(settings) as url:
        run_postgres("pg_restore", url, "--no-owner", "--exit-on-error", "--single-transaction", str(dump))
    return "restored from the backup"


def _next(folder: Path, step: int) -> int:
    """Return the first number past those that the files in the folder, named in hexadecimal, are for."""
    names = [int(each.name, 16) for each in folder.iterdir() if each.name.isalnum()]
    return (max(names, default=0) + 1) * step


def _run(program: str, data: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    try:
        path = binaries() / program
        command = [*own_command(path, data), str(path), *words]
    except KeeperError as error:
        raise DatabaseError(str(error)) from error
    return subprocess.run(command, capture_output=True, check=False, cwd=data, env=os.environ | {"LC_ALL": "C"})
