"""`turret restore`: a home as `turret backup` found it, in a place where there is none."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import click
import msgspec
import pyarrow.fs

from turret_api.accounts import AccountError, Accounts
from turret_api.collector.slots import slot_folders
from turret_api.command import backup
from turret_api.command.archive import DUMP, MANIFEST, SUMS, Manifest, Summing, run_postgres
from turret_api.command.erased_since import erase_again, notes_of, refuse_unknown
from turret_api.command.system import running
from turret_api.command.upgrade import UNFINISHED
from turret_api.processes.postgres import database
from turret_pipeline.lake import files
from turret_pipeline.lake.layout import LAYOUT
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings


@click.command()
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--erasures",
    "notes_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with notes of what was erased: erasures.ndjson of a home.  [default: turret-erasures.ndjson beside "
    "ARCHIVE]",
)
@click.option("--keep-erased", is_flag=True, help="Restore also what was erased after ARCHIVE was written.")
def command(archive: Path, notes_files: tuple[Path, ...], keep_erased: bool) -> None:
    """Make this home, which must be empty, what the file ARCHIVE of `turret backup` holds.

    What was erased after it was written is erased again. An archive of an earlier version is upgraded at the next
    start.
    """
    settings = Settings.from_environment()
    found = manifest_of(archive)
    if found.layout > LAYOUT:
        raise click.ClickException(
            f"{archive} is of Turret {found.turret}, whose lakes have layout {found.layout}; this version knows "
            f"layouts up to {LAYOUT}: install that version or a later one"
        )
    notes = [] if keep_erased else notes_of(archive, notes_files, found, _say)
    refuse_unknown(archive, notes, found)
    settings.home.mkdir(parents=True, exist_ok=True)
    with database(settings) as url:
        if reason := _is_used(settings, url):
            raise click.ClickException(f"{reason}: restore into an empty TURRET_HOME, lake and database")
        note = settings.home / UNFINISHED
        note.touch()
        read(settings, url, archive, _say)
        if notes:
            erase_again(settings, url, notes, _say)
        note.unlink()
        backup.note(url, "restore", {"file": archive.name, "version": found.turret})
    click.echo(f"{settings.home} is as it was when Turret {found.turret} wrote {archive}; `turret up` starts it")


def _say(line: str) -> None:
    click.echo(line, err=True)


def read(settings: Settings, url: str, archive: Path, say: Callable[[str], None]) -> None:
    """After this call lake, spools and database, which must be empty before, hold what is in the file `archive`.

    Raise `click.ClickException` where it cannot be read.
    """
    lake, n_files = settings.open_lake(), 0
    told: dict[str, str] = {}
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=settings.home) as folder, _opened(archive) as tar:
        dump = Path(folder) / DUMP
        for member in tar:
            # Raises where a name leads out of the home, or the member is no plain file.
            name = tarfile.data_filter(member, str(settings.home)).name
            if ".." in name.split("/"):  # nor out of a lake that lies elsewhere
                raise click.ClickException(f"{archive} cannot be read: {name} leads out of its folder")
            stream = tar.extractfile(member)
            if stream is None:
                continue
            if name == SUMS:
                told = msgspec.json.decode(stream.read(), type=dict[str, str])
                continue
            content = Summing(stream)
            part, _, rest = name.partition("/")
            if part == "lake":
                _put(lake, rest, content)
                n_files += 1
            elif part in ("spool", "home"):
                _keep(settings.home / (name if part == "spool" else rest), content)
            elif name == DUMP:
                _keep(dump, content)
            found[name] = content.digest()
        # What a compressed file says of itself stands behind the last file in it.
        while tar.fileobj is not None and tar.fileobj.read(1 << 20):
            pass
        if wrong := sorted(name for name in told if told[name] != found.get(name)):
            raise click.ClickException(f"{archive} is damaged: {wrong[0]} in it holds other bytes than were written")
        say(f"lake: {n_files:,} files")
        if not dump.exists():
            raise click.ClickException(f"{archive} ends early: there is no {DUMP} in it")
        run_postgres("pg_restore", url, "--no-owner", "--exit-on-error", "--single-transaction", str(dump))
        say("database")
    os.sync()


def _is_used(settings: Settings, url: str) -> str | None:
    """Return what there is already where an archive would go, in words; None: nothing."""
    if running(settings) is not None:
        return f"`turret up` runs for {settings.home}"
    if (settings.home / UNFINISHED).exists():
        return f"a restore into {settings.home} did not finish; remove that folder"
    if slot_folders(settings.home / "spool"):
        return f"{settings.home} has a spool"
    lake = settings.open_lake()
    filesystem, root = lake.filesystem()
    parts = filesystem.get_file_info([f"{root}/{name}" for name in ("events", "tables")])
    if any(info.type != pyarrow.fs.FileType.NotFound for info in parts):
        return f"the lake {lake.root} is not empty"
    with contextlib.closing(Accounts(url)) as accounts, contextlib.suppress(AccountError):
        if accounts.is_new():
            return None
    return "the database has accounts"


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    """Yield the archive; what is wrong with it comes out as one line."""
    try:
        with tarfile.open(archive) as tar:
            yield tar
    except (tarfile.TarError, EOFError, msgspec.DecodeError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise click.ClickException(f"{archive} cannot be read: {reason}") from error
    except OSError as error:
        raise click.ClickException(f"the restore failed: {error}") from error


def manifest_of(archive: Path) -> Manifest:
    """Return what the archive says of itself; raise `click.ClickException` where it is none."""
    with _opened(archive) as tar:
        first = tar.next()
        content = tar.extractfile(first) if first is not None and first.name == MANIFEST else None
        if content is None:
            raise click.ClickException(f"{archive} is no archive of `turret backup`")
        return msgspec.json.decode(content.read(), type=Manifest)


def _put(lake: Lake, name: str, content: Summing) -> None:
    if not lake.is_local:
        files.write(lake, f"{lake.root}/{name}", content.read())  # in one request, not in three
        return
    path = Path(f"{lake.root}/{name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        shutil.copyfileobj(cast("IO[bytes]", content), stream)


def _keep(file: Path, content: Summing) -> None:
    """After this call the file, which its owner alone may read, has the content."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        shutil.copyfileobj(cast("IO[bytes]", content), stream)
