"""What stands in the way of an upgrade, told in one list; and a home that this version does not touch."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import click
import dagster as dg
import deltalake
import orjson
import pytest
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from dagster._core.storage.runs import SqliteRunStorage
from sqlalchemy import text

from tests.homes.make import free_port
from turret_api.accounts import Accounts
from turret_api.collector.spool import Spool
from turret_api.command.main import main
from turret_api.command.upgrade import UNFINISHED, standing, upgrade
from turret_pipeline.lake.layout import LAYOUT
from turret_pipeline.lake.tables import TOPIC_ASSIGNMENTS
from turret_pipeline.orchestration.recover import upgrade_tables
from turret_pipeline.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, make_database: Callable[[], str]) -> Settings:
    """Settings of a home that is not there yet, with a database of its own."""
    return Settings.from_environment({"TURRET_HOME": str(tmp_path / "home"), "TURRET_DATABASE_URL": make_database()})


def environment(settings: Settings) -> dict[str, str]:
    return {"TURRET_HOME": str(settings.home), "TURRET_DATABASE_URL": str(settings.database_url)}


def bring(settings: Settings) -> None:
    upgrade(settings, str(settings.database_url), lambda _: None)


def of_a_later_version(settings: Settings) -> None:
    """Make a home that a later version has upgraded in every place, and whose restore was cut off."""
    bring(settings)
    folder = settings.home / "spool" / "0"
    folder.mkdir(parents=True)
    Spool(folder / "spool.db").close()
    spool = apsw.Connection(str(folder / "spool.db"))
    spool.execute("UPDATE meta SET value = '2' WHERE name = 'layout'")
    spool.close()
    layout = Path(settings.open_lake().layout_file)
    layout.write_bytes(orjson.dumps({"layout": LAYOUT + 1, "turret": "9.0.0"}))
    accounts = Accounts(str(settings.database_url))
    with accounts.engine.begin() as connection:
        connection.execute(text("UPDATE turret.alembic_version SET version_num = '9999'"))
    accounts.close()
    (settings.home / UNFINISHED).touch()


def test_a_home_that_cannot_be_used_is_refused_with_one_list_and_left_as_it_is(settings: Settings) -> None:
    of_a_later_version(settings)
    layout = Path(settings.open_lake().layout_file).read_bytes()
    with pytest.raises(click.ClickException) as refused:
        bring(settings)
    first, *listed = refused.value.message.splitlines()
    assert first.startswith(f"{settings.home} cannot be used by Turret ")
    assert first.endswith("; nothing was changed:")
    assert [line.split()[2] for line in listed] == ["lake", "accounts", "spool", "`turret"]
    assert Path(settings.open_lake().layout_file).read_bytes() == layout


@pytest.mark.parametrize(
    "words", [["build"], ["serve", "--port", "0"], ["up"], ["key", "list"], ["project", "create", "a shop"]]
)
def test_every_command_that_works_on_a_home_refuses_one_of_a_later_version(
    settings: Settings, words: list[str]
) -> None:
    of_a_later_version(settings)
    ports = {"TURRET_PORT": str(free_port()), "TURRET_DAGSTER_PORT": str(free_port())}
    done = CliRunner().invoke(main, words, env=environment(settings) | ports)
    assert done.exit_code == 1
    assert "of Turret 9.0.0" in done.output
    assert "(step 9999; this is Turret" in done.output


def test_status_tells_what_stands_in_the_way_and_changes_nothing(settings: Settings) -> None:
    of_a_later_version(settings)
    done = CliRunner().invoke(main, ["status"], env=environment(settings))
    assert done.exit_code == 0
    assert done.output.count("REFUSED") == 4


def test_status_of_a_new_home_makes_nothing(settings: Settings) -> None:
    done = CliRunner().invoke(main, ["status"], env=environment(settings))
    assert "There are no projects yet." in done.output
    assert not settings.home.exists()
    found = standing(settings, str(settings.database_url))
    assert (found.is_current, found.lacks, found.obstacles) == (False, (), ())


def test_an_earlier_version_that_still_runs_is_to_be_ended_first(settings: Settings) -> None:
    lake = settings.open_lake()
    lake.make()
    earlier = TOPIC_ASSIGNMENTS.empty().drop("x", "y").to_arrow()
    deltalake.write_deltalake(lake.table("topic_assignments"), earlier, partition_by=["project_id"])
    with pytest.raises(click.ClickException, match=r"`turret up` of an earlier version runs \(pid 41\): end it first"):
        upgrade(settings, str(settings.database_url), lambda _: None, {"pid": 41})
    assert not Path(lake.layout_file).exists()
    bring(settings)
    assert standing(settings, str(settings.database_url)).is_current


def test_a_lake_that_is_away_is_named_and_keeps_nobody_from_the_accounts(settings: Settings) -> None:
    bring(settings)
    shutil.rmtree(settings.lake)
    Path(settings.lake).write_text("no folder")
    done = CliRunner().invoke(main, ["key", "list"], env=environment(settings))
    assert (done.exit_code, done.output) == (0, "")
    done = CliRunner().invoke(main, ["build"], env=environment(settings))
    assert done.exit_code == 1 and done.output.startswith(f"Error: the lake {settings.lake} cannot be read: ")
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize("n_steps_behind", [0, 1, 3])
def test_dagsters_tables_are_brought_along(tmp_path: Path, n_steps_behind: int) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        storage = instance.run_storage
        assert isinstance(storage, SqliteRunStorage)
        newest, _ = storage.alembic_version()
        script = ScriptDirectory(str(Path(dg.__file__).parent / "_core" / "storage" / "alembic"))
        steps = [each.revision for each in script.walk_revisions(head=newest)]
        with storage.connect() as connection:
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{steps[n_steps_behind]}'"))
            connection.commit()
        upgrade_tables(instance)
        assert storage.alembic_version() == (newest, newest)


@pytest.mark.slow
def test_dagsters_tables_of_a_later_version_are_refused(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        storage = instance.run_storage
        assert isinstance(storage, SqliteRunStorage)
        with storage.connect() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'ffffffffffff'"))
            connection.commit()
        with pytest.raises(SystemExit, match="of a later version of Dagster than"):
            upgrade_tables(instance)
