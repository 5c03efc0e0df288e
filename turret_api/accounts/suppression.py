"""Whose events are not taken: of users who were erased, and of what is being erased; and hashes that ids are known by.

What was erased must not be named by what is kept of its erasure. So Postgres has a hash of each id, keyed with a secret
of the installation: without the secret no list of likely ids can be tried. The secret goes into backups with the
database, so that a restored home knows which of its ids were erased.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from turret_api.accounts.store import Accounts
from turret_api.accounts.tables import REVISION, SECRETS, SUPPRESSED

USER, SESSION, EVENT = "user", "session", "event"
"""Kinds of ids, each with hashes of its own."""
_SECRET = "erasure"
Hashes = dict[str, frozenset[str]]
"""Of ids, by project."""
Ids = tuple[str, str, str]
"""Of an event: those of its user and its session, and its own."""


@dataclass(frozen=True)
class Hasher:
    """What makes hashes of ids.

    secret: of the installation, in hexadecimal; as `erasure_secret` returns it.
    """

    secret: str = field(repr=False)

    def hash(self, project_id: str, kind: str, value: str) -> str:
        """Return the hash (64 hexadecimal digits) of an id of this kind in the project."""
        name = f"{project_id}\0{kind}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.digest(bytes.fromhex(self.secret), name, "sha256").hex()


@dataclass(frozen=True)
class Suppressed:
    """Whose events one project does not take: of users never again (`in`), of what is erased for now (`holds`).

    hashes: of the users. held: of users, sessions and events of which an erasure is under way.
    """

    project_id: str
    hashes: frozenset[str]
    hasher: Hasher
    held: frozenset[str] = frozenset()

    def __contains__(self, user_id: str) -> bool:
        return bool(self.hashes) and self.hasher.hash(self.project_id, USER, user_id) in self.hashes

    def holds(self, value: str, kind: str = USER) -> bool:
        """Tell whether an erasure of what has this id is under way."""
        return bool(self.held) and self.hasher.hash(self.project_id, kind, value) in self.held


def erasure_secret(accounts: Accounts) -> str:
    """Return the secret that hashes of ids are keyed with; it is made at the first call, and never changes."""
    return accounts.shared_secret(_SECRET, secrets.token_hex(32))


def hasher_of(accounts: Accounts) -> Hasher:
    """Return what makes hashes of ids in this installation."""
    return Hasher(erasure_secret(accounts))


def suppress(accounts: Accounts, project_id: str, user_id: str) -> bool:
    """After this call the user's events are refused, everywhere within seconds; return whether that is new."""
    return suppress_hash(accounts, project_id, hasher_of(accounts).hash(project_id, USER, user_id))


def suppress_hash(accounts: Accounts, project_id: str, hashed: str) -> bool:
    """As `suppress`, for a user of whom the hash is known only."""
    row = insert(SUPPRESSED).values(project_id=project_id, hash=hashed).on_conflict_do_nothing()
    with accounts.engine.begin() as connection:
        is_new = connection.execute(row.returning(SUPPRESSED.c.hash)).first() is not None
        connection.execute(update(REVISION).values(number=REVISION.c.number + 1))
    return is_new


def hold(accounts: Accounts, project_id: str, values: Iterable[str], erasure_id: str, kind: str = USER) -> int:
    """After this call events with one of these ids are refused, everywhere within seconds.

    So it is until `lift` of the same erasure. kind: what the ids are of: users, sessions or events. Return the revision
    that says so: collectors that know it bring in what they took before (`turret_api.accounts.collectors`).
    """
    hasher = hasher_of(accounts)
    hashes = hashes_of(hasher, project_id, kind, values)
    rows = [{"project_id": project_id, "hash": hashed, "held_for": erasure_id} for hashed in hashes]
    with accounts.engine.begin() as connection:
        connection.execute(insert(SUPPRESSED).values(rows).on_conflict_do_nothing())
        next_one = update(REVISION).values(number=REVISION.c.number + 1).returning(REVISION.c.number)
        return int(connection.execute(next_one).scalar_one())


def lift(accounts: Accounts, erasure_id: str) -> None:
    """After this call the erasure holds no events any more."""
    gone = delete(SUPPRESSED).where(SUPPRESSED.c.held_for == erasure_id)
    with accounts.engine.begin() as connection:
        if connection.execute(gone).rowcount:
            connection.execute(update(REVISION).values(number=REVISION.c.number + 1))


def unsuppress(accounts: Accounts, project_id: str, user_id: str) -> bool:
    """After this call the user's events are taken again, everywhere within seconds; return whether they were not."""
    hashed = hasher_of(accounts).hash(project_id, USER, user_id)
    gone = delete(SUPPRESSED).where(SUPPRESSED.c.hash == hashed, *_for_good(project_id))
    with accounts.engine.begin() as connection:
        was = connection.execute(gone.returning(SUPPRESSED.c.hash)).first() is not None
        connection.execute(update(REVISION).values(number=REVISION.c.number + 1))
    return was


def count_suppressed(accounts: Accounts, project_id: str) -> int:
    """Return how many users of the project are suppressed; who they are is not known, only whether one is."""
    query = select(func.count()).select_from(SUPPRESSED).where(*_for_good(project_id))
    with accounts.engine.connect() as connection:
        return int(connection.scalar(query) or 0)


def suppressed_of(accounts: Accounts, project_id: str) -> Suppressed | None:
    """Return whose events the project does not take; None: it takes all."""
    return of_project(*all_suppressed(accounts), project_id)


def all_suppressed(accounts: Accounts) -> tuple[str, Hashes, Hashes]:
    """Return the secret, and by project the hashes of the users who are suppressed, and of ids that are held.

    Where there are none, the secret is "".
    """
    gone: dict[str, set[str]] = {}
    held: dict[str, set[str]] = {}
    query = select(SUPPRESSED.c.project_id, SUPPRESSED.c.hash, SUPPRESSED.c.held_for)
    with accounts.engine.connect() as connection:
        for project_id, hashed, held_for in connection.execute(query):
            (held if held_for else gone).setdefault(project_id, set()).add(hashed)
    return known_secret(accounts) if gone or held else "", _frozen(gone), _frozen(held)


def known_secret(accounts: Accounts) -> str:
    """Return the secret that hashes of ids are keyed with; "": there is none yet."""
    with accounts.engine.connect() as connection:
        return str(connection.scalar(select(SECRETS.c.value).where(SECRETS.c.name == _SECRET)) or "")


def of_project(secret: str, gone: Hashes, held: Hashes, project_id: str) -> Suppressed | None:
    """Return what is of one project, of what `all_suppressed` returned; None: nothing is."""
    if project_id not in gone and project_id not in held:
        return None
    return Suppressed(project_id, gone.get(project_id, frozenset()), Hasher(secret), held.get(project_id, frozenset()))


def _frozen(sets: dict[str, set[str]]) -> Hashes:
    return {project_id: frozenset(hashes) for project_id, hashes in sets.items()}


def _for_good(project_id: str) -> tuple[ColumnElement[bool], ...]:
    return SUPPRESSED.c.project_id == project_id, SUPPRESSED.c.held_for == ""


def hashes_of(hasher: Hasher, project_id: str, kind: str, values: Iterable[str]) -> list[str]:
    """Return the hashes of ids of one kind, in order of their values."""
    return [hasher.hash(project_id, kind, each) for each in sorted(values)]
