import contextlib
from collections.abc import Callable, Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select, text

from turret_api.accounts import AccountError, Accounts, migrations
from turret_api.accounts.tables import (
    AUDIT,
    DELETED_PROJECTS,
    ENDED_SESSIONS,
    ERASED_IDS,
    ERASURES,
    PEOPLE,
    PRIVACY,
    REVISION,
    SECRETS,
    SUPPRESSED,
    metadata,
)

SINCE_0007 = {PRIVACY, PEOPLE, AUDIT, ERASURES, SUPPRESSED, ERASED_IDS}


@pytest.fixture
def accounts(make_database: Callable[[], str]) -> Iterator[Accounts]:
    """Accounts in an empty database of their own."""
    with contextlib.closing(Accounts(make_database())) as opened:
        yield opened


def as_made_without_steps(accounts: Accounts, *, with_deleted: bool) -> None:
    """Make the tables as versions did that knew no steps, the first without deleted projects, with a project."""
    later = {ENDED_SESSIONS, SECRETS, *SINCE_0007} | (set() if with_deleted else {DELETED_PROJECTS})
    tables = [each for each in metadata.sorted_tables if each not in later and not each.name.startswith("alert")]
    with accounts.engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA turret"))
        metadata.create_all(connection, tables=tables)
        connection.execute(
            text("ALTER TABLE turret.api_keys DROP COLUMN name, DROP COLUMN last_used_at, DROP COLUMN role")
        )
        connection.execute(
            text("ALTER TABLE turret.collectors DROP COLUMN host, DROP COLUMN clock_off_s, DROP COLUMN brought_in")
        )
        connection.execute(REVISION.insert().values(one=1, number=41))
        connection.execute(text("INSERT INTO turret.projects VALUES ('shop', 'shop', 'enterprise', 4321)"))


def stamped(accounts: Accounts) -> list[str]:
    with accounts.engine.connect() as connection:
        return list(connection.scalars(text("SELECT version_num FROM turret.alembic_version")))


def differences(accounts: Accounts) -> list[object]:
    """Return in what the tables differ from those that are declared."""
    options = {
        "include_schemas": True,
        "version_table_schema": "turret",
        "compare_server_default": False,
        "include_name": lambda name, kind, _: kind != "schema" or name == "turret",
    }
    with accounts.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_all_steps_together_make_the_tables_that_are_declared(accounts: Accounts) -> None:
    accounts.migrate()
    assert differences(accounts) == []
    assert stamped(accounts) == [migrations.HEAD]
    assert accounts.create_project("shop").project_id == "shop"


def test_the_newest_step_is_that_of_the_last_file() -> None:
    script = ScriptDirectory(next(iter(migrations.__path__)))
    assert script.get_current_head() == migrations.HEAD
    assert [each.revision for each in script.walk_revisions()] == sorted(
        (each.revision for each in script.walk_revisions()), reverse=True
    )


@pytest.mark.parametrize("with_deleted", [False, True])
def test_tables_of_a_version_without_steps_are_brought_along_with_their_rows(
    accounts: Accounts, with_deleted: bool
) -> None:
    as_made_without_steps(accounts, with_deleted=with_deleted)
    assert not accounts.is_migrated()
    accounts.migrate()
    assert accounts.is_migrated()
    assert differences(accounts) == []
    assert stamped(accounts) == [migrations.HEAD]
    assert [(each.project_id, each.plan, each.limit) for each in accounts.projects()] == [("shop", "enterprise", 4321)]
    with accounts.engine.connect() as connection:
        assert connection.scalar(select(func.max(REVISION.c.number))) == 41


def test_accounts_of_a_later_version_are_refused_and_left_as_they_are(accounts: Accounts) -> None:
    accounts.migrate()
    with accounts.engine.begin() as connection:
        connection.execute(text("UPDATE turret.alembic_version SET version_num = '9999'"))
    for call in (accounts.migrate, accounts.is_migrated):
        with pytest.raises(AccountError, match=r"later version of Turret \(step 9999; this is Turret .*install that"):
            call()
    assert stamped(accounts) == ["9999"]


def test_a_step_that_fails_leaves_nothing_behind(accounts: Accounts) -> None:
    as_made_without_steps(accounts, with_deleted=False)
    with accounts.engine.begin() as connection:
        # What the second step is about to make is there already, with another shape.
        connection.execute(text("CREATE TYPE turret.deleted_projects AS (name text)"))
    with pytest.raises(Exception, match="deleted_projects"):
        accounts.migrate()
    with accounts.engine.connect() as connection:
        assert "alembic_version" not in inspect(connection).get_table_names(schema="turret")
