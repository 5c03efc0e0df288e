"""Everything outside the lake that an erasure must reach, place by place.

Called once the lake has nothing of it any more, or a process could write down anew what was removed here. What is
removed from a database lies in its files until they are written anew, which comes last.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence, Set
from pathlib import Path

from turret_api.accounts import Accounts
from turret_api.accounts.collectors import seen_collectors
from turret_api.accounts.erased_ids import KNOWN_FOR
from turret_api.accounts.exports import archives
from turret_api.accounts.suppression import hasher_of, suppressed_of
from turret_api.collector.roller import SEEN_FOR_DAYS
from turret_api.collector.slots import SPOOL_FILE, slot_folders
from turret_api.collector.spool_reader import SpoolReader
from turret_api.erasing import postgres
from turret_api.erasing.accounts import erase_from_accounts
from turret_api.erasing.dagster import erase_from_dagster
from turret_api.erasing.erased import Done, Erased, merged
from turret_api.erasing.exports import erase_from_exports, named_in_receipt
from turret_api.erasing.logs import erase_from_logs
from turret_api.erasing.notes import note_of, write_notes
from turret_api.erasing.spools import erase_from_spools
from turret_api.erasing.words import words_of
from turret_pipeline.settings import Settings

HEARD_OF = dt.timedelta(days=SEEN_FOR_DAYS)
"""How long ago a collector was heard of that may still have something."""


def erase_elsewhere(
    settings: Settings, accounts: Accounts, database_url: str, erasures: Sequence[Erased]
) -> list[Done]:
    """After this call nothing outside the lake that is ours has what was erased; return what was done where.

    erasures: of one project, each of which gets a note of its own for restores.

    Raise `OSError` and the errors of the databases where a place could not be reached: the same call goes on then.
    `postgres.write_anew` is to be called once more where rows with what was erased are changed after this.
    """
    erased = merged(erasures)
    words = words_of(erased)
    now = dt.datetime.now(dt.UTC)
    written = archives(accounts)
    hasher, suppressed = hasher_of(accounts), suppressed_of(accounts, erased.project_id)
    notes = [note_of(hasher, each, now, suppressed) for each in erasures]
    done = [
        *erase_from_spools(settings, erased),
        *_other_hosts(settings, accounts, {each.kind for each in erasures}),
        *erase_from_logs(settings.home, words),
        *_set_aside(settings.home),
        *erase_from_exports(accounts, erased, words),
        *erase_from_accounts(accounts, erased, words),
        *write_notes(notes, settings.home, written),
    ]
    with postgres.connected(database_url) as opened:
        done += erase_from_dagster(opened, erased.project_id, words)
    done += postgres.write_anew(database_url, settings.database_url is None)
    for archive in written:
        named = named_in_receipt(archive, words)
        if archive.exists():
            done.append(Done("backups", f"still has it, and loses it when it is restored: {named}", 1))
        else:
            done.append(Done("backups", f"not where it was written any more: {named}", 0))
    return done


def other_collectors(settings: Settings, accounts: Accounts) -> frozenset[str]:
    """Return the collectors whose spools are not in this home, of those that had anything to do with it lately."""
    mine = set()
    for folder in slot_folders(settings.home / "spool"):
        reader = SpoolReader(folder / SPOOL_FILE)
        try:
            mine.add(reader.collector_id())
        finally:
            reader.close()
    return frozenset(each.collector_id for each in seen_collectors(accounts, HEARD_OF) if each.collector_id not in mine)


def _other_hosts(settings: Settings, accounts: Accounts, kinds: Set[str]) -> list[Done]:
    """Return lines on the collectors of other hosts, whose spools cannot be reached from here."""
    others = other_collectors(settings, accounts)
    if not others:
        return []
    place = "spools of other hosts"
    what = f"collectors of other homes: what they know of ids goes within {SEEN_FOR_DAYS} days"
    done = [Done(place, what, len(others))]
    if kinds & {"user", "session", "event"}:
        days = KNOWN_FOR.days
        done.append(Done(place, f"collectors that leave out events that wait with them, for {days} days", len(others)))
    return done


def _set_aside(home: Path) -> list[Done]:
    """Remove what `turret doctor` set aside of a damaged database, which holds all that it ever held."""
    n = 0
    for folder in (home / "postgres").glob("damaged-*"):
        shutil.rmtree(folder)
        n += 1
    return [Done("postgres", "copies of a damaged database, removed", n)] if n else []
