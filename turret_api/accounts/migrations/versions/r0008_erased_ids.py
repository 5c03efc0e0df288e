"""What was erased lately, so that no collector brings to the lake what waited in its spool since before that."""

from alembic import op
from sqlalchemy import Column, DateTime, ForeignKey, String

revision = "0008"
down_revision = "0007"

_SCHEMA = "turret"


def upgrade() -> None:
    """After this call there is a table of what was erased, with nothing in it."""
    project = ForeignKey(f"{_SCHEMA}.projects.project_id", ondelete="CASCADE")
    op.create_table(
        "erased_ids",
        Column("project_id", String(63), project, primary_key=True),
        Column("hash", String(64), primary_key=True),
        Column("before", DateTime(timezone=True), nullable=False),
        schema=_SCHEMA,
    )
