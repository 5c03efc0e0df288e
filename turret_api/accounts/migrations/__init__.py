"""Bringing the accounts' tables to the shape that `accounts.tables` declares, by alembic; one file a step.

Each step is a file in `versions` whose `revision` follows that of the one before: `0001`, `0002`, …. The database says
in `turret.alembic_version` which it has. One of a version of Turret without steps says nothing, and has the step that
its tables show. Alembic itself is imported only where there is a step to take: every command asks.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from turret_api.accounts.tables import metadata

HEAD = "0010"
"""The newest step: that of the last file in `versions`."""

SCHEMA = str(metadata.schema)

_SHOWN_BY = (("deleted_projects", "0002"), ("projects", "0001"))
"""Tables that the databases of versions without steps may have, newest first, and the step that each shows."""


def revision(connection: Connection) -> str | None:
    """Return the step that the database has; None: it has no accounts."""
    tables = set(inspect(connection).get_table_names(schema=SCHEMA))
    if "alembic_version" in tables:
        found = connection.scalar(text(f"SELECT version_num FROM {SCHEMA}.alembic_version"))
        if found is not None:
            return str(found)
    return next((step for table, step in _SHOWN_BY if table in tables), None)


def is_stamped(connection: Connection) -> bool:
    """Return whether the database says that it has the newest step."""
    if connection.scalar(text(f"SELECT to_regclass('{SCHEMA}.alembic_version')")) is None:
        return False
    return bool(connection.scalar(text(f"SELECT version_num FROM {SCHEMA}.alembic_version")) == HEAD)


def bring(connection: Connection) -> None:
    """After the commit of the connection's transaction the database has the newest step; the caller has the lock."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(Path(__file__).parent))
    found = revision(connection)
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    options = {
        "version_table_schema": SCHEMA,
        "fn": lambda revisions, _: script._upgrade_revs("head", revisions),
    }
    context = MigrationContext.configure(connection, opts=options)
    if found is not None:
        context.stamp(script, found)
    with Operations.context(context):
        context.run_migrations()
