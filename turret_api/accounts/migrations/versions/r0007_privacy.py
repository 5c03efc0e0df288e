"""Privacy: rules of a project, people and roles, the audit log, erasures and who is suppressed."""

from alembic import op
from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, String, Text, func

revision = "0007"
down_revision = "0006"

_SCHEMA = "turret"


def upgrade() -> None:
    """After this call keys can have roles, and all that is new is empty."""
    op.add_column("api_keys", Column("role", String(10), nullable=True), schema=_SCHEMA)
    op.create_table(
        "privacy",
        _of_project(primary_key=True),
        Column("name", String(40), primary_key=True),
        Column("value", Text, nullable=False),
        _made_at("changed_at"),
        schema=_SCHEMA,
    )
    op.create_table(
        "people",
        Column("person_id", String(40), primary_key=True),
        _of_project(),
        Column("email", String(320), nullable=False),
        Column("subject", String(64), nullable=True),
        Column("role", String(10), nullable=False),
        _made_at(),
        Column("signed_in_at", DateTime(timezone=True), nullable=True),
        schema=_SCHEMA,
    )
    op.create_index("people_of_project", "people", ["project_id", "email"], unique=True, schema=_SCHEMA)
    op.create_index("people_by_subject", "people", ["subject"], schema=_SCHEMA)
    op.create_table(
        "audit",
        Column("audit_id", BigInteger, Identity(), primary_key=True),
        Column("project_id", String(63), nullable=True),
        _made_at("at"),
        Column("actor", String(340), nullable=False),
        Column("action", String(40), nullable=False),
        Column("about", Text, nullable=False),
        schema=_SCHEMA,
    )
    op.create_index("audit_of_project", "audit", ["project_id", "audit_id"], schema=_SCHEMA)
    op.create_table(
        "erasures",
        Column("erasure_id", String(40), primary_key=True),
        _of_project(),
        Column("kind", String(10), nullable=False),
        Column("hash", String(64), nullable=False),
        Column("wanted", Text, nullable=True),
        Column("state", String(10), nullable=False),
        _made_at(),
        Column("finished_at", DateTime(timezone=True), nullable=True),
        Column("receipt", Text, nullable=True),
        schema=_SCHEMA,
    )
    op.create_index("erasures_of_project", "erasures", ["project_id", "created_at"], schema=_SCHEMA)
    op.create_table(
        "suppressed",
        _of_project(primary_key=True),
        Column("hash", String(64), primary_key=True),
        Column("held_for", String(20), primary_key=True, server_default=""),
        _made_at(),
        schema=_SCHEMA,
    )


def _of_project(*, primary_key: bool = False) -> Column[str]:
    """Return the column that names the project, with which the row goes."""
    key = ForeignKey(f"{_SCHEMA}.projects.project_id", ondelete="CASCADE")
    return Column("project_id", String(63), key, primary_key=primary_key, nullable=False)


def _made_at(name: str = "created_at") -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())
