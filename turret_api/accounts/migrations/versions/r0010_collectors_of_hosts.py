"""Collectors say which host they are on, how far its clock is off, and what they have brought into the lake."""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Text

revision = "0010"
down_revision = "0009"

_SCHEMA = "turret"


def upgrade() -> None:
    """After this call collectors have room for that; they fill it in themselves."""
    for column in (Column("host", Text), Column("clock_off_s", Double), Column("brought_in", BigInteger)):
        op.add_column("collectors", column, schema=_SCHEMA)
