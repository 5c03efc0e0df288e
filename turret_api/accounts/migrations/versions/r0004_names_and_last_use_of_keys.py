"""What a key is called, and when it was last used."""

from alembic import op
from sqlalchemy import Column, DateTime, String

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """After this call keys can have names, and it can be told which are still used."""
    op.add_column("api_keys", Column("name", String(100), nullable=True), schema="turret")
    op.add_column("api_keys", Column("last_used_at", DateTime(timezone=True), nullable=True), schema="turret")
