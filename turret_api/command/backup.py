"""`turret backup`: everything that a home knows, in one file, while Turret runs or not; see `archive` for the file.

What depends on something else is copied before it: tables before the tables that they are made from, all tables before
the raw events, turns that wait before the spool that they come to, spools before the events that they become, and the
accounts last. So the archive holds each event that was acknowledged when the backup began at least once, and each table
is at most behind what it is made from, which a build mends. An event that is in a spool and in a part too is counted
once, as always.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import IO

import apsw
import click
import msgspec
import pyarrow.fs

from turret_api.accounts import Accounts, audit
from turret_api.accounts.exports import PATH
from turret_api.accounts.suppression import hasher_of
from turret_api.collector.slots import KEYS_FILE, SPOOL_FILE, TURNS_FILE, slot_folders
from turret_api.command.archive import DUMP, HOME_FILES, MANIFEST, SCHEMAS, SUMS, Manifest, SummedArchive, run_postgres
from turret_api.erasing.notes import name_of
from turret_api.processes.postgres import database
from turret_pipeline.lake import files, store
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.layout import layout_of
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES, Table
from turret_pipeline.settings import Settings

_COMPRESSION = {".gz": "gz", ".tgz": "gz", ".xz": "xz", ".bz2": "bz2"}


@click.command()
@click.argument("archive", type=click.Path(dir_okay=False, path_type=Path))
def command(archive: Path) -> None:
    """Write everything that this home knows into the file ARCHIVE, a .tar, .tar.gz or .tar.xz.

    Turret may run meanwhile. With several hosts, spools of other hosts are not in it: they hold the events of the last
    seconds.
    """
    settings = Settings.from_environment()
    if not settings.home.is_dir():
        raise click.ClickException(f"there is no home in {settings.home}: set TURRET_HOME")
    try:
        with database(settings) as url:
            write(settings, url, archive.absolute(), lambda line: click.echo(line, err=True))
            note(url, "backup", {"file": archive.name, PATH: str(archive.absolute())})
    except (OSError, DamageError) as error:
        raise click.ClickException(f"the backup failed: {error}") from error
    click.echo(f"{archive} holds {settings.home} ({archive.stat().st_size:,} bytes); `turret restore` reads it")


def note(url: str, action: str, about: Mapping[str, str]) -> None:
    """After this call the audit log tells of it, where it can: accounts of an earlier version may have none."""
    with contextlib.closing(Accounts(url)) as accounts:
        if accounts.is_migrated():
            audit.note(accounts, None, audit.command_actor(), action, about)


def write(settings: Settings, url: str, archive: Path, say: Callable[[str], None]) -> None:
    """After this call the file `archive` holds everything that the home knows; it appears when it is whole.

    Raise `click.ClickException` where something cannot be read.
    """
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=f".{archive.name}.") as folder:
        unfinished = Path(folder) / "archive"
        with unfinished.open("wb") as stream:
            os.fchmod(stream.fileno(), 0o600)
            kind = _COMPRESSION.get(archive.suffix, "")
            with SummedArchive.open(fileobj=stream, mode=f"w:{kind}") as tar:  # type: ignore[call-overload]
                _fill(tar, settings, url, Path(folder), say)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(archive)


def _fill(tar: SummedArchive, settings: Settings, url: str, folder: Path, say: Callable[[str], None]) -> None:
    lake = settings.open_lake()
    # Before anything is copied: what is erased from now on may be in the archive.
    begun_at = dt.datetime.now(dt.UTC)
    manifest = Manifest(version("turret"), layout_of(lake), begun_at, _secret_of_erasures(url))
    tar.add_bytes(MANIFEST, msgspec.json.encode(manifest))
    for table in reversed(TABLES.values()):
        n_files = sum(_copy(tar, lake, name, needed=True) for name in _files_of(lake, table))
        if n_files:
            say(f"table {table.name}: {n_files:,} files")
    for spool in slot_folders(settings.home / "spool"):
        for name in (KEYS_FILE, TURNS_FILE):
            # Read at once, for they are written meanwhile: added as files, they could be longer than was said.
            with contextlib.suppress(FileNotFoundError):
                tar.add_bytes(f"spool/{spool.name}/{name}", (spool / name).read_bytes())
        _copy_spool(spool / SPOOL_FILE, folder / SPOOL_FILE)
        tar.add(folder / SPOOL_FILE, f"spool/{spool.name}/{SPOOL_FILE}")
        say(f"spool {spool.name}")
    n_files = sum(_copy(tar, lake, name) for part in ("events", "deleted") for name in _names(lake, part))
    _copy(tar, lake, lake.layout_file.removeprefix(f"{lake.root}/"))
    say(f"raw events: {n_files:,} files")
    for name in HOME_FILES:
        if (settings.home / name).exists():
            tar.add(settings.home / name, f"home/{name}")
    dump = folder / DUMP
    schemas = [f"--schema={name}" for name in SCHEMAS]
    run_postgres("pg_dump", url, "-Fc", "--no-owner", "--no-privileges", f"--file={dump}", *schemas)
    tar.add(dump, DUMP)
    tar.add_bytes(SUMS, msgspec.json.encode(tar.sums))
    say(f"database: {dump.stat().st_size:,} bytes")


def _secret_of_erasures(url: str) -> str | None:
    """Return the name of the secret by which a restored home knows what was erased; it is made here at the latest."""
    with contextlib.closing(Accounts(url)) as accounts:
        return name_of(hasher_of(accounts)) if accounts.is_migrated() else None


def _copy_spool(file: Path, to: Path) -> None:
    """After this call `to` is the spool as of one commit, and nothing else."""
    to.unlink(missing_ok=True)
    source, copy = apsw.Connection(str(file)), apsw.Connection(str(to))
    try:
        source.set_busy_timeout(5000)
        with copy.backup("main", source, "main") as backup:
            backup.step()
        # One file, without a log beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
    except apsw.Error as error:
        raise click.ClickException(f"the spool {file} cannot be read: {error}") from error
    finally:
        copy.close()
        source.close()


def _files_of(lake: Lake, table: Table) -> Iterator[str]:
    """Yield the files of the table's newest version, and its log up to there, by their names in the lake."""
    opened = store.open_table(lake, table)
    if opened is None:
        return
    newest = opened.version()
    for name in _names(lake, f"tables/{table.name}/_delta_log"):
        number = Path(name).name.partition(".")[0]
        if number.isdigit() and int(number) <= newest:
            yield name
    yield from (name.removeprefix(f"{lake.root}/") for name in store.file_names(lake, opened.file_uris()))


def _names(lake: Lake, folder: str) -> list[str]:
    """Return the names in the lake of all whole files in `folder` and below it, in order."""
    filesystem, root = lake.filesystem()
    selector = pyarrow.fs.FileSelector(f"{root}/{folder}", recursive=True, allow_not_found=True)
    found = [info.path for info in filesystem.get_file_info(selector) if info.type == pyarrow.fs.FileType.File]
    return sorted(path.removeprefix(f"{root}/") for path in found if not path.endswith(".tmp"))


def _copy(tar: tarfile.TarFile, lake: Lake, name: str, needed: bool = False) -> bool:
    """Add a file of the lake, with its checksum; return whether it was still there.

    Raise `click.ClickException` if it was not, though `needed`.
    """
    try:
        with _opened(lake, name) as stream:
            about = tarfile.TarInfo(f"lake/{name}")
            about.size = stream.seek(0, os.SEEK_END)
            stream.seek(0)
            tar.addfile(about, stream)
    except FileNotFoundError as error:
        if needed:
            raise click.ClickException(f"{name} was cleaned up while it was copied: start the backup anew") from error
        return False
    if lake.is_local and not name.startswith("sums/"):
        _copy(tar, lake, f"sums/{name}")
    return True


def _opened(lake: Lake, name: str) -> IO[bytes]:
    """Return the file of the lake, to be read; on S3 it is read at once, which is one request."""
    address = f"{lake.root}/{name}"
    return Path(address).open("rb") if lake.is_local else io.BytesIO(files.read(lake, address))
