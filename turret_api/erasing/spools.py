"""Out of the spools of this host: ids that clients gave, turns that wait, and what SQLite leaves of rows that are gone.

Events themselves are in the lake by now (an erasure waits for that). A collector may run meanwhile: SQLite lets another
process delete rows, in transactions so short that the collector, which waits five seconds for a lock, goes on. Of a
row that is deleted bytes stay in free pages and in the log beside the file, so the file is written anew (`VACUUM`) and
the log emptied.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import apsw

from turret_api.collector.forgetting import Forget, ask, is_answered
from turret_api.collector.rows import unpack
from turret_api.collector.slots import SPOOL_FILE, TURNS_FILE, slot_folders, try_slot
from turret_api.collector.spool_file import connect
from turret_api.erasing.erased import Done, Erased
from turret_api.otlp.journal import Journal
from turret_pipeline.settings import Settings

PLACE = "spools of this host"
ANSWER_S = 20.0
"""Longest time to wait for a collector, whose housekeeping looks every two seconds."""
MOST_VACUUMED = 1 << 28
"""Bytes of a spool up to which it is written anew, which keeps the collector waiting for a second or two."""
_AT_ONCE = 500
_PAGES_AT_ONCE = 2_000
_CHECKPOINT_S = 15.0


def forget_waiting_turns(settings: Settings, wanted: Forget) -> list[Done]:
    """After this call no turn that is wanted waits in a collector of this host, nor stands in a journal.

    To be called before the last events are brought to the lake too: a turn that waits could become an event after that.
    """
    n_anew = n_silent = 0
    for folder in slot_folders(settings.home / "spool"):
        if not (folder / TURNS_FILE).exists():
            continue
        slot = try_slot(folder)
        if slot is None:
            ask(folder, wanted)
            is_done = is_answered(folder, ANSWER_S)
        else:
            try:
                _write_anew(Journal(folder / TURNS_FILE), wanted)
                is_done = True
            finally:
                slot.release()
        n_anew, n_silent = n_anew + is_done, n_silent + (not is_done)
    done = [Done(PLACE, "journals of turns that wait, written anew", n_anew)]
    if n_silent:
        done.append(Done(PLACE, f"collectors that did not answer within {ANSWER_S:.0f} s; erase again", n_silent))
    return done


def erase_from_spools(settings: Settings, erased: Erased) -> list[Done]:
    """After this call the spools of this host have no byte of what was erased; raise apsw's errors.

    What `turret doctor` set aside there of damaged spools is removed.
    """
    wanted = Forget(
        project_id=erased.project_id,
        user_ids=erased.user_ids,
        session_ids=erased.session_ids,
        event_ids=erased.event_ids,
    )
    done = forget_waiting_turns(settings, wanted)
    n_ids = n_waiting = n_aside = 0
    for folder in slot_folders(settings.home / "spool"):
        db = connect(folder / SPOOL_FILE, None)
        try:
            n_ids += _forget_ids(db, wanted)
            _give_back(db, (folder / SPOOL_FILE).stat().st_size)
            n_waiting += sum(_events_in(db, wanted))
        finally:
            db.close()
        for aside in folder.glob(f"{SPOOL_FILE}.damaged-*"):
            aside.unlink()
            n_aside += 1
    done.append(Done(PLACE, "ids that clients gave to events, forgotten", n_ids))
    if n_aside:
        done.append(Done(PLACE, "copies of damaged spools, removed", n_aside))
    if n_waiting:
        done.append(Done(PLACE, "events that came meanwhile and are not in the lake yet; erase again", n_waiting))
    return done


def forget_project(settings: Settings, project_id: str) -> list[Done]:
    """After this call the spools of this host have no byte of the project, which was deleted; raise apsw's errors."""
    done = forget_waiting_turns(settings, Forget(project_id=project_id, is_all=True))
    n_ids = 0
    for folder in slot_folders(settings.home / "spool"):
        db = connect(folder / SPOOL_FILE, None)
        try:
            n_ids += _forget_ids(db, Forget(project_id=project_id, is_all=True))
            _give_back(db, (folder / SPOOL_FILE).stat().st_size)
        finally:
            db.close()
    return [*done, Done(PLACE, "ids that clients gave to events, forgotten", n_ids)]


def _write_anew(journal: Journal, wanted: Forget) -> None:
    turns = journal.load()
    journal.replace(
        each for each in turns if not wanted.is_of(each.project_id, each.user_id, each.session_id, each.event_id)
    )


def _forget_ids(db: apsw.Connection, wanted: Forget) -> int:
    """Delete what is remembered of the events, users and sessions; return how many rows."""
    db.execute("PRAGMA secure_delete=ON")
    found = [
        (project_id, event_id)
        for project_id, event_id, session_id, user_id in db.execute(
            "SELECT project_id, event_id, session_id, user_id FROM seen WHERE project_id = ?", (wanted.project_id,)
        )
        if wanted.is_of(project_id, user_id, session_id, event_id)
    ]
    for some in _pieces(found):
        with db:
            db.executemany("DELETE FROM seen WHERE project_id = ? AND event_id = ?", some)
    return len(found)


def _give_back(db: apsw.Connection, size: int) -> None:
    """After this call neither free pages nor the log have bytes of rows that are gone."""
    db.execute("PRAGMA temp_store=MEMORY")
    if size <= MOST_VACUUMED:
        db.execute("VACUUM")
    else:
        while db.execute("PRAGMA freelist_count").get:
            db.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
    deadline = time.monotonic() + _CHECKPOINT_S
    while True:
        try:
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError:  # someone reads; that takes no longer than a backup of the spool does
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _events_in(db: apsw.Connection, wanted: Forget) -> Iterator[int]:
    """Yield by batch how many of the events that wait are to be forgotten."""
    for (payload,) in db.execute("SELECT payload FROM batches"):
        rows = unpack(payload)
        yield sum(wanted.is_of(each.project_id, each.user_id, each.session_id, each.event_id) for each in rows)


def _pieces(rows: list[tuple[str, str]]) -> Iterable[list[tuple[str, str]]]:
    return (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))
