"""Alerts: rules, what they found, targets, and messages to these."""

from alembic import op
from sqlalchemy import Boolean, Column, Date, DateTime, ForeignKey, Integer, String, Text, func, text

revision = "0006"
down_revision = "0005"

_SCHEMA = "turret"


def upgrade() -> None:
    """After this call a project can have rules and targets; none has any yet."""
    op.create_table(
        "alert_targets",
        Column("target_id", String(40), primary_key=True),
        _refers("project_id", "projects", 63),
        Column("kind", String(10), nullable=False),
        Column("name", String(100), nullable=False),
        Column("address", Text, nullable=False),
        Column("secret", String(200), nullable=True),
        Column("has_texts", Boolean, nullable=False),
        Column("quiet", Text, nullable=True),
        Column("digest", Text, nullable=True),
        Column("digest_at", DateTime(timezone=True), nullable=True),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("disabled_at", DateTime(timezone=True), nullable=True),
        Column("disabled_for", String(200), nullable=True),
        schema=_SCHEMA,
    )
    op.create_index("alert_targets_of_project", "alert_targets", ["project_id"], schema=_SCHEMA)
    op.create_table(
        "alert_rules",
        Column("rule_id", String(40), primary_key=True),
        _refers("project_id", "projects", 63),
        Column("name", String(100), nullable=False),
        Column("kind", String(20), nullable=False),
        Column("filters", Text, nullable=False),
        Column("targets", Text, nullable=True),
        Column("urgent", Boolean, nullable=False),
        Column("look_at", DateTime(timezone=True), nullable=True),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        schema=_SCHEMA,
    )
    op.create_index("alert_rules_of_project", "alert_rules", ["project_id"], schema=_SCHEMA)
    op.create_table(
        "alerts",
        Column("alert_id", String(40), primary_key=True),
        _refers("project_id", "projects", 63),
        _refers("rule_id", "alert_rules", 40),
        Column("subject", String(40), nullable=False),
        Column("sentence", Text, nullable=False),
        Column("finding", Text, nullable=False),
        Column("last_day", Date, nullable=True),
        Column("found_at", DateTime(timezone=True), nullable=False),
        Column("seen_at", DateTime(timezone=True), nullable=False),
        Column("ended_at", DateTime(timezone=True), nullable=True),
        schema=_SCHEMA,
    )
    op.create_index("alerts_of_project", "alerts", ["project_id", "found_at"], schema=_SCHEMA)
    is_open = text("ended_at IS NULL")
    op.create_index(
        "alerts_open", "alerts", ["rule_id", "subject"], unique=True, postgresql_where=is_open, schema=_SCHEMA
    )
    op.create_table(
        "alert_deliveries",
        Column("delivery_id", String(40), primary_key=True),
        _refers("project_id", "projects", 63),
        _refers("target_id", "alert_targets", 40),
        Column("kind", String(10), nullable=False),
        Column("alerts", Text, nullable=False),
        Column("state", String(10), nullable=False),
        Column("n_attempts", Integer, nullable=False),
        Column("next_at", DateTime(timezone=True), nullable=False),
        Column("error", String(500), nullable=True),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("sent_at", DateTime(timezone=True), nullable=True),
        schema=_SCHEMA,
    )
    for name, column in (("waiting", ["state", "next_at"]), ("of_project", ["project_id", "created_at"])):
        op.create_index(f"alert_deliveries_{name}", "alert_deliveries", column, schema=_SCHEMA)
    op.create_table(
        "alert_looks",
        Column(
            "project_id", String(63), ForeignKey(f"{_SCHEMA}.projects.project_id", ondelete="CASCADE"), primary_key=True
        ),
        Column("built_at", DateTime(timezone=True), nullable=True),
        Column("looked_at", DateTime(timezone=True), nullable=True),
        schema=_SCHEMA,
    )


def _refers(name: str, table: str, length: int) -> Column[str]:
    """Return a column that names a row of `table`, with which this one goes."""
    key = ForeignKey(f"{_SCHEMA}.{table}.{name}", ondelete="CASCADE")
    return Column(name, String(length), key, nullable=False)
