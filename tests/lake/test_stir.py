"""A local lake shows that something in it has changed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from tests.small_lake import DAYS, event, put
from turret_pipeline.lake import store, waiting
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.stir import WAITING, last_stirred, nothing_waits, stirred
from turret_pipeline.lake.tables import FIELD_OVERRIDES


def test_each_new_part_and_each_commit_shows(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    seen = [last_stirred(lake.root)]
    put(lake, DAYS[0], "c-000000000001-000000000002", [event(1, DAYS[0], "a")])
    seen.append(last_stirred(lake.root))
    row = {"project_id": "shop", "field": "plan", "decided_at": dt.datetime(2026, 3, 1, tzinfo=dt.UTC), "type": "enum"}
    store.append(lake, FIELD_OVERRIDES, pl.DataFrame([row], schema=FIELD_OVERRIDES.schema))
    seen.append(last_stirred(lake.root))
    assert seen == sorted(set(seen))


def test_two_changes_at_nearly_the_same_time_are_told_apart(tmp_path: Path) -> None:
    seen = []
    for _ in range(20):
        stirred(str(tmp_path))
        seen.append(last_stirred(str(tmp_path)))
    assert len(set(seen)) == len(seen)


def test_a_lake_that_is_not_there_stops_nothing(tmp_path: Path) -> None:
    stirred(str(tmp_path / "gone"))
    assert last_stirred(str(tmp_path / "gone")) == 0
    assert not nothing_waits(str(tmp_path / "gone"))


def test_what_the_pipeline_saw_last_is_read_without_its_room(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert lake.waiting_file == f"{lake.root}/{WAITING}"
    waiting.write(lake, waiting.follow(None, {"shop": {}}, 5.0))
    assert nothing_waits(lake.root)
    waiting.write(lake, waiting.follow(None, {"shop": {"topics": None}}, 5.0))
    assert not nothing_waits(lake.root)
    Path(lake.waiting_file).write_text("[")
    assert not nothing_waits(lake.root)
