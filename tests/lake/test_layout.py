import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import deltalake
import orjson
import polars as pl
import pytest

from turret_pipeline.lake import layout, store
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.layout import LAYOUT, LayoutError
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.schema import Column, Table
from turret_pipeline.lake.tables import (
    EVENTS,
    FIELD_OVERRIDES,
    JOURNEY_EDGES,
    TABLES,
    TOPIC_ASSIGNMENTS,
    TOPIC_EDITS,
)

NOW = dt.datetime(2026, 10, 1, 12, tzinfo=dt.UTC)

LAYOUT_OF_TABLES = (7, 2568776573872735104)
"""The layout, and the fingerprint of all tables that are declared."""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "a lake"))


def without(table: Table, *names: str) -> Table:
    """Return the table as an earlier version might have declared it."""
    columns = tuple(column for column in table.columns if column.name not in names)
    return Table(table.name, table.meaning, table.key, columns, table.partition_by)


def rows(table: Table, project: str = "shop") -> pl.DataFrame:
    """Return one row of the table."""
    values = {
        pl.String(): "a",
        pl.Date(): NOW.date(),
        pl.Int64(): 1,
        pl.Float64(): 0.5,
        pl.Float32(): 0.5,
        pl.Boolean(): True,
        pl.Datetime("us", "UTC"): NOW,
        pl.Binary(): b"a",
    }
    row = {column.name: values.get(column.dtype, []) for column in table.columns}  # type: ignore[call-overload]
    return pl.DataFrame([row | {"project_id": project}], schema=table.schema)


def write(lake: Lake, table: Table) -> None:
    ProjectTable(lake, table, "shop").replace(rows(table), inputs=7)


def upgraded(lake: Lake) -> list[str]:
    said: list[str] = []
    layout.upgrade(lake, layout.plan(lake), said.append)
    return said


def test_the_layout_grows_with_each_change_of_a_declared_table() -> None:
    declared = [
        (each.name, each.partition_by, each.is_kept, [(c.name, str(c.dtype), c.nullable) for c in each.columns])
        for each in TABLES.values()
    ]
    assert (LAYOUT, fingerprint(declared)) == LAYOUT_OF_TABLES, (
        "the tables changed: let LAYOUT grow, and write both numbers here"
    )


def test_a_new_lake_gets_the_layout_and_is_looked_at_no_more(lake: Lake) -> None:
    lake.make()
    assert upgraded(lake) == []
    assert layout.plan(lake) == layout.Plan(is_current=True)


def test_missing_columns_that_may_be_null_are_added_and_rows_marks_and_versions_stay(lake: Lake) -> None:
    write(lake, without(TOPIC_ASSIGNMENTS, "x", "y"))
    before = store.version(lake, TOPIC_ASSIGNMENTS)
    assert upgraded(lake) == ["upgrading the lake, 1 of 1: topic_assignments gets x, y"]
    found = ProjectTable(lake, TOPIC_ASSIGNMENTS, "shop")
    assert found.inputs() == 7
    assert found.scan().collect().equals(rows(TOPIC_ASSIGNMENTS).with_columns(x=None, y=None).cast(found.table.schema))
    found.append(rows(TOPIC_ASSIGNMENTS))
    assert found.scan().collect()["x"].to_list() in ([None, 0.5], [0.5, None])
    assert store.scan(lake, TOPIC_ASSIGNMENTS, "shop", at=before).collect().height == 1


def test_before_0_1_0_all_that_a_build_makes_is_removed_and_nothing_else(lake: Lake) -> None:
    for table in (EVENTS, without(JOURNEY_EDGES, "count"), FIELD_OVERRIDES, TOPIC_EDITS):
        write(lake, table)
    assert len(upgraded(lake)) == 2
    assert store.version(lake, EVENTS) is None
    assert store.version(lake, JOURNEY_EDGES) is None
    for table in (FIELD_OVERRIDES, TOPIC_EDITS):
        assert store.read(lake, table, "shop").equals(rows(table))


def test_a_lake_of_0_1_0_keeps_every_table(lake: Lake) -> None:
    tables = [table for table in TABLES.values() if table.name != "field_failures"]
    for table in tables:
        write(lake, table)
    assert upgraded(lake) == []
    assert [table.name for table in tables if store.version(lake, table) is None] == []


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (without(TOPIC_EDITS, "action"), "lacks action"),
        (
            Table("topic_edits", "", (), (*TOPIC_EDITS.columns, Column("by", pl.String, "who"))),
            "has columns that this version does not know (by)",
        ),
        (
            Table("topic_edits", "", (), (*without(TOPIC_EDITS, "value").columns, Column("value", pl.Int64, ""))),
            "has other types in value",
        ),
        (
            Table("topic_edits", "", (), TOPIC_EDITS.columns, ("project_id", "field")),
            "is partitioned in another way",
        ),
    ],
)
def test_decisions_that_added_columns_do_not_bring_along_stop_the_whole(lake: Lake, other: Table, reason: str) -> None:
    write(lake, other)
    write(lake, without(JOURNEY_EDGES, "count"))
    (obstacle,) = layout.plan(lake).obstacles
    assert obstacle.startswith(f"the table topic_edits {reason}, and no build makes its rows again")
    with pytest.raises(LayoutError):
        upgraded(lake)
    assert store.version(lake, JOURNEY_EDGES) is not None
    assert not Path(lake.layout_file).exists()


def test_a_table_that_cannot_be_read_is_made_anew_and_decisions_are_not(lake: Lake) -> None:
    write(lake, JOURNEY_EDGES)
    for table in (EVENTS, TOPIC_EDITS):
        write(lake, table)
        log = Path(lake.table(table.name)) / "_delta_log" / f"{0:020d}.json"
        log.write_bytes(b"{")
    found = layout.plan(lake)
    assert found.removed == ("events",)
    assert [each.split(" (")[0] for each in found.obstacles] == ["the table topic_edits cannot be read"]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_an_upgrade_that_is_killed_at_any_step_is_finished_by_the_next(
    lake: Lake, step: int, interrupted_at: Callable[[str], AbstractContextManager[None]]
) -> None:
    for table in (EVENTS, without(JOURNEY_EDGES, "count"), without(TOPIC_ASSIGNMENTS, "x", "y")):
        write(lake, table)
    whole = layout.plan(lake)
    for done in range(step):
        before = layout.plan(lake)
        assert set(before.removed) == {"events", "journey_edges"}, done
        with interrupted_at("layout.after_step"):
            layout.upgrade(lake, before, lambda _: None)
    upgraded(lake)
    assert layout.plan(lake).is_current
    assert len(whole.removed) == 2
    assert store.version(lake, EVENTS) is None
    assert store.version(lake, JOURNEY_EDGES) is None
    assert deltalake.DeltaTable(lake.table("topic_assignments")).schema().to_json().count('"x"') == 1


def test_a_lake_of_a_later_version_is_refused_with_both_versions(lake: Lake) -> None:
    lake.make()
    Path(lake.layout_file).write_bytes(orjson.dumps({"layout": LAYOUT + 1, "turret": "9.1.0", "of_later": {}}))
    with pytest.raises(LayoutError, match=r"has layout \d+, of Turret 9\.1\.0, and this is Turret .*: install that"):
        layout.refuse_newer(lake)
    with pytest.raises(LayoutError, match=r"of Turret 9\.1\.0"):
        upgraded(lake)
    assert orjson.loads(Path(lake.layout_file).read_bytes())["layout"] == LAYOUT + 1
