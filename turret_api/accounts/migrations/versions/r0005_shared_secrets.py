"""Secrets that all hosts share."""

from alembic import op
from sqlalchemy import Column, String

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """After this call hosts can share secrets; the next start of an API brings that of its home."""
    op.create_table(
        "secrets",
        Column("name", String(40), primary_key=True),
        Column("value", String(200), nullable=False),
        schema="turret",
    )
