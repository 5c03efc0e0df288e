"""People may have a role by a group of the provider, beside the one that was given by hand or instead of it."""

from alembic import op
from sqlalchemy import Column, String, Text

revision = "0009"
down_revision = "0008"

_SCHEMA = "turret"


def upgrade() -> None:
    """After this call all roles are given by hand, as before."""
    op.alter_column("people", "role", existing_type=String(10), nullable=True, schema=_SCHEMA)
    op.add_column("people", Column("group_role", String(10), nullable=True), schema=_SCHEMA)
    op.add_column("people", Column("group_name", Text, nullable=True), schema=_SCHEMA)
