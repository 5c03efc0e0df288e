"""What rows of a database name that was put back from an archive of before an erasure, known by the notes' hashes.

Of an event that is in the lake again all is known, and its erasure finds what names it. A database may be put back
alone: then nothing but the hashes of ids tells what was erased. So each word and each value in alerts, the audit log
and Dagster's tables is hashed, and those of which a note has the hash are erased there. What Dagster showed of the
project's rows goes, as it does with each erasure. A label of a topic tells no id, and stays in an alert.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import select

from turret_api.accounts import Accounts
from turret_api.accounts.erased_ids import note_hashes
from turret_api.accounts.suppression import EVENT, SESSION, USER, Hasher, hasher_of
from turret_api.accounts.tables import ALERT_DELIVERIES, ALERT_RULES, ALERTS, AUDIT
from turret_api.erasing import postgres
from turret_api.erasing.accounts import erase_from_accounts
from turret_api.erasing.dagster import documents, erase_from_dagster
from turret_api.erasing.erased import Done, Erased
from turret_api.erasing.notes import PROJECT, Note
from turret_api.erasing.words import LEAST_ID, words_of
from turret_pipeline.settings import Settings

_WORD = re.compile(r"[^\s\"'`,;()\[\]{}<>]+")
_AROUND = ".:!?"
_QUOTING = (
    (ALERTS, (ALERTS.c.sentence, ALERTS.c.finding)),
    (ALERT_RULES, (ALERT_RULES.c.name, ALERT_RULES.c.filters)),
    (ALERT_DELIVERIES, (ALERT_DELIVERIES.c.error,)),
    (AUDIT, (AUDIT.c.about,)),
)


def erase_named_again(settings: Settings, accounts: Accounts, url: str, notes: Sequence[Note]) -> list[Done]:
    """After this call no row of the database names an id that a note is of; return what was done where.

    Collectors leave out once more what waits with them. Notes of other secrets, and of projects that are not there, are
    passed over. Raise the errors of the databases.
    """
    hasher = hasher_of(accounts)
    there = {project.project_id for project in accounts.projects()}
    hashes: dict[str, dict[str, set[str]]] = {}
    for note in notes:
        if note.kind != PROJECT and note.project_id in there and note.is_keyed_with(hasher):
            kind = note.kind if note.kind in (USER, SESSION) else EVENT
            hashes.setdefault(note.project_id, {}).setdefault(kind, set()).update(note.hashes)
            note_hashes(accounts, note.project_id, note.hashes, note.at)
    done: list[Done] = []
    with postgres.connected(url) as opened:
        shown = _words(documents(opened)) if hashes else set()
        for project_id, by_kind in hashes.items():
            named = shown | _words(_rows(accounts, project_id))
            ids = {kind: _known(hasher, project_id, kind, wanted, named) for kind, wanted in by_kind.items()}
            erased = Erased(
                project_id=project_id,
                kind="events",
                values=frozenset(),
                user_ids=ids.get(USER, frozenset()),
                session_ids=ids.get(SESSION, frozenset()),
                event_ids=ids.get(EVENT, frozenset()),
            )
            done += erase_from_accounts(accounts, erased, words_of(erased))
            done += erase_from_dagster(opened, project_id, words_of(erased))
    return done + (postgres.write_anew(url, settings.database_url is None) if hashes else [])


def _known(hasher: Hasher, project_id: str, kind: str, hashes: set[str], words: Iterable[str]) -> frozenset[str]:
    return frozenset(each for each in words if hasher.hash(project_id, kind, each) in hashes)


def _rows(accounts: Accounts, project_id: str) -> Iterator[str]:
    """Yield what rows of the accounts say that may quote an id."""
    with accounts.engine.connect() as connection:
        for table, columns in _QUOTING:
            for row in connection.execute(select(*columns).where(table.c.project_id == project_id)):
                yield from (each for each in row if each)


def _words(texts: Iterable[str]) -> set[str]:
    """Return each value, and each word of each, of texts that may be JSON."""
    found: set[str] = set()
    for text in texts:
        try:
            values = set(_strings(json.loads(text)))
        except ValueError:
            values = {text}
        found |= values
        for value in values:
            for word in _WORD.findall(value):
                found.update((word, word.strip(_AROUND)))
    return {each for each in found if len(each) >= LEAST_ID}


def _strings(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, dict):
        for name, value in said.items():
            yield name
            yield from _strings(value)
    elif isinstance(said, list):
        for each in said:
            yield from _strings(each)
