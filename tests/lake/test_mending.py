"""Mending what is damaged in the lake: what comes back, what is made anew, and what is never given up unasked."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.lake.test_damage import DAMAGES, DAY, events, flip, rows
from turret_pipeline.lake import store, sums
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.damage import ANEW, Damage, notes
from turret_pipeline.lake.deletion import remove_project
from turret_pipeline.lake.inspection import damage_of_parts, damage_of_table, standing
from turret_pipeline.lake.mending import UnmendableError, mend
from turret_pipeline.lake.parts import delete_project, list_parts, part_file, read_parts, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, FIELD_OVERRIDES, FIELD_TOTALS, FIELD_TYPES, Table

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with rows that a build makes, a person's rows, and a part whose events are built."""
    lake = Lake(str(tmp_path / "lake"))
    for project in ("hotel", "shop"):
        ProjectTable(lake, FIELD_TOTALS, project).append(rows(project, "prompt", "plan"), inputs=7)
        for field in ("prompt", "plan"):
            ProjectTable(lake, FIELD_OVERRIDES, project).append(override(project, field))
    write_part(lake, "shop", DAY, "a-1.parquet", events())
    columns = {"project_id": pl.lit("shop"), "received_date": pl.lit(DAY), "part": pl.lit("a-1.parquet")}
    ProjectTable(lake, EVENTS, "shop").append(events().with_columns(**columns).select(EVENTS.schema.names()))
    return lake


def override(project: str, field: str) -> pl.DataFrame:
    given = {"project_id": [project], "field": [field], "decided_at": [NOW], "type": ["enum"]}
    return pl.DataFrame(given, schema=FIELD_OVERRIDES.schema)


def data_file(lake: Lake, table: Table) -> Path:
    return sorted(Path(lake.table(table.name)).glob("project_id=shop/**/*.parquet"))[0]


def in_no_backup(name: str) -> None:
    return None


def only(lake: Lake, table: Table) -> Damage:
    (found,) = damage_of_table(lake, table)
    return found


def test_of_a_deleted_project_nothing_is_left_that_was_set_aside(lake: Lake) -> None:
    flip(data_file(lake, FIELD_TOTALS), 5)
    mend(lake, only(lake, FIELD_TOTALS), in_no_backup)
    flip(Path(part_file(lake, list_parts(lake, "shop")[0])), 5)
    (damage,) = damage_of_parts(lake, "shop")
    mend(lake, damage, in_no_backup)
    aside = Path(lake.aside(lake.root))
    assert len([file for file in aside.rglob("*.parquet") if "=shop" in str(file)]) == 2
    delete_project(lake, "shop", b"{}")
    remove_project(lake, "shop")
    left = [file for file in Path(lake.root).rglob("*") if "=shop" in str(file)]
    assert left == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_log_and_the_rows_of_people_come_back_from_their_second_copies(lake: Lake, damage: str) -> None:
    before = store.read(lake, FIELD_OVERRIDES, "shop")
    commits = sorted(Path(lake.table("field_overrides")).glob("_delta_log/*.json"))
    for file in (commits[-1], commits[1], data_file(lake, FIELD_OVERRIDES)):
        DAMAGES[damage](file)
        assert mend(lake, only(lake, FIELD_OVERRIDES), in_no_backup) == "put back from its second copy"
        assert store.read(lake, FIELD_OVERRIDES, "shop").equals(before)


def test_a_table_of_people_that_is_gone_as_a_whole_is_missed_and_its_log_comes_back(lake: Lake) -> None:
    before = store.read(lake, FIELD_OVERRIDES, "shop")
    files = sorted(Path(lake.table("field_overrides")).rglob("*.*"))
    for file in files:
        file.unlink(missing_ok=True)
    mend(lake, only(lake, FIELD_OVERRIDES), in_no_backup)
    for damage in list(damage_of_table(lake, FIELD_OVERRIDES)):
        mend(lake, damage, in_no_backup)
    assert store.read(lake, FIELD_OVERRIDES, "shop").equals(before)


def test_rows_of_people_are_given_up_only_where_that_is_asked_for(lake: Lake) -> None:
    file = data_file(lake, FIELD_OVERRIDES)
    content = file.read_bytes()
    flip(file, 100)
    sums.sum_file(lake, str(file)).write_bytes(sums.sum_file(lake, str(file)).read_bytes()[:60])  # no copy either
    damage = only(lake, FIELD_OVERRIDES)
    with pytest.raises(UnmendableError, match=r"no build makes again.*--from-backup"):
        mend(lake, damage, in_no_backup)
    assert mend(lake, damage, {damage.file: content}.get) == "put back from the backup"
    assert store.read(lake, FIELD_OVERRIDES, "shop").height == 2
    flip(file, 100)
    mend(lake, damage, in_no_backup, may_lose=True)
    assert store.read(lake, FIELD_OVERRIDES, "shop").height == 1
    assert store.read(lake, FIELD_OVERRIDES, "hotel").height == 2
    assert (Path(lake.root) / "aside" / damage.file).exists()


def test_rows_that_a_build_makes_are_taken_out_and_nobody_takes_the_rest_for_all(lake: Lake) -> None:
    flip(data_file(lake, FIELD_TOTALS), 100)
    mend(lake, only(lake, FIELD_TOTALS), in_no_backup)
    assert list(damage_of_table(lake, FIELD_TOTALS)) == []
    opened = ProjectTable(lake, FIELD_TOTALS, "shop")
    assert opened.inputs() == 0  # so that a build makes them anew
    assert store.read(lake, FIELD_TOTALS, "hotel").height == 2
    assert standing(lake) == [Damage("tables/field_types/project_id=shop", ANEW)]
    ProjectTable(lake, FIELD_TYPES, "shop").set_inputs(8)
    assert standing(lake) == [] == notes(lake)


def test_a_log_without_a_copy_costs_the_table_only_where_a_build_makes_it_again(lake: Lake) -> None:
    for table in (FIELD_TOTALS, FIELD_OVERRIDES):
        commit = sorted(Path(lake.table(table.name)).glob("_delta_log/*.json"))[-1]
        commit.write_bytes(b"{")
        sums.unseal(lake, str(commit))
    assert "made anew" in mend(lake, only(lake, FIELD_TOTALS), in_no_backup)
    assert store.read(lake, FIELD_TOTALS, "shop").height == 0
    assert standing(lake, "shop") == [Damage("tables/field_types/project_id=shop", ANEW)]
    with pytest.raises(UnmendableError, match="no build makes again"):
        mend(lake, only(lake, FIELD_OVERRIDES), in_no_backup, may_lose=True)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_part_is_written_again_from_the_events_that_were_built_of_it(lake: Lake, damage: str) -> None:
    DAMAGES[damage](Path(lake.events_folder("shop", DAY)) / "a-1.parquet")
    (found,) = damage_of_parts(lake)
    mend(lake, found, in_no_backup)
    assert read_parts(lake, list_parts(lake)).drop("part").equals(events())
    assert list(damage_of_parts(lake)) == []


def test_a_part_whose_mending_was_cut_off_is_mended_the_next_time(
    lake: Lake, interrupted_at: Callable[[str], contextlib.AbstractContextManager[None]]
) -> None:
    flip(Path(lake.events_folder("shop", DAY)) / "a-1.parquet", 100)
    (found,) = damage_of_parts(lake)
    with interrupted_at("part.mid_file"):
        mend(lake, found, in_no_backup)
    assert list(damage_of_parts(lake)) == [found]
    mend(lake, found, in_no_backup)
    assert read_parts(lake, list_parts(lake)).drop("part").equals(events())


def test_a_part_of_which_nothing_was_built_is_set_aside_under_its_name(lake: Lake) -> None:
    write_part(lake, "shop", DAY, "b-1.parquet", events(3))
    flip(Path(lake.events_folder("shop", DAY)) / "b-1.parquet", 100)
    (found,) = damage_of_parts(lake)
    assert mend(lake, found, in_no_backup) == "set aside; its events are in no table"
    assert [part.name for part in list_parts(lake)] == ["a-1.parquet"]
    assert (Path(lake.root) / "aside/events/project=shop/date=2026-11-20/b-1.parquet").exists()
    assert list(damage_of_parts(lake)) == []
