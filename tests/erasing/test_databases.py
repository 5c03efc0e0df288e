"""After an erasure no file of the embedded Postgres has a byte of what was erased; Dagster knows its partitions."""
# No `from __future__ import annotations`: Dagster reads the annotations of an asset's function as objects.

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import text

from turret_api.accounts import Accounts
from turret_api.accounts.audit import entries, record
from turret_api.accounts.erased_ids import all_erased
from turret_api.accounts.suppression import hasher_of
from turret_api.erasing.dagster import erase_from_dagster
from turret_api.erasing.erased import Erased
from turret_api.erasing.named_again import erase_named_again
from turret_api.erasing.notes import Note, note_of
from turret_api.erasing.postgres import connected, write_anew
from turret_api.erasing.words import Words
from turret_api.home.dagster_home import dagster_environment
from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings

CANARY = "zq-canary-71 “quoted”\nin two lines"
SHORT = "topics"  # a word of a user's that is the name of an asset too


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.from_environment({"TURRET_HOME": str(tmp_path_factory.mktemp("own"))})


@pytest.fixture(scope="module")
def url(settings: Settings) -> Iterator[str]:
    """URL of an embedded server of the module's own."""
    with database(settings) as found:
        yield found


@pytest.fixture(scope="module")
def instance(settings: Settings, url: str) -> Iterator[dg.DagsterInstance]:
    """The Dagster of that home."""
    environment = dagster_environment(settings, url)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TURRET_DAGSTER_DATABASE_URL", "TURRET_DAGSTER_STORAGE"):
            patch.setenv(name, environment[name])
        with dg.DagsterInstance.from_config(environment["DAGSTER_HOME"]) as made:
            yield made


projects = dg.DynamicPartitionsDefinition(name="project")


@dg.asset(partitions_def=projects, check_specs=[dg.AssetCheckSpec("unique_key", asset="topics")])
def topics(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Shows what tables show."""
    shown = {
        "rows written": 7,
        "texts of prompt": 3,
        "top topics": dg.MetadataValue.table([dg.TableRecord({"label": CANARY})]),
        "map of prompt": dg.MetadataValue.md(CANARY),
        "prompt failed": f"ValueError: {CANARY}",
    }
    context.log.info(f"what {CANARY} said of {SHORT}")
    yield dg.MaterializeResult(metadata=shown)
    yield dg.AssetCheckResult(
        passed=False,
        check_name="unique_key",
        metadata={"looked at": 7, "for example": f"{context.partition_key}: {CANARY}"},
        severity=dg.AssetCheckSeverity.WARN,
    )


@dg.asset(partitions_def=projects)
def failing() -> None:
    """Fails on a text."""
    raise ValueError(f"cannot read {CANARY}")


def files_with(folder: Path, word: str) -> list[str]:
    return sorted(
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and word.encode() in file.read_bytes()
    )


@pytest.mark.slow
def test_no_byte_is_left_in_the_files_of_postgres(settings: Settings, url: str, instance: dg.DagsterInstance) -> None:
    postgres = settings.home / "postgres"
    instance.add_dynamic_partitions("project", ["shop", "other"])
    for project in ("shop", "other"):
        assert dg.materialize([topics], instance=instance, partition_key=project).success
        assert not dg.materialize([failing], instance=instance, partition_key=project, raise_on_error=False).success
    with contextlib.closing(Accounts(url)) as accounts:
        accounts.migrate()
        accounts.create_project("shop")
        for n in range(50):
            record(accounts, "shop", "command:me", "import", {"n": n, "file": f"{CANARY}{n}" * 50})
        with accounts.engine.begin() as connection:
            connection.execute(text("ANALYZE"))
            connection.execute(text("DELETE FROM turret.audit"))
    with accounts.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
    assert len(files_with(postgres, "zq-canary-71")) >= 2

    with connected(url) as opened:
        done = erase_from_dagster(opened, "shop", Words([CANARY, SHORT]))
    assert sum(each.n for each in done) > 4
    write_anew(url, is_embedded=True)
    assert files_with(postgres, "zq-canary-71") == []

    # Dagster reads all of it, and knows what was made.
    assert instance.get_materialized_partitions(dg.AssetKey("topics")) == {"shop", "other"}
    latest = instance.get_latest_materialization_event(dg.AssetKey("topics"))
    assert latest is not None and latest.asset_materialization is not None
    for record_of in instance.fetch_materializations(dg.AssetKey("topics"), limit=10).records:
        made = record_of.asset_materialization
        assert made is not None
        if made.partition == "shop":
            assert {name: each.value for name, each in made.metadata.items()} == {"rows written": 7}
        else:  # another project's, that said the same words: what it shows is redacted, and no more
            assert made.metadata["texts of prompt"].value == 3
    for run in instance.get_runs():
        logs = instance.all_logs(run.run_id)
        assert logs and not [each for each in logs if "zq-canary-71" in str(each)]
    assert instance.get_asset_keys() and {key.path[0] for key in instance.get_asset_keys()} >= {"topics", "failing"}
    assert dg.materialize([topics], instance=instance, partition_key="shop").success  # and goes on


def test_a_server_of_ones_own_is_cleaned_as_far_as_it_is_ours_and_the_rest_is_said(database_url: str) -> None:
    done = write_anew(database_url, is_embedded=False)
    assert [each.what for each in done] == [
        "tables written anew",
        "the server's log of writes, its archive, replicas and logs: not ours to clean",
    ]


def test_a_database_that_was_put_back_loses_what_notes_say_was_erased_since(
    settings: Settings, url: str, instance: dg.DagsterInstance
) -> None:
    user, session, event_id, kept = "ada@example.com", "session of ada", "evt-7", "bob@example.com"
    names = (user, session, event_id)
    projects_again = dg.DynamicPartitionsDefinition(name="again")

    @dg.asset(partitions_def=projects_again)
    def naming() -> None:
        raise ValueError(f"{user} and {kept} cannot be read: ('{event_id}').")

    with contextlib.closing(Accounts(url)) as accounts:
        accounts.migrate()
        project_id = accounts.create_project("again").project_id
        instance.add_dynamic_partitions("again", [project_id])
        dg.materialize([naming], partition_key=project_id, instance=instance, raise_on_error=False)
        for name in (*names, kept):
            record(accounts, project_id, "command:me", "import", {"file": name})
        hasher, now = hasher_of(accounts), dt.datetime.now(dt.UTC)
        named = [("user", [user]), ("session", [session]), ("events", [event_id, "evt-8"]), ("texts", [])]
        erased = [
            Erased(project_id=project_id, kind=kind, values=frozenset(ids), event_ids=frozenset(ids))
            for kind, ids in named
        ]
        notes = [note_of(hasher, each, now) for each in erased]
        gone = Note(now, "of nobody", "user", ["ab" * 32], notes[0].secret)
        erase_named_again(settings, accounts, url, [*notes, gone])
        assert [each.about["file"] for each in entries(accounts, project_id)] == [kept] + ["(erased)"] * 3
        assert len(all_erased(accounts)[1][project_id]) == 4  # spools of other hosts leave it out again
    files = [file.read_bytes() for file in (settings.home / "postgres" / "data").rglob("*") if file.is_file()]
    assert [name for name in (*names, kept) if any(name.encode() in content for content in files)] == [kept]
    (run, *_) = instance.get_runs(limit=1)
    failed = instance.get_records_for_run(run.run_id, of_type={dg.DagsterEventType.STEP_FAILURE}).records
    assert "(erased)" in str(failed[0].event_log_entry.dagster_event)
