import datetime as dt
import subprocess
import sys
import tempfile
from pathlib import Path

import deltalake
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake, ProjectIdError
from turret_pipeline.lake.tables import EMBEDDINGS, FIELD_OVERRIDES, TABLES, Table

NOW = dt.datetime(2026, 10, 1, 12, tzinfo=dt.UTC)


@pytest.fixture(params=["lake", "a lake's folder"])
def lake(tmp_path: Path, request: pytest.FixtureRequest) -> Lake:
    return Lake(str(tmp_path / request.param))


def overrides(project_id: str, **types: str | None) -> pl.DataFrame:
    rows = [{"project_id": project_id, "field": f, "decided_at": NOW, "type": t} for f, t in types.items()]
    return pl.DataFrame(rows, schema=FIELD_OVERRIDES.schema)


def test_a_table_never_written_to_reads_as_empty(lake: Lake) -> None:
    assert store.read(lake, FIELD_OVERRIDES, "shop").schema == FIELD_OVERRIDES.schema
    assert store.version(lake, FIELD_OVERRIDES) is None


def test_a_project_sees_its_own_rows_only(lake: Lake) -> None:
    store.append(lake, FIELD_OVERRIDES, overrides("shop", a="enum"))
    store.append(lake, FIELD_OVERRIDES, overrides("shop2", b="text"))
    assert store.read(lake, FIELD_OVERRIDES, "shop").equals(overrides("shop", a="enum"))


def test_rows_are_added_counted_and_read_without_pandas_which_takes_40_mib(tmp_path: Path) -> None:
    script = """
import sys
from tests.lake.test_store import FIELD_OVERRIDES, Lake, overrides, store
lake = Lake(sys.argv[1])
store.append(lake, FIELD_OVERRIDES, overrides("shop", a="enum"))
opened = store.open_table(lake, FIELD_OVERRIDES)
print(store.rows_by_project(opened), store.read(lake, FIELD_OVERRIDES, "shop").height, "pandas" in sys.modules)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert done.stdout == "{'shop': 1} 1 False\n"


def test_replacing_one_projects_rows_leaves_the_others(lake: Lake) -> None:
    store.append(lake, FIELD_OVERRIDES, pl.concat([overrides("one", a="enum"), overrides("two", b="text")]))
    store.replace(lake, FIELD_OVERRIDES, overrides("one", c="number"), "one")
    assert store.read(lake, FIELD_OVERRIDES, "one")["field"].to_list() == ["c"]
    assert store.read(lake, FIELD_OVERRIDES, "two")["field"].to_list() == ["b"]


def test_replacing_where_a_column_has_a_value_leaves_the_projects_other_rows(lake: Lake) -> None:
    store.append(lake, FIELD_OVERRIDES, overrides("shop", **{"it's": "enum", "b": "text"}))
    store.replace(lake, FIELD_OVERRIDES, overrides("shop", **{"it's": None}), "shop", field="it's")
    found = store.read(lake, FIELD_OVERRIDES, "shop").sort("field")
    assert found.select("field", "type").rows() == [("b", "text"), ("it's", None)]


def test_replacing_by_nothing_empties_the_project(lake: Lake) -> None:
    store.append(lake, FIELD_OVERRIDES, overrides("shop", a="enum"))
    store.replace(lake, FIELD_OVERRIDES, FIELD_OVERRIDES.empty(), "shop")
    assert store.read(lake, FIELD_OVERRIDES, "shop").is_empty()


def test_an_earlier_version_can_still_be_read(lake: Lake) -> None:
    store.append(lake, FIELD_OVERRIDES, overrides("shop", a="enum"))
    before = store.version(lake, FIELD_OVERRIDES)
    store.replace(lake, FIELD_OVERRIDES, overrides("shop", a="text"), "shop")
    assert store.scan(lake, FIELD_OVERRIDES, "shop", at=before).collect()["type"].to_list() == ["enum"]


def test_vectors_come_back_as_they_went_in(lake: Lake) -> None:
    row = {"project_id": "shop", "model": "m", "text_id": "t", "text": "x", "vector": [0.6, 0.8], "quantized": b"_\x7f"}
    frame = pl.DataFrame([row], schema=EMBEDDINGS.schema)
    store.append(lake, EMBEDDINGS, frame)
    assert store.read(lake, EMBEDDINGS, "shop").equals(frame)


def test_a_frame_that_is_not_what_the_table_declares_is_refused(lake: Lake) -> None:
    frame = overrides("shop", a="enum")
    with pytest.raises(store.SchemaError, match="columns differ"):
        store.append(lake, FIELD_OVERRIDES, frame.drop("type"))
    with pytest.raises(store.SchemaError, match="expected String"):
        store.append(lake, FIELD_OVERRIDES, frame.with_columns(type=pl.lit(1)))
    with pytest.raises(store.SchemaError, match="has nulls"):
        store.append(lake, FIELD_OVERRIDES, frame.with_columns(field=pl.lit(None, pl.String)))


def test_a_project_id_that_is_not_ours_never_reaches_a_predicate(lake: Lake) -> None:
    with pytest.raises(ProjectIdError):
        store.scan(lake, FIELD_OVERRIDES, "x' OR '1'='1")
    with pytest.raises(ProjectIdError):
        store.replace(lake, FIELD_OVERRIDES, FIELD_OVERRIDES.empty(), "x' OR '1'='1")


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_every_declared_table_can_be_made_and_read_from_outside(tmp_path: Path, table: Table) -> None:
    columns = {column.name for column in table.columns}
    assert set(table.key) <= columns
    assert set(table.partition_by) <= columns
    address = str(tmp_path / table.name)
    deltalake.DeltaTable.create(address, schema=table.empty().to_arrow().schema, partition_by=list(table.partition_by))
    assert pl.scan_delta(address).collect().is_empty()


def test_rows_that_have_one_of_some_values_are_found_in_whichever_commit_they_came(lake: Lake) -> None:
    table = ProjectTable(lake, FIELD_OVERRIDES, "shop")
    for rows in ({"a": "enum", "b": "text"}, {"c": "number"}, {"d": "text"}):
        table.append(overrides("shop", **rows))
    found = table.having("field", pl.Series(["b", "d", "e"])).collect()
    assert sorted(found["field"]) == ["b", "d"]
    assert table.having("field", pl.Series([], dtype=pl.String)).collect().is_empty()


@pytest.mark.parametrize(("n_rows", "n_chunks"), [(1, {5}), (2, {3, 4}), (4, {2}), (100, {1})])
def test_rows_that_have_many_values_come_some_files_at_a_time_and_each_once(
    lake: Lake, n_rows: int, n_chunks: set[int]
) -> None:
    table = ProjectTable(lake, FIELD_OVERRIDES, "shop")
    for fields in ("abc", "d", "efgh", "ij", "k"):
        table.append(overrides("shop", **dict.fromkeys(fields, "text")))
    values = pl.Series(list("kxbajfdh"))
    chunks = [(values[places], rows.collect()["field"]) for places, rows in table.having_by("field", values, n_rows)]
    assert sorted(name for _, rows in chunks for name in rows) == sorted("kbajfdh")
    assert all(set(rows) <= set(named) for named, rows in chunks)
    assert len(chunks) in n_chunks


def test_a_table_of_another_version_is_refused_with_what_to_do(lake: Lake) -> None:
    older = pl.DataFrame({"project_id": ["shop"], "field": ["a"]})
    deltalake.write_deltalake(lake.table("field_overrides"), older.to_arrow(), partition_by=["project_id"])
    words = r"another version of Turret \(columns decided_at, type\); start this version's `turret up` or "
    with pytest.raises(store.SchemaError, match=words):
        ProjectTable(lake, FIELD_OVERRIDES, "shop")


_ids = st.text("abÿ€😀", max_size=4)


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(st.lists(_ids, min_size=1, max_size=4), min_size=1, max_size=4), st.lists(_ids, max_size=4))
def test_no_file_is_passed_over_that_holds_a_value(files: list[list[str]], values: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        for fields in files:
            rows = [{"project_id": "shop", "field": field, "decided_at": NOW, "type": "enum"} for field in fields]
            store.append(lake, FIELD_OVERRIDES, pl.DataFrame(rows, schema=FIELD_OVERRIDES.schema))
        wanted = pl.Series("field", values, dtype=pl.String)
        near = store.scan_near(lake, FIELD_OVERRIDES, "shop", wanted).collect()
        found = near.filter(pl.col("field").is_in(wanted.implode()))
        everything = store.read(lake, FIELD_OVERRIDES, "shop")
        assert found.height == everything.filter(pl.col("field").is_in(wanted.implode())).height


def test_only_files_that_may_hold_a_value_are_read(lake: Lake) -> None:
    for day in "123":
        ids = {f"evt_{day}{number}": "enum" for number in range(3)}
        store.append(lake, FIELD_OVERRIDES, overrides("shop", **ids))
    near = store.scan_near(lake, FIELD_OVERRIDES, "shop", pl.Series("field", ["evt_30", "evt_4"])).collect()
    assert sorted(near["field"]) == ["evt_30", "evt_31", "evt_32"]
    assert store.scan_near(lake, FIELD_OVERRIDES, "shop", pl.Series("field", [], dtype=pl.String)).collect().is_empty()
