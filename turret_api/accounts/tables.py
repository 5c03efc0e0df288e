"""The tables in Postgres (schema `turret`, so that they share a database with Dagster's without meeting).

projects      one tenant with its plan
api_keys      one key, by its hash, with its name and when it was last used
quota_grants  how many events of a period one collector may accept, and how many it has accepted so far
deleted_projects  one project that there was; its id is never given again, for events with it may still be on their way
ended_sessions  one session of a browser that was signed out; its cookie is refused from then on
secrets       one secret that all hosts share, by its name: what signs the dashboard's cookies
revision      one row: a number that grows with every change of all these, so that copies know when to reload
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    func,
)

metadata = MetaData(schema="turret")

PROJECTS = Table(
    "projects",
    metadata,
    Column("project_id", String(63), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("plan", String(20), nullable=False),
    Column("limit", BigInteger, nullable=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

API_KEYS = Table(
    "api_keys",
    metadata,
    Column("key_id", String(40), primary_key=True),
    Column("project_id", ForeignKey(PROJECTS.c.project_id), nullable=False),
    Column("scope", String(10), nullable=False),
    Column("hint", String(10), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=True),
    Column("revoked_at", DateTime(timezone=True), nullable=True),
    Column("name", String(100), nullable=True),
    Column("last_used_at", DateTime(timezone=True), nullable=True),
)
Index("api_keys_of_project", API_KEYS.c.project_id)

COLLECTORS = Table(
    "collectors",
    metadata,
    Column("collector_id", String(40), primary_key=True),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

QUOTA_GRANTS = Table(
    "quota_grants",
    metadata,
    Column("project_id", ForeignKey(PROJECTS.c.project_id), primary_key=True),
    Column("period", String(10), primary_key=True),
    Column("collector_id", String(40), primary_key=True),
    Column("granted", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("wanted_at", DateTime(timezone=True), nullable=True),
    CheckConstraint("used >= 0 AND granted >= used", name="used_within_granted"),
)

DELETED_PROJECTS = Table(
    "deleted_projects",
    metadata,
    Column("project_id", String(63), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("deleted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True), nullable=True),
)

ENDED_SESSIONS = Table(
    "ended_sessions",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("ended_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

SECRETS = Table(
    "secrets",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", String(200), nullable=False),
)

REVISION = Table(
    "revision",
    metadata,
    Column("one", BigInteger, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
