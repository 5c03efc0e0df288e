"""Sessions of browsers that were signed out, whose cookies are refused from then on."""

from alembic import op
from sqlalchemy import Column, DateTime, String, func

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """After this call sessions that were signed out can be remembered."""
    op.create_table(
        "ended_sessions",
        Column("session_id", String(64), primary_key=True),
        Column("ended_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        schema="turret",
    )
