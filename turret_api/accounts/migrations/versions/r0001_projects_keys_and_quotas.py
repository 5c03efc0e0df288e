"""Projects, keys, collectors, what plans have set aside, and the number by which copies know when to reload."""

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, ForeignKey, String, func

revision = "0001"
down_revision = None

_SCHEMA = "turret"


def upgrade() -> None:
    """After this call the tables of 0.1.0 are there."""
    op.create_table(
        "projects",
        Column("project_id", String(63), primary_key=True),
        Column("name", String(200), nullable=False, unique=True),
        Column("plan", String(20), nullable=False),
        Column("limit", BigInteger, nullable=True),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        schema=_SCHEMA,
    )
    op.create_table(
        "api_keys",
        Column("key_id", String(40), primary_key=True),
        Column("project_id", String(63), ForeignKey(f"{_SCHEMA}.projects.project_id"), nullable=False),
        Column("scope", String(10), nullable=False),
        Column("hint", String(10), nullable=False),
        Column("hash", String(64), nullable=False, unique=True),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("expires_at", DateTime(timezone=True), nullable=True),
        Column("revoked_at", DateTime(timezone=True), nullable=True),
        schema=_SCHEMA,
    )
    op.create_index("api_keys_of_project", "api_keys", ["project_id"], schema=_SCHEMA)
    op.create_table(
        "collectors",
        Column("collector_id", String(40), primary_key=True),
        Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        schema=_SCHEMA,
    )
    op.create_table(
        "quota_grants",
        Column("project_id", String(63), ForeignKey(f"{_SCHEMA}.projects.project_id"), primary_key=True),
        Column("period", String(10), primary_key=True),
        Column("collector_id", String(40), primary_key=True),
        Column("granted", BigInteger, nullable=False),
        Column("used", BigInteger, nullable=False),
        Column("wanted_at", DateTime(timezone=True), nullable=True),
        CheckConstraint("used >= 0 AND granted >= used", name="used_within_granted"),
        schema=_SCHEMA,
    )
    op.create_table(
        "revision",
        Column("one", BigInteger, primary_key=True),
        Column("number", BigInteger, nullable=False),
        schema=_SCHEMA,
    )
