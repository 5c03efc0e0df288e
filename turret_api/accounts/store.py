"""Reading and writing projects and keys."""

from __future__ import annotations

import datetime as dt
import re
import secrets
import unicodedata
from dataclasses import dataclass
from importlib.metadata import version

from sqlalchemy import Connection, Engine, create_engine, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError

from turret_api.accounts import keys, migrations
from turret_api.accounts.plans import TRIAL, Plan, PlanError, limit_of
from turret_api.accounts.tables import API_KEYS, DELETED_PROJECTS, PROJECTS, QUOTA_GRANTS, REVISION, SECRETS
from turret_api.roles import ROLES_OF_SCOPE, role_of
from turret_pipeline.semantics.blank import is_blank

_LOCK = 0x7475727265  # "turre": the advisory lock under which tables are made
_CONNECT_TIMEOUT_S = 3
MOST_OF_A_NAME = 100
"""Characters of a key's name."""


class AccountError(ValueError):
    """What was asked of the accounts cannot be done; the message says why and what to do."""


@dataclass(frozen=True)
class Project:
    """One tenant."""

    project_id: str
    name: str
    plan: str
    limit: int | None
    created_at: dt.datetime

    @property
    def terms(self) -> Plan:
        """What the project's plan allows."""
        return Plan(self.plan, self.limit, self.created_at)


@dataclass(frozen=True)
class NewProject:
    """A project just made, with its first keys, which cannot be shown again."""

    project_id: str
    name: str
    write_key: str
    read_key: str
    admin_key: str


@dataclass(frozen=True)
class Key:
    """One key as it is stored: everything but the key."""

    key_id: str
    project_id: str
    scope: str
    hint: str
    hash: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    name: str | None = None
    last_used_at: dt.datetime | None = None
    given_role: str | None = None

    @property
    def role(self) -> str | None:
        """What the key is to the project, one of `turret_api.roles.ROLES`; None: it sends events."""
        return role_of(self.scope, self.given_role)


@dataclass(frozen=True)
class NewKey:
    """A key just made; `key` cannot be shown again."""

    key_id: str
    project_id: str
    scope: str
    key: str
    expires_at: dt.datetime | None
    name: str | None = None
    given_role: str | None = None

    @property
    def role(self) -> str | None:
        """As that of a `Key`."""
        return role_of(self.scope, self.given_role)


@dataclass(frozen=True)
class Usage:
    """A project's use of its plan in the running period; `limit` None: no limit; `resets_at` None: it does not."""

    plan: str
    limit: int | None
    used: int
    resets_at: dt.datetime | None


class Accounts:
    """The accounts in the Postgres at `url` (`postgresql+psycopg2://…`). Connects when first needed, not before."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = create_engine(
            url,
            hide_parameters=True,  # errors go into logs, and what they would quote may be of an event
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=15,
            connect_args={
                "connect_timeout": _CONNECT_TIMEOUT_S,
                "options": "-c timezone=UTC -c statement_timeout=20000 -c lock_timeout=10000",
                "application_name": "turret",
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "tcp_user_timeout": 10_000,
            },
        )

    def close(self) -> None:
        """After this call no connection is open."""
        self.engine.dispose()

    def migrate(self) -> None:
        """After this call every table is as `accounts.tables` declares it; any number of processes may do this at once.

        Raise `AccountError`, with nothing changed, if a later version of Turret has changed them.
        """
        with self.engine.begin() as connection:
            if migrations.is_stamped(connection):
                return
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            _refuse_newer(connection)
            migrations.bring(connection)
            connection.execute(postgresql.insert(REVISION).values(one=1, number=1).on_conflict_do_nothing())

    def is_migrated(self) -> bool:
        """Return whether nothing is left for `migrate` to do; raise `AccountError` where it would."""
        with self.engine.connect() as connection:
            _refuse_newer(connection)
            return migrations.is_stamped(connection)

    def is_new(self) -> bool:
        """Return whether the database has no accounts of any version."""
        with self.engine.connect() as connection:
            return migrations.revision(connection) is None

    def create_project(self, name: str, plan: str = TRIAL, limit: int | None = None) -> NewProject:
        """Make a project with one key of each scope; raise `AccountError` if name, plan or limit cannot be had."""
        name = name.strip()
        if is_blank(name) or len(name) > 200 or not name.isprintable():
            raise AccountError("a project's name has 1 to 200 printable characters")
        try:
            limit = limit_of(plan, limit)
        except PlanError as error:
            raise AccountError(str(error)) from None
        with self.engine.begin() as connection:
            if connection.scalar(select(PROJECTS.c.project_id).where(PROJECTS.c.name == name)):
                raise AccountError(f"a project named {name!r} exists already; choose another name")
            project_id = _free_id(connection, name)
            try:
                connection.execute(insert(PROJECTS).values(project_id=project_id, name=name, plan=plan, limit=limit))
            except IntegrityError:
                raise AccountError(f"a project named {name!r} was made just now; choose another name") from None
            made = {scope: _insert_key(connection, project_id, scope, None).key for scope in keys.PREFIXES}
            _touch(connection)
        return NewProject(project_id, name, made["write"], made["read"], made["admin"])

    def projects(self) -> list[Project]:
        """Return all projects, oldest first."""
        with self.engine.connect() as connection:
            rows = connection.execute(_SELECT_PROJECTS.order_by(PROJECTS.c.created_at, PROJECTS.c.project_id))
            return [Project(*row) for row in rows]

    def find_project(self, id_or_name: str) -> Project:
        """Return the project with this id, else the one with this name; raise `AccountError` if there is neither."""
        with self.engine.connect() as connection:
            for column in (PROJECTS.c.project_id, PROJECTS.c.name):
                row = connection.execute(_SELECT_PROJECTS.where(column == id_or_name)).first()
                if row is not None:
                    return Project(*row)
        known = ", ".join(project.project_id for project in self.projects()[:10]) or "none yet"
        raise AccountError(f"there is no project {id_or_name!r}; the projects are: {known}")

    def change_plan(self, project_id: str, plan: str, limit: int | None = None) -> None:
        """After this call the project has this plan; what it used in the running period stands."""
        try:
            limit = limit_of(plan, limit)
        except PlanError as error:
            raise AccountError(str(error)) from None
        with self.engine.begin() as connection:
            connection.execute(
                update(PROJECTS).where(PROJECTS.c.project_id == project_id).values(plan=plan, limit=limit)
            )
            _touch(connection)

    def usage(self, project_id: str) -> Usage:
        """Return the project's use in the running period: what collectors have reported, at most seconds old."""
        project = self.find_project(project_id)
        now = dt.datetime.now(dt.UTC)
        terms = project.terms
        with self.engine.connect() as connection:
            used = connection.scalar(
                select(func.coalesce(func.sum(QUOTA_GRANTS.c.used), 0)).where(
                    QUOTA_GRANTS.c.project_id == project_id, QUOTA_GRANTS.c.period == terms.period(now)
                )
            )
        return Usage(project.plan, project.limit, int(used or 0), terms.resets_at(now))

    def create_key(
        self,
        project_id: str,
        scope: str,
        expires_at: dt.datetime | None = None,
        name: str | None = None,
        role: str | None = None,
    ) -> NewKey:
        """Make a key of `scope` for the project, called `name`, in one line, if it is to have a name.

        role: one that a key of this scope may have; None: its usual one.
        """
        name = None if name is None else " ".join(name.split())
        if name is not None and (is_blank(name) or len(name) > MOST_OF_A_NAME or not name.isprintable()):
            raise AccountError(f"a key's name has 1 to {MOST_OF_A_NAME} printable characters")
        if scope not in keys.PREFIXES:
            raise AccountError(f"{scope!r} is not a scope; choose one of {', '.join(keys.PREFIXES)}")
        if role is not None and role not in ROLES_OF_SCOPE[scope]:
            may = " or ".join(sorted(ROLES_OF_SCOPE[scope])) or "of no role: it sends events"
            raise AccountError(f"a {scope} key cannot be {role}; it is {may}")
        with self.engine.begin() as connection:
            key = _insert_key(connection, project_id, scope, expires_at, name, role)
            _touch(connection)
        return key

    def keys(self, project_id: str | None = None) -> list[Key]:
        """Return the keys of one project, or of all, revoked ones included, oldest first."""
        query = _SELECT_KEYS.order_by(API_KEYS.c.created_at, API_KEYS.c.key_id)
        if project_id is not None:
            query = query.where(API_KEYS.c.project_id == project_id)
        with self.engine.connect() as connection:
            return [Key(**row._mapping) for row in connection.execute(query)]

    def revoke_key(self, key_id: str, project_id: str | None = None) -> str:
        """After this call the key is refused, everywhere within seconds; raise `AccountError` if it is not there.

        Return the project that it is a key of. project_id: only if it is this one's.
        """
        change = update(API_KEYS).where(API_KEYS.c.key_id == key_id)
        if project_id is not None:
            change = change.where(API_KEYS.c.project_id == project_id)
        with self.engine.begin() as connection:
            revoked = change.values(revoked_at=func.coalesce(API_KEYS.c.revoked_at, func.now()))
            found = connection.scalar(revoked.returning(API_KEYS.c.project_id))
            if found is None:
                raise AccountError(f"there is no key {key_id!r}; `turret key list` shows the ids")
            _touch(connection)
        return str(found)

    def deleted_ids(self) -> frozenset[str]:
        """Return the ids of the projects that were deleted."""
        with self.engine.connect() as connection:
            return frozenset(connection.scalars(select(DELETED_PROJECTS.c.project_id)))

    def shared_secret(self, name: str, offered: str) -> str:
        """Return the secret of this name that all hosts share: `offered`, where none was offered before."""
        with self.engine.begin() as connection:
            row = postgresql.insert(SECRETS).values(name=name, value=offered)
            connection.execute(row.on_conflict_do_nothing())
            return str(connection.scalar(select(SECRETS.c.value).where(SECRETS.c.name == name)))

    def changed_since(self, revision: int) -> tuple[int, list[Project], list[Key]] | None:
        """Return the revision, all projects and all keys that are not revoked; None if nothing changed since."""
        with self.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            number = int(connection.scalar(select(REVISION.c.number)) or 0)
            if number == revision:
                return None
            projects = [Project(*row) for row in connection.execute(_SELECT_PROJECTS)]
            live = connection.execute(_SELECT_KEYS.where(API_KEYS.c.revoked_at.is_(None)))
            return number, projects, [Key(**row._mapping) for row in live]


_SELECT_PROJECTS = select(
    PROJECTS.c.project_id, PROJECTS.c.name, PROJECTS.c.plan, PROJECTS.c.limit, PROJECTS.c.created_at
)
_SELECT_KEYS = select(
    API_KEYS.c.key_id,
    API_KEYS.c.project_id,
    API_KEYS.c.scope,
    API_KEYS.c.hint,
    API_KEYS.c.hash,
    API_KEYS.c.created_at,
    API_KEYS.c.expires_at,
    API_KEYS.c.revoked_at,
    API_KEYS.c.name,
    API_KEYS.c.last_used_at,
    API_KEYS.c.role.label("given_role"),
)


def _refuse_newer(connection: Connection) -> None:
    found = migrations.revision(connection)
    if found is not None and found > migrations.HEAD:
        raise AccountError(
            f"the accounts in Postgres are of a later version of Turret (step {found}; this is Turret "
            f"{version('turret')}, which knows steps up to {migrations.HEAD}): install that version or a later one"
        )


def _insert_key(
    connection: Connection,
    project_id: str,
    scope: str,
    expires_at: dt.datetime | None,
    name: str | None = None,
    role: str | None = None,
) -> NewKey:
    key = keys.new_key(scope)
    key_id = f"key_{secrets.token_hex(6)}"
    connection.execute(
        insert(API_KEYS).values(
            key_id=key_id,
            project_id=project_id,
            scope=scope,
            hint=keys.hint(key),
            hash=keys.key_hash(key),
            expires_at=expires_at,
            name=name,
            role=role,
        )
    )
    return NewKey(key_id, project_id, scope, key, expires_at, name, role)


def _touch(connection: Connection) -> None:
    connection.execute(update(REVISION).values(number=REVISION.c.number + 1))


def _free_id(connection: Connection, name: str) -> str:
    """Return a project id that reads like `name`: its slug where that is valid and free, else with a suffix."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-")
    if len(slug) >= 3:
        known = (select(table.c.project_id).where(table.c.project_id == slug) for table in (PROJECTS, DELETED_PROJECTS))
        if not any(connection.execute(query).first() for query in known):
            return slug
    return f"{slug or 'project'}-{secrets.token_hex(3)}"
