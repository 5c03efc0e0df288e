"""Marks read from the log at once are those that Delta tells one by one."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from pathlib import Path

import deltalake
import polars as pl
import pytest

from turret_pipeline.lake.commits import ProjectTable, open_or_make
from turret_pipeline.lake.marks import MarkLog, ProjectMarks, follow
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import BUILDS, FIELD_TYPES

DAY = dt.date(2026, 10, 1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def set_marks(lake: Lake, project: str, numbers: range) -> None:
    table = ProjectTable(lake, BUILDS, project)
    for number in numbers:
        table.append(BUILDS.empty(), inputs=number, days={DAY + dt.timedelta(number % 7): number})


def log_files(lake: Lake) -> list[Path]:
    return sorted(Path(lake.table("builds"), "_delta_log").glob("0*"))


def test_marks_are_those_that_delta_tells_before_and_after_a_checkpoint(lake: Lake) -> None:
    set_marks(lake, "one", range(60))
    set_marks(lake, "two", range(60, 120))
    assert any(path.name.endswith(".checkpoint.parquet") for path in log_files(lake))
    table = deltalake.DeltaTable(lake.table("builds"))
    log = MarkLog(lake, BUILDS)
    assert log.catch_up(table.version())
    assert log.marks == {name: table.transaction_version(name) for name in log.marks}
    assert ProjectMarks(log.marks, "one").inputs() == 59
    assert ProjectMarks(log.marks, "two").inputs(DAY) == 119
    assert ProjectMarks(log.marks, "two").mark("nothing") is None


def test_an_earlier_version_has_the_marks_it_had(lake: Lake) -> None:
    set_marks(lake, "one", range(20))
    log = MarkLog(lake, BUILDS)
    assert log.catch_up(11)
    assert ProjectMarks(log.marks, "one").inputs() == 10


def test_a_version_whose_commits_were_cleaned_away_is_not_reached_and_delta_is_asked(lake: Lake) -> None:
    set_marks(lake, "one", range(110))
    opened = ProjectTable(lake, BUILDS, "one")
    for path in log_files(lake)[:50]:
        path.unlink()
    assert not MarkLog(lake, BUILDS).catch_up(20)
    assert MarkLog(lake, BUILDS).catch_up(opened.version)
    assert opened.inputs() == ProjectTable(lake, BUILDS, "one").inputs() == 109


@pytest.mark.slow
def test_who_follows_sees_each_commit_and_a_table_that_was_made_anew(lake: Lake) -> None:
    assert follow(lake, BUILDS) == {}
    set_marks(lake, "one", range(3))
    assert ProjectMarks(follow(lake, BUILDS), "one").inputs() == 2
    set_marks(lake, "one", range(3, 110))
    assert ProjectMarks(follow(lake, BUILDS), "one").inputs() == 109
    shutil.rmtree(lake.table("builds"))
    assert follow(lake, BUILDS) == {}
    set_marks(lake, "two", range(2))
    assert ProjectMarks(follow(lake, BUILDS), "two").inputs() == 1
    assert ProjectMarks(follow(lake, BUILDS), "one").inputs() is None


def test_rows_and_marks_of_a_table_that_is_open_move_on_with_its_own_commits(lake: Lake) -> None:
    table = ProjectTable(lake, BUILDS, "one")
    assert table.inputs() is None
    before = table.state()
    row = {"project_id": "one", "stage": "events", "received_date": DAY, "inputs": "", "n_rows": 1, "seconds": 0.5}
    table.append(
        pl.DataFrame([row | {"built_at": dt.datetime.now(dt.UTC)}])
        .select(pl.col(BUILDS.schema.names()))
        .cast(dict(BUILDS.schema)),
        inputs=7,
    )
    assert table.inputs() == 7
    assert table.state() != before
    assert ProjectTable(lake, BUILDS, "one").state() == table.state()
    assert open_or_make(lake, FIELD_TYPES).version() == 0


def test_commits_that_are_older_than_the_table_keeps_them_leave_the_log(lake: Lake) -> None:
    open_or_make(lake, dataclasses.replace(BUILDS, log_kept_h=0))
    set_marks(lake, "one", range(110))
    assert len(log_files(lake)) < 50
    checkpoint = next(path for path in log_files(lake) if path.name.endswith(".checkpoint.parquet"))
    checkpoint.with_name(checkpoint.name.replace(".checkpoint.parquet", ".json")).unlink()
    assert ProjectMarks(follow(lake, BUILDS), "one").inputs() == 109
    assert ProjectMarks(follow(lake, BUILDS), "one").inputs() == 109
    assert ProjectTable(lake, BUILDS, "one").inputs() == 109
