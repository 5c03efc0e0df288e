"""The copy of keys and plans in memory that requests are judged by.

A change in Postgres reaches it within two seconds. A key that is not in it, but could be real, makes it look at once,
so a key works the moment it is made. While Postgres is away the copy stands. It is also kept in a file (hashes of
keys, never keys), so that a collector can start during an outage.

    empty, or read from the file ──refresh()──▶ current ──Postgres is away──▶ stands as last seen ──▶ current again
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts.ended_sessions import end_session, ended_sessions
from turret_api.accounts.erased_ids import ErasedBefore, ErasedIds, all_erased, erased_ids
from turret_api.accounts.keys import is_well_formed, key_hash
from turret_api.accounts.last_use import LastUse
from turret_api.accounts.people import Person, people
from turret_api.accounts.plans import Plan
from turret_api.accounts.privacy import all_rules
from turret_api.accounts.store import Accounts
from turret_api.accounts.suppression import Suppressed, all_suppressed, of_project
from turret_api.auth import Principal
from turret_api.roles import SCOPE_OF_ROLE

log = logging.getLogger(__name__)

REFRESH_S = 1.0
_PAUSE_S = 0.05
_MOST_UNKNOWN = 10_000


class _Copy(msgspec.Struct):
    """What is kept.

    keys: by hash, (project_id, scope, key_id, expires_at as Unix seconds or None). plans: by project. deleted: ids of
    the projects that were deleted. ended: ids of the sessions that were signed out. names: of keys that have one, by
    key_id. roles: those chosen for keys, by key_id. privacy: rules of projects, by project and name. suppressed: hashes
    of the users who are not recorded, by project; held: of ids that are being erased; erased: of what was erased
    lately. secret: what these are keyed with. people: by their account, (project_id, role, person_id, address) of those
    who have signed in once.
    """

    revision: int = 0
    keys: dict[str, tuple[str, str, str, float | None]] = msgspec.field(default_factory=dict)
    plans: dict[str, tuple[str, int | None, float]] = msgspec.field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    names: dict[str, str] = msgspec.field(default_factory=dict)
    roles: dict[str, str] = msgspec.field(default_factory=dict)
    privacy: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    suppressed: dict[str, frozenset[str]] = msgspec.field(default_factory=dict)
    secret: str = ""
    people: dict[str, list[tuple[str, str, str, str]]] = msgspec.field(default_factory=dict)
    held: dict[str, frozenset[str]] = msgspec.field(default_factory=dict)
    erased: ErasedBefore = msgspec.field(default_factory=dict)


class Directory:
    """Keys and plans, at most `REFRESH_S` old while Postgres can be reached.

    Args:
        accounts: where the truth is.
        file: where the copy is kept over a restart, or None to keep none.

    Attributes:
        version: a number that grows whenever keys or plans may have changed.
    """

    def __init__(self, accounts: Accounts, file: Path | None = None) -> None:
        self._accounts = accounts
        self._file = file
        self._copy = _Copy()
        self._erased: ErasedIds | None = None
        self._asked: tuple[int, int] | None = None
        self._last_use = LastUse(accounts)
        self._checked_at = float("-inf")
        self._reached = False
        self._unknown: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.version = 0
        if file is not None and file.exists():
            try:
                self._copy = msgspec.json.decode(file.read_bytes(), type=_Copy)
            except (msgspec.DecodeError, OSError) as error:
                log.warning("the kept copy of the keys cannot be read and is not used", extra={"reason": str(error)})
            # The revision of a copy says nothing about another database; look at everything once.
            self._copy.revision = 0
            self._erased = erased_ids(self._copy.secret, self._copy.erased)

    @property
    def is_current(self) -> bool:
        """Whether the last look at Postgres succeeded."""
        return self._reached

    @property
    def is_empty(self) -> bool:
        """Whether no key is known."""
        return not self._copy.keys

    def start(self) -> None:
        """From this call on a thread brings the copy up to date every `REFRESH_S` seconds."""
        self.refresh()
        self._thread = threading.Thread(target=self._run, name="directory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """After this call the copy stands as it is."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        if self._reached:
            self._write_last_use(at_once=True)

    def known(self, key: str) -> Principal | None:
        """Return who `key` stands for as far as the copy knows. Never blocks."""
        found = self._copy.keys.get(key_hash(key)) if is_well_formed(key) else None
        if found is None or (found[3] is not None and found[3] <= time.time()):
            return None
        self._last_use.note(found[2])
        return self._principal(found)

    def may_be_new(self, key: str) -> bool:
        """Tell whether `key` could be a real key that the copy does not know yet.

        A key that was looked for and not found is not looked for again within `REFRESH_S`, so that made-up keys do not
        keep Postgres busy.
        """
        if not is_well_formed(key):
            return False
        digest = key_hash(key)
        return digest not in self._copy.keys and self._unknown.get(digest, float("-inf")) < time.monotonic() - REFRESH_S

    def find(self, key: str) -> Principal | None:
        """Return who `key` stands for; looks in Postgres if the copy is old or does not know it."""
        if not is_well_formed(key):
            return None
        if self._thread is None:
            self.refresh(max_age_s=REFRESH_S)
        found = self.known(key)
        if found is None and self.may_be_new(key):
            # The copy may be a moment older than the key, so it must be looked at after now, however fresh it is.
            self.refresh(since=time.monotonic())
            found = self.known(key)
            if found is None:
                if len(self._unknown) >= _MOST_UNKNOWN:
                    self._unknown = {}
                self._unknown[key_hash(key)] = time.monotonic()
        return found

    def find_hashed(self, digest: str) -> Principal | None:
        """Return who the key with this `key_hash` stands for (the dashboard's sessions keep no more of a key)."""
        if self._thread is None:
            self.refresh(max_age_s=REFRESH_S)
        found = self._copy.keys.get(digest)
        if found is None or (found[3] is not None and found[3] <= time.time()):
            return None
        self._last_use.note(found[2])
        return self._principal(found)

    def find_people(self, subject: str) -> list[Principal]:
        """Return who the account with this `turret_api.accounts.people.subject_of` stands for, in each project."""
        if self._thread is None:
            self.refresh(max_age_s=REFRESH_S)
        return [
            Principal(project_id, SCOPE_OF_ROLE[role], person_id, email, role, is_person=True)
            for project_id, role, person_id, email in self._copy.people.get(subject, [])
        ]

    def ended(self, session_ids: Collection[str]) -> set[str]:
        """Return those of the sessions that were signed out; looks in Postgres unless that was away a moment ago."""
        self.refresh(max_age_s=0.0 if self._reached else REFRESH_S)
        return set(self._copy.ended.intersection(session_ids))

    def end_session(self, session_id: str) -> None:
        """After this call the session has ended in every process; raises SQLAlchemy's errors."""
        end_session(self._accounts, session_id)

    def plan(self, project_id: str) -> Plan | None:
        """Return the project's plan as far as the copy knows. Never blocks."""
        found = self._copy.plans.get(project_id)
        return None if found is None else Plan(found[0], found[1], dt.datetime.fromtimestamp(found[2], dt.UTC))

    def projects(self) -> frozenset[str]:
        """Return the ids of all projects, as far as the copy knows. Never blocks."""
        return frozenset(self._copy.plans)

    def deleted(self) -> frozenset[str]:
        """Return the projects that were deleted, as far as the copy knows. Never blocks."""
        return self._copy.deleted

    def privacy(self, project_id: str, name: str) -> Any:
        """Return the project's privacy rule of this name, as far as the copy knows; None: it has none. Never blocks."""
        return self._copy.privacy.get(project_id, {}).get(name)

    def suppressed(self, project_id: str) -> Suppressed | None:
        """Return whose events the project does not take, as far as is known; None: it takes all. Never blocks."""
        copy = self._copy
        is_any = copy.suppressed or copy.held
        return of_project(copy.secret, copy.suppressed, copy.held, project_id) if is_any else None

    def erased(self) -> ErasedIds | None:
        """Return what was erased lately, as far as is known; None: nothing was. Never blocks.

        It is another object only where something changed, and never newer than whose events are held.
        """
        return self._erased

    def asked(self) -> tuple[int, int] | None:
        """Return the revision before which all is to be brought in, and the version that knew it; None: there is none.

        So it is as long as anything is being erased. Never blocks.
        """
        return self._asked

    def refresh(self, max_age_s: float = 0.0, since: float | None = None) -> bool:
        """Bring the copy up to date if it is older than `max_age_s`, or than `since` (of the monotonic clock).

        Return whether Postgres answered. Threads that ask at the same time share one look.
        """
        with self._lock:
            began = time.monotonic()
            if began - self._checked_at <= max_age_s or (since is not None and self._checked_at >= since):
                return self._reached
            if since is not None and began - self._checked_at < _PAUSE_S:
                time.sleep(_PAUSE_S)
                began = time.monotonic()
            try:
                changed = self._accounts.changed_since(self._copy.revision)
                deleted = self._copy.deleted if changed is None else self._accounts.deleted_ids()
                ended = self._copy.ended if changed is None else ended_sessions(self._accounts)
                privacy = None if changed is None else all_rules(self._accounts)
                suppressed = None if changed is None else all_suppressed(self._accounts)
                erased = None if changed is None else all_erased(self._accounts)
                known = self._copy.people if changed is None else _by_subject(people(self._accounts))
            except SQLAlchemyError as error:
                if self._reached:
                    log.warning("Postgres is away; keys and plans stand as last seen", extra={"reason": str(error)})
                self._reached = False
                self._checked_at = began
                return False
            self._reached = True
            self._checked_at = began
            if changed is None:
                return True
            revision, projects, keys = changed
            self._copy = _Copy(
                revision,
                {
                    key.hash: (
                        key.project_id,
                        key.scope,
                        key.key_id,
                        None if key.expires_at is None else key.expires_at.timestamp(),
                    )
                    for key in keys
                },
                {
                    project.project_id: (project.plan, project.limit, project.created_at.timestamp())
                    for project in projects
                },
                deleted,
                ended,
                {key.key_id: key.name for key in keys if key.name is not None},
                {key.key_id: key.given_role for key in keys if key.given_role is not None},
                self._copy.privacy if privacy is None else privacy,
                self._copy.suppressed if suppressed is None else suppressed[1],
                self._copy.secret if suppressed is None or erased is None else suppressed[0] or erased[0],
                known,
                self._copy.held if suppressed is None else suppressed[2],
                self._copy.erased if erased is None else erased[1],
            )
            version = self.version + 1
            if erased is not None:
                self._erased = erased_ids(self._copy.secret, erased[1], version, self._erased)
            self.version = version
            self._asked = (revision, version) if self._copy.held else None
            self._keep()
        return True

    def _principal(self, found: tuple[str, str, str, float | None]) -> Principal:
        key_id = found[2]
        return Principal(found[0], found[1], key_id, self._copy.names.get(key_id), self._copy.roles.get(key_id))

    def _run(self) -> None:
        while not self._stop.wait(REFRESH_S):
            if self.refresh():
                self._write_last_use()

    def _write_last_use(self, *, at_once: bool = False) -> None:
        try:
            self._last_use.write(at_once=at_once)
        except SQLAlchemyError as error:
            log.warning("the last use of keys could not be written", extra={"reason": str(error)})

    def _keep(self) -> None:
        if self._file is None:
            return
        temporary = self._file.with_suffix(".tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(msgspec.json.encode(self._copy))
            temporary.replace(self._file)
        except OSError as error:
            # A full disk must not stop keys from being renewed; the copy in memory is what counts.
            log.warning("the copy of the keys could not be kept", extra={"reason": str(error)})


def _by_subject(everyone: list[Person]) -> dict[str, list[tuple[str, str, str, str]]]:
    found: dict[str, list[tuple[str, str, str, str]]] = {}
    for person in everyone:
        if person.subject is not None:
            row = (person.project_id, person.role, person.person_id, person.email)
            found.setdefault(person.subject, []).append(row)
    return found
