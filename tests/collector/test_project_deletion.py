"""`turret project delete`: nothing is left of a project, whatever runs; a new project of that name begins empty."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from tests.small_lake import DAYS, bring, event, put, write_down
from turret_api.accounts import Accounts
from turret_api.accounts.deletion import delete_project, find_deleted
from turret_api.accounts.directory import Directory
from turret_api.accounts.grants import Grants
from turret_api.command import project_deletion
from turret_pipeline.lake import store
from turret_pipeline.lake.deletion import remove_late_events
from turret_pipeline.lake.parts import list_parts, list_projects
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_OVERRIDES, TABLES
from turret_pipeline.orchestration.forget import forget
from turret_pipeline.orchestration.partitions import PROJECT
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings
from turret_pipeline.stages.pending import pending_stages


def rows_of(lake: Lake, project_id: str) -> dict[str, int]:
    counts = {name: store.read(lake, table, project_id).height for name, table in TABLES.items()}
    return {name: n for name, n in counts.items() if n}


def files_of(folder: Path, project_id: str) -> list[str]:
    """Return the files that bear the project's id in their path, or hold it, without the logs of the tables."""
    files = [file for file in folder.rglob("*") if file.is_file() and "_delta_log" not in file.parts]
    mine = [file for file in files if f"project={project_id}" in str(file) or f"project_id={project_id}" in str(file)]
    return [str(file) for file in mine]


@pytest.mark.slow
def test_nothing_is_left_and_a_project_of_the_same_name_begins_anew(
    make_server: Callable, turret: Callable, new_project: Callable, accounts: Accounts, tmp_path: Path
) -> None:
    gone, other = new_project(), new_project()
    server = make_server(home=tmp_path / "home").start()
    lake = server.lake()
    sent = {"name": "n", "event_id": "mine", "metadata": {"prompt": "hello"}}
    for project in (gone, other):
        assert server.track(project.write_key, sent).status == 200
        server.wait_for_events(project.project_id, 1)
        bring(lake, project.project_id, until="messages")
        override = (project.project_id, "prompt", dt.datetime.now(dt.UTC), "enum")
        store.append(lake, FIELD_OVERRIDES, pl.DataFrame([override], FIELD_OVERRIDES.schema, orient="row"))
        write_down(lake, project.project_id)
    before = rows_of(lake, other.project_id)
    assert rows_of(lake, gone.project_id) == before

    unsure = turret("project", "delete", gone.name)
    assert unsure.returncode == 1 and "--yes" in unsure.stderr and rows_of(lake, gone.project_id) == before
    # Sent while the project is being deleted.
    assert server.track(gone.write_key, {"name": "n", "event_id": "late", "metadata": {"a": 1}}).status == 200
    done = turret("project", "delete", gone.name, "--yes")
    assert done.returncode == 0, done.stderr

    assert rows_of(lake, gone.project_id) == {}
    assert files_of(tmp_path, gone.project_id) == []
    assert list_projects(lake) == [other.project_id]
    assert server.track(gone.write_key, sent).code == "INVALID_API_KEY"
    assert rows_of(lake, other.project_id) == before
    assert pending_stages(lake, None).keys() == {other.project_id}
    assert "nothing is left of it" in turret("project", "delete", gone.project_id, "--yes").stdout
    assert gone.project_id not in turret("project", "list").stdout

    again = json.loads(turret("project", "create", gone.name, "--json").stdout)
    assert again["project_id"] != gone.project_id
    answer = server.track(again["write_key"], sent)
    assert answer.status == 200 and not answer.json.get("duplicate")
    assert server.wait_for_events(again["project_id"], 1)["event_id"].to_list() == ["mine"]
    assert server.track(other.write_key, sent).json["duplicate"]
    server.stop()
    with sqlite3.connect(tmp_path / "home" / "spool" / "0" / "spool.db") as spool:
        kept = {row[0] for table in ("seen", "quota") for row in spool.execute(f"SELECT project_id FROM {table}")}
    assert kept == {other.project_id, again["project_id"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    "point", ["project.after_accounts", "project.after_note", "deletion.after_table", "project.after_lake"]
)
def test_a_deletion_that_is_killed_goes_on_at_the_next_call(
    new_project: Callable,
    accounts: Accounts,
    tmp_path: Path,
    database_url: str,
    interrupted_at: Callable[[str], AbstractContextManager[None]],
    point: str,
) -> None:
    project = new_project()
    home = {"TURRET_HOME": str(tmp_path / "home"), "TURRET_DATABASE_URL": database_url}
    settings = Settings.from_environment(home)
    lake = settings.open_lake()
    put(lake, DAYS[0], "a", [event(1, DAYS[0], "hello"), event(2, DAYS[0], "hi there")], project.project_id)
    bring(lake, project.project_id, until="messages")

    with interrupted_at(point):
        project_deletion.delete(settings, project.name, True)
    found = find_deleted(accounts, project.name)
    assert found is not None and found.finished_at is None
    project_deletion.delete(settings, project.name, True)
    assert rows_of(lake, project.project_id) == {} and files_of(tmp_path, project.project_id) == []
    assert list_projects(lake) == []


def test_events_that_come_after_a_deletion_are_never_seen_and_removed(
    new_project: Callable, tmp_path: Path, database_url: str
) -> None:
    project = new_project()
    home = {"TURRET_HOME": str(tmp_path / "home"), "TURRET_DATABASE_URL": database_url}
    settings = Settings.from_environment(home)
    project_deletion.delete(settings, project.name, True)
    lake = settings.open_lake()
    put(lake, DAYS[0], "from-another-host-1", [event(1, DAYS[0])], project.project_id)
    assert list_projects(lake) == [] and list_parts(lake) == [] and pending_stages(lake, None) == {}
    with pytest.raises(dg.Failure, match="was deleted"), Workshop(settings).work(project.project_id, False, print):
        raise AssertionError
    assert remove_late_events(lake) == 1
    assert files_of(tmp_path, project.project_id) == []


def test_collectors_report_of_others_as_before(new_project: Callable, accounts: Accounts) -> None:
    gone, other = new_project(), new_project()
    grants, directory = Grants(accounts, "cafe00"), Directory(accounts)
    period = "2026-11"
    assert grants.lease(gone.project_id, period, 0, 5, 0).granted == 5
    delete_project(accounts, gone.project_id)
    grants.report({(gone.project_id, period): 5, (other.project_id, period): 3})
    assert grants.lease(gone.project_id, period, 5, 1, 0).granted == 5
    assert grants.all_granted() == {(other.project_id, period): 3}
    assert directory.find(gone.write_key) is None and directory.find(other.write_key) is not None
    assert gone.project_id in directory.deleted() and other.project_id not in directory.deleted()


def test_dagster_has_no_partition_of_it_and_none_of_its_runs_waits() -> None:
    @dg.job
    def work() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(PROJECT, ["gone", "other"])
        for project in ("gone", "other"):
            run = instance.create_run_for_job(work, tags={"turret/project": project})
            assert run.status == dg.DagsterRunStatus.NOT_STARTED
        forget(instance, "gone")
        forget(instance, "gone")
        assert instance.get_dynamic_partitions(PROJECT) == ["other"]
        statuses = {run.tags["turret/project"]: run.status for run in instance.get_runs()}
    assert statuses == {"gone": dg.DagsterRunStatus.CANCELED, "other": dg.DagsterRunStatus.NOT_STARTED}
