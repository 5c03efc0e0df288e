"""The projects that there were, whose ids are never given again."""

from alembic import op
from sqlalchemy import Column, DateTime, String, func

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """After this call deleted projects can be remembered."""
    op.create_table(
        "deleted_projects",
        Column("project_id", String(63), primary_key=True),
        Column("name", String(200), nullable=False),
        Column("deleted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("finished_at", DateTime(timezone=True), nullable=True),
        schema="turret",
    )
