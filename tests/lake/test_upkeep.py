"""Compaction and vacuum: fewer files, the same rows and marks, and nothing taken from under a reader or a writer."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import deltalake
import duckdb
import polars as pl
import pytest

from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, FIELD_PROFILES
from turret_pipeline.lake.upkeep import KEPT_FOR, compact, remove_old_files

MONDAY, TUESDAY = dt.date(2026, 10, 5), dt.date(2026, 10, 6)
AT_ONCE = dt.timedelta(0)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path / "lake"))
    made.make()
    return made


def texts(project: str, *numbers: int) -> pl.DataFrame:
    rows = {
        "project_id": [project] * len(numbers),
        "model": ["m"] * len(numbers),
        "text_id": [f"{number:032x}" for number in numbers],
        "text": [f"text {number}" for number in numbers],
        "vector": [[0.6, 0.8]] * len(numbers),
        "quantized": [b"_\x7f"] * len(numbers),
    }
    return pl.DataFrame(rows, schema=EMBEDDINGS.schema)


def grow(lake: Lake, project: str, n: int) -> ProjectTable:
    """Append one text after the other; the table's `inputs` are the last one's number."""
    table = ProjectTable(lake, EMBEDDINGS, project)
    for number in range(n):
        table.append(texts(project, number), inputs=number)
    return table


def files(lake: Lake, project: str = "shop") -> int:
    return int(ProjectTable(lake, EMBEDDINGS, project).sizes()["n_files"].sum())


def test_small_files_become_one_and_rows_marks_and_other_projects_stay(lake: Lake) -> None:
    before = grow(lake, "shop", 12)
    grow(lake, "other", 3)
    rows = store.read(lake, EMBEDDINGS, "shop").sort("text_id")
    sizes = compact(lake, EMBEDDINGS, "shop")
    assert (sizes.files_before, sizes.files_after, files(lake), files(lake, "other")) == (12, 1, 1, 3)
    after = ProjectTable(lake, EMBEDDINGS, "shop")
    assert (after.inputs(), after.state()) == (11, before.state())
    assert store.read(lake, EMBEDDINGS, "shop").sort("text_id").equals(rows)
    version = store.version(lake, EMBEDDINGS)
    assert compact(lake, EMBEDDINGS, "shop").n_bytes == 0
    assert store.version(lake, EMBEDDINGS) == version


def test_only_the_days_with_many_files_are_compacted(lake: Lake) -> None:
    table = ProjectTable(lake, FIELD_PROFILES, "shop")
    for number, day in enumerate([MONDAY] * 4 + [TUESDAY]):
        known = {"project_id": ["shop"], "received_date": [day], "month": [day], "field": [f"f{number}"]}
        row = known | {"n_events": [1], "n_values": [1], "evidence": ["{}"]}
        table.append(pl.DataFrame(row, schema=FIELD_PROFILES.schema), days={day: number})
    compact(lake, FIELD_PROFILES, "shop", most_files=3)
    after = ProjectTable(lake, FIELD_PROFILES, "shop")
    assert after.sizes().rows() == [(MONDAY, 4, 1, after.sizes()["n_bytes"][0]), (TUESDAY, 1, 1, table.sizes()[1, 3])]
    assert [after.inputs(day) for day in (MONDAY, TUESDAY)] == [3, 4]


def test_marks_survive_checkpoints_and_the_cleaning_of_the_log(lake: Lake) -> None:
    grow(lake, "quiet", 1)
    grow(lake, "shop", 12)
    deltalake.DeltaTable(lake.table(EMBEDDINGS.name)).alter.set_table_properties(
        {"delta.logRetentionDuration": "interval 0 days"}
    )
    opened = deltalake.DeltaTable(lake.table(EMBEDDINGS.name))
    opened.create_checkpoint()
    opened.cleanup_metadata()
    log = Path(lake.table(EMBEDDINGS.name)) / "_delta_log"
    assert not (log / f"{0:020d}.json").exists()
    assert [ProjectTable(lake, EMBEDDINGS, name).inputs() for name in ("quiet", "shop")] == [0, 11]
    table = ProjectTable(lake, EMBEDDINGS, "shop")
    table.append(texts("shop", 99), inputs=99)
    assert ProjectTable(lake, EMBEDDINGS, "shop").inputs() == 99


def test_versions_of_the_last_week_can_be_read_after_vacuum_and_a_reader_goes_on(lake: Lake) -> None:
    early = grow(lake, "shop", 12)
    reading = early.scan()
    version = early.version
    stray = Path(lake.table(EMBEDDINGS.name)) / "project_id=shop" / "killed-writer.parquet"
    stray.write_bytes(b"half a file")
    compact(lake, EMBEDDINGS, "shop")
    assert remove_old_files(lake, EMBEDDINGS, KEPT_FOR) == 0
    assert reading.collect().height == 12
    assert store.scan(lake, EMBEDDINGS, "shop", at=version - 5).collect().height == 7
    assert remove_old_files(lake, EMBEDDINGS, AT_ONCE) == 13
    assert not stray.exists()
    assert store.read(lake, EMBEDDINGS, "shop").height == 12


def test_a_writer_that_opened_the_table_before_compaction_and_vacuum_still_commits(lake: Lake) -> None:
    grow(lake, "shop", 12)
    appending, other = (ProjectTable(lake, EMBEDDINGS, name) for name in ("shop", "other"))
    compact(lake, EMBEDDINGS, "shop")
    remove_old_files(lake, EMBEDDINGS, AT_ONCE)
    appending.append(texts("shop", 50), inputs=50)
    other.replace(texts("other", 1), inputs=1)
    assert store.read(lake, EMBEDDINGS, "shop").height == 13
    assert [ProjectTable(lake, EMBEDDINGS, name).inputs() for name in ("shop", "other")] == [50, 1]


def test_duckdb_and_polars_read_the_tables_from_outside_while_they_are_written(lake: Lake) -> None:
    table = grow(lake, "shop", 4)
    address = lake.table(EMBEDDINGS.name)
    for number in range(4, 12):
        table.append(texts("shop", number))
        outside = duckdb.connect()
        outside.register("opened", deltalake.DeltaTable(address).to_pyarrow_dataset())
        found = outside.execute("SELECT count(*), count(DISTINCT text_id) FROM opened").fetchone()
        assert found == (number + 1, number + 1)
        assert pl.read_delta(address).height == number + 1
    compact(lake, EMBEDDINGS, "shop")
    assert pl.read_delta(address)["text_id"].n_unique() == 12
