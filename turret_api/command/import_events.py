"""`turret import`: historical events from a file."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from turret_api.command.accounts import mask_of_project, open_accounts
from turret_api.command.import_preview import show_preview
from turret_api.home.import_lock import one_import_at_a_time
from turret_api.importing.formats import FORMATS
from turret_pipeline.settings import Settings

if TYPE_CHECKING:
    from turret_api.importing.history import RefusedRow

_SHOWN = 10
_LINE_S = 10.0
"""Seconds between two lines about the progress, where there is no terminal."""


@click.command("import")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--project",
    help="Id or name of the project. A dry run and --list need none; with one, a dry run shows what the project masks "
    "as it would be stored.",
)
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="COLUMN=KEY",
    help="Where a column (NDJSON: a key; a.b: key b in the object a) goes: name, session_id, user_id, timestamp, "
    "event_id, metadata (a JSON object whose keys are merged) or metadata.KEY; COLUMN= leaves it out. Default: by its "
    "name, else metadata.",
)
@click.option(
    "--format",
    "export",
    type=click.Choice(list(FORMATS)),
    help="FILE is an export of this product, as it is: its ids, times, sessions and properties go where they belong, "
    "and conversations become prompt and response. No --map then.",
)
@click.option("--name", help="The events' name, where rows have none.")
@click.option(
    "--refused",
    "refused_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write refused rows here, as NDJSON.",
)
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="Zone of times that name none: Europe/Berlin, +02:00.",
)
@click.option("--dry-run", is_flag=True, help="Show what the first rows would become, and write nothing.")
@click.option("--list", "is_list", is_flag=True, help="Show the imports that there were, with their ids; no FILE.")
@click.option("--undo", metavar="IMPORT", help="Take the import with this id back, through all tables; no FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object; with --list one a line.")
def command(
    file: Path | None,
    project: str | None,
    mapping: tuple[str, ...],
    export: str | None,
    name: str | None,
    refused_file: Path | None,
    timezone: str,
    dry_run: bool,
    is_list: bool,
    undo: str | None,
    as_json: bool,
) -> None:
    """Import events from FILE (.ndjson, .jsonl, .json, .csv, .tsv, also .gz, .bz2 or .zst, or .parquet).

    They do not count towards the plan. NDJSON holds the bodies of POST /track, one a line, or any objects with --map.
    The same file, or one that has grown, can be imported again, also after an import that was killed: nothing is stored
    twice. Rows that are refused are reported with their numbers, and the command then exits with 1.

    Every import has an id, by which it can be taken back: then the next build leaves the tables as if it had never
    been. What clients sent stays, and so does what another import brought too.
    """
    from turret_api.accounts import audit
    from turret_api.accounts.not_taken import NotTaken
    from turret_api.command.imports import show_imports, take_back
    from turret_api.importing.documents import Documents
    from turret_api.importing.history import import_documents
    from turret_api.importing.rows import SourceError
    from turret_api.importing.times import time_zone
    from turret_api.processes.postgres import database

    settings = Settings.from_environment()
    if is_list or undo is not None:
        if file is not None or (is_list and undo is not None):
            raise click.UsageError("--list and --undo stand alone, without a FILE")
        if undo is None:
            show_imports(settings, project, as_json)
        else:
            take_back(settings, undo, project, as_json)
        return
    if mapping and export is not None:
        raise click.UsageError("--map and --format exclude each other")
    of_product = None if export is None else FORMATS[export]
    if file is not None and dry_run:
        mask = None
        if project is not None:
            with open_accounts(settings) as accounts:
                mask = mask_of_project(settings, accounts, accounts.find_project(project).project_id)
        show_preview(file, _mapping(mapping), name, timezone, settings.max_text, as_json, of_product, mask)
        return
    if file is None or project is None:
        raise click.UsageError("FILE and --project are needed, or --list, or --undo IMPORT")
    started = time.monotonic()
    refused: list[RefusedRow] = []
    with contextlib.ExitStack() as stack:
        accounts = stack.enter_context(open_accounts(settings))
        project_id = accounts.find_project(project).project_id
        # What is not taken is looked up behind the lock: an erasure may have had it until now.
        url = stack.enter_context(database(settings))
        stack.enter_context(one_import_at_a_time(settings, url, project_id))
        mask, not_taken = mask_of_project(settings, accounts, project_id), NotTaken(accounts, project_id)
        audit.record(accounts, project_id, audit.command_actor(), "import", {"file": file.name})
        report = stack.enter_context(_report(refused_file))

        def on_refused(row: RefusedRow) -> None:
            if len(refused) < _SHOWN:
                refused.append(row)
            if report is not None:
                report.write(json.dumps(row._asdict(), ensure_ascii=False) + "\n")

        progress = _Progress()
        try:
            zone = time_zone(timezone)
            documents = Documents(file, _mapping(mapping), name, zone, progress.show, of_product)
            lake = settings.open_lake()
            rules = not_taken, mask
            done = import_documents(lake, project_id, documents, settings.max_text, on_refused, file.name, *rules)
        except SourceError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            raise click.ClickException(f"the lake cannot be written: {error}") from error
        finally:
            progress.end()
    seconds = time.monotonic() - started
    if as_json:
        row = {
            "import_id": done.import_id,
            "project_id": project_id,
            "read": done.read,
            "imported": done.imported,
            "duplicates": done.duplicates,
            "refused": done.refused,
            "undated": done.undated,
            "seconds": round(seconds, 3),
            "refused_rows": [each._asdict() for each in refused],
        }
        click.echo(json.dumps(row, ensure_ascii=False))
    else:
        click.echo(
            f"{done.imported:,} events imported into {project_id}, {done.duplicates:,} were there already, "
            f"{done.refused:,} refused, in {seconds:.1f} s"
        )
        if done.import_id is not None:
            click.echo(f"`turret import --undo {done.import_id}` takes this import back")
        if done.undated:
            note = f"{done.undated:,} rows have no timestamp; their events are at the time of this import"
            click.echo(note, err=True)
        for each in refused:
            click.echo(f"  row {each.row}: {each.code}: {each.error}", err=True)
    if done.refused:
        where = f"; {refused_file} has them all" if refused_file else f"; the first {len(refused)} are shown"
        raise click.ClickException(f"{done.refused:,} of {done.read:,} rows were refused{where}")


def _mapping(words: tuple[str, ...]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for word in words:
        column, equals, key = word.rpartition("=")
        if not equals or not column:
            raise click.ClickException(f"--map {word}: expected COLUMN=KEY")
        if mapping.get(column, key) != key:
            raise click.ClickException(f"--map {word}: {column!r} goes to {mapping[column] or 'nothing'} already")
        mapping[column] = key
    return mapping


@contextlib.contextmanager
def _report(file: Path | None) -> Iterator[IO[str] | None]:
    if file is None:
        yield None
        return
    try:
        stream = file.open("w", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from error
    with stream:
        yield stream


class _Progress:
    """Shows how much of the file is read: on a terminal in one line that changes, elsewhere by a line every 10 s."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._next_line_at = time.monotonic() + _LINE_S

    def show(self, permille: int) -> None:
        """Show that `permille` thousandths of the file are read."""
        if self._is_shown:
            click.echo(f"\r{permille / 10:5.1f} % read", nl=False, err=True)
        elif time.monotonic() >= self._next_line_at:
            click.echo(f"{permille / 10:.1f} % read", err=True)
            self._next_line_at = time.monotonic() + _LINE_S

    def end(self) -> None:
        """Clear the line of a terminal."""
        if self._is_shown:
            click.echo("\r" + " " * 20 + "\r", nl=False, err=True)
