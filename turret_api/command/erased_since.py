"""What was erased after an archive was written: erased once more when the archive, or a file of it, is restored.

    notes beside the archive ──later than the archive──▶ their ids are looked for in what was restored ──▶ erased

A note has hashes only, keyed with a secret that is in each archive. An archive of an earlier version has none, and then
nobody can tell which of its ids were meant: such an archive is refused, unless it is restored all the same.
"""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import msgspec
import psycopg2
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import Accounts
from turret_api.accounts.audit import command_actor
from turret_api.accounts.deletion import delete_project
from turret_api.accounts.suppression import hasher_of, suppress_hash
from turret_api.command.archive import Manifest
from turret_api.command.project_deletion import finish_deletions
from turret_api.erasing.accounts import PLACE as ACCOUNTS
from turret_api.erasing.book import Book
from turret_api.erasing.dagster import PLACE as DAGSTER
from turret_api.erasing.named_again import erase_named_again
from turret_api.erasing.notes import BESIDE_ARCHIVES, NOTES_FILE, PROJECT, Note, found_again, keep_notes, read_notes
from turret_api.erasing.work import ErasureError, Workplace, perform
from turret_api.home.spools import bring_in_spools
from turret_api.processes.postgres import database
from turret_pipeline.lake import layout
from turret_pipeline.settings import Settings

_SHOWN = 10


def notes_of(archive: Path, named: Sequence[Path], manifest: Manifest, say: Callable[[str], None]) -> list[Note]:
    """Return the notes of what was erased after the archive was written, in the files named or beside the archive.

    Raise `click.ClickException` for a file that holds no notes.
    """
    files = list(named) or [archive.absolute().parent / BESIDE_ARCHIVES]
    if not any(file.exists() for file in files):
        say(
            f"no {BESIDE_ARCHIVES} lies beside the archive: if anything was erased after it was written, name the "
            "erasures.ndjson of the home of then with --erasures, or erase it again"
        )
    try:
        notes = read_notes(files)
    except (ValueError, OSError) as error:
        raise click.ClickException(f"the notes of erasures cannot be read: {error}") from error
    return [note for note in notes if manifest.begun_at is None or note.at > manifest.begun_at]


def refuse_unknown(archive: Path, notes: Sequence[Note], manifest: Manifest) -> None:
    """Raise `click.ClickException` where the archive has no secret by which the notes' ids are known."""
    unknown = [note for note in notes if note.kind != PROJECT and note.secret != manifest.erasures]
    if unknown:
        kinds = collections.Counter((note.project_id, note.kind) for note in unknown)
        listed = ", ".join(f"{n} of {kind} in {project}" for (project, kind), n in list(kinds.items())[:_SHOWN])
        raise click.ClickException(
            f"{len(unknown)} erasures were done after {archive} was written ({listed}), and it has nothing by which to "
            "know what they erased. To restore it all the same and erase them again by hand, call this with "
            "--keep-erased"
        )


def erase_after_mending(settings: Settings, archive: Path, manifest: Manifest, say: Callable[[str], None]) -> None:
    """After this call nothing that the home, or the notes beside the archive, know to be erased is back.

    So it may be where files of the archive were put back, or its database. Raise `click.ClickException` where that
    could not be done.
    """
    files = [
        each for each in (settings.home / NOTES_FILE, archive.absolute().parent / BESIDE_ARCHIVES) if each.exists()
    ]
    notes = notes_of(archive, files, manifest, say) if files else []
    if notes:
        with database(settings) as url:
            erase_again(settings, url, notes, say)


def erase_again(settings: Settings, url: str, notes: Sequence[Note], say: Callable[[str], None]) -> None:
    """After this call nothing that the notes are of is in the restored home.

    Raise `click.ClickException` where that could not be done.
    """
    keep_notes(notes, settings.home)
    lake = settings.open_lake()
    with contextlib.closing(Accounts(url)) as accounts:
        accounts.migrate()
        layout.upgrade(lake, layout.plan(lake), say)
        bring_in_spools(settings, url)
        deleted = {note.project_id for note in notes if note.kind == PROJECT}
        for project_id in sorted(deleted & {project.project_id for project in accounts.projects()}):
            say(f"deleting the project {project_id}, which was deleted after the archive was written")
            delete_project(accounts, project_id)
        finish_deletions(settings, url, accounts)
        hasher = hasher_of(accounts)
        place = Workplace(settings, accounts, url, say)
        known = [note for note in notes if note.is_keyed_with(hasher)]
        there = {project.project_id for project in accounts.projects()}
        for note in known:
            if note.is_suppressed and note.project_id in there:
                for hashed in note.hashes:
                    suppress_hash(accounts, note.project_id, hashed)
        for keeps_totals in (False, True):
            of_these = [note for note in known if note.keeps_totals is keeps_totals]
            for project_id, event_ids in found_again(lake, hasher, of_these).items():
                if project_id in there:
                    _erase(place, project_id, event_ids, keeps_totals)
        try:
            done = erase_named_again(settings, accounts, url, known)
        except (SQLAlchemyError, psycopg2.Error) as error:
            # The driver quotes the statement, with what is to be erased in it.
            raise click.ClickException(f"the database could not be cleaned ({type(error).__name__})") from None
        if n := sum(each.n for each in done if each.place in (ACCOUNTS, DAGSTER)):
            say(f"rows of the database that named what was erased, cleaned: {n:,}")


def _erase(place: Workplace, project_id: str, event_ids: list[str], keeps_totals: bool) -> None:
    """Erase the events; keeps_totals: they go on to count. Raise `click.ClickException` where that cannot be done."""
    how = ", and keeping their totals" if keeps_totals else ""
    place.say(f"erasing {len(event_ids):,} events of {project_id} that were erased after the archive was written{how}")
    value = msgspec.json.encode(event_ids).decode()
    try:
        book = Book(place.accounts)
        perform(place, book.ask(project_id, "events", value, command_actor(), keep_totals=keeps_totals))
    except ErasureError as error:
        raise click.ClickException(f"what was erased could not be erased again: {error}") from error
