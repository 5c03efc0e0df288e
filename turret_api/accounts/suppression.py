"""Users whose events are not taken any more, because they were erased; and keyed hashes, by which erased ids are known.

What was erased must not be named by what is kept of its erasure. So Postgres has a hash of each id, keyed with a secret
of the installation: without the secret no list of likely ids can be tried. The secret goes into backups with the
database, so that a restored home knows which of its ids were erased.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from turret_api.accounts.store import Accounts
from turret_api.accounts.tables import REVISION, SECRETS, SUPPRESSED

USER, SESSION, EVENT = "user", "session", "event"
"""Kinds of ids, each with hashes of its own."""
_SECRET = "erasure"


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
    """The users of one project whose events are not taken."""

    project_id: str
    hashes: frozenset[str]
    hasher: Hasher

    def __contains__(self, user_id: str) -> bool:
        return self.hasher.hash(self.project_id, USER, user_id) in self.hashes


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


def unsuppress(accounts: Accounts, project_id: str, user_id: str) -> bool:
    """After this call the user's events are taken again, everywhere within seconds; return whether they were not."""
    hashed = hasher_of(accounts).hash(project_id, USER, user_id)
    gone = delete(SUPPRESSED).where(SUPPRESSED.c.project_id == project_id, SUPPRESSED.c.hash == hashed)
    with accounts.engine.begin() as connection:
        was = connection.execute(gone.returning(SUPPRESSED.c.hash)).first() is not None
        connection.execute(update(REVISION).values(number=REVISION.c.number + 1))
    return was


def count_suppressed(accounts: Accounts, project_id: str) -> int:
    """Return how many users of the project are suppressed; who they are is not known, only whether one is."""
    query = select(func.count()).select_from(SUPPRESSED).where(SUPPRESSED.c.project_id == project_id)
    with accounts.engine.connect() as connection:
        return int(connection.scalar(query) or 0)


def suppressed_of(accounts: Accounts, project_id: str) -> Suppressed | None:
    """Return the project's suppressed users; None: there are none."""
    return of_project(*all_suppressed(accounts), project_id)


def all_suppressed(accounts: Accounts) -> tuple[str, dict[str, frozenset[str]]]:
    """Return the secret, and the hashes of the suppressed users by project; where there are none, the secret is ""."""
    found: dict[str, set[str]] = {}
    with accounts.engine.connect() as connection:
        for project_id, hashed in connection.execute(select(SUPPRESSED.c.project_id, SUPPRESSED.c.hash)):
            found.setdefault(project_id, set()).add(hashed)
        secret = connection.scalar(select(SECRETS.c.value).where(SECRETS.c.name == _SECRET)) if found else ""
    return str(secret or ""), {project_id: frozenset(hashes) for project_id, hashes in found.items()}


def of_project(secret: str, hashes: dict[str, frozenset[str]], project_id: str) -> Suppressed | None:
    """Return the suppressed users of one project, of what `all_suppressed` returned; None: there are none."""
    mine = hashes.get(project_id)
    return None if mine is None else Suppressed(project_id, mine, Hasher(secret))


def hashes_of(hasher: Hasher, project_id: str, kind: str, values: Iterable[str]) -> list[str]:
    """Return the hashes of ids of one kind, in order of their values."""
    return [hasher.hash(project_id, kind, each) for each in sorted(values)]
