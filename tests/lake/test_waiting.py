"""Since when events wait: as the pipeline saw it, and as the parts say where it has not looked."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import polars as pl
import pytest

from tests.small_lake import event, put
from turret_pipeline.lake import store, waiting
from turret_pipeline.lake.parts import delete_project
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import BUILDS
from turret_pipeline.lake.waiting import Seen, Wait, Waiting, follow, waiting_projects

DAY = dt.date(2026, 10, 1)
NOW = 1_800_000_000.0


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def put_at(lake: Lake, part: str, at: float, project: str = "shop") -> None:
    put(lake, DAY, part, [event(1, DAY)], project=project)
    os.utime(Path(lake.events_folder(project, DAY)) / f"{part}.parquet", (at, at))


def built(lake: Lake, at: float) -> None:
    rows = {
        "project_id": ["shop"],
        "stage": ["events"],
        "received_date": [None],
        "built_at": [dt.datetime.fromtimestamp(at, dt.UTC)],
        "inputs": ["1"],
        "n_rows": [1],
        "seconds": [1.0],
    }
    store.append(lake, BUILDS, pl.DataFrame(rows, schema=BUILDS.schema))


def since(seen: list[tuple[float, int | None]]) -> float:
    """Look again and again at a table that is never up to date, made from what; return since when it waits at last."""
    found: Seen | None = None
    for at, made_from in seen:
        found = follow(found, {"shop": {"topics": made_from}}, at)
    assert found is not None
    return found.waiting["shop"]["topics"].since


def test_a_table_that_is_never_made_waits_from_the_first_look() -> None:
    assert since([(10, None), (20, None), (30, None)]) == 10
    assert since([(10, 1), (20, 1), (1000, 1)]) == 10


def test_what_came_before_a_table_was_made_the_time_before_is_in_it() -> None:
    # The first build that is seen may have begun before the first look, so it says nothing yet.
    assert since([(10, 1), (20, 2)]) == 10
    assert since([(10, 1), (20, 2), (30, 2), (40, 3)]) == 20
    assert since([(10, 1), (20, 2), (40, 3), (60, 4), (70, 4)]) == 40


def test_a_table_that_was_up_to_date_meanwhile_waits_from_when_it_was_not_again() -> None:
    first = follow(None, {"shop": {"topics": 1}}, 10)
    between = follow(first, {"shop": {}}, 20)
    assert between == Seen(20, {})
    assert follow(between, {"shop": {"topics": 2}}, 30).waiting["shop"]["topics"].since == 30


def test_the_table_that_waits_longest_is_named(lake: Lake) -> None:
    tables = {"events": Wait(NOW - 30, 1, NOW), "topics": Wait(NOW - 90, 1, NOW)}
    waiting.write(lake, Seen(NOW, {"shop": tables, "other": {"topics": Wait(NOW - 5, None, NOW)}}))
    shop = Waiting(NOW - 90, "topics")
    assert waiting_projects(lake, NOW) == {"shop": shop, "other": Waiting(NOW - 5, "topics")}
    assert waiting_projects(lake, NOW, "shop") == {"shop": shop}
    assert waiting_projects(lake, NOW, "empty") == {}
    delete_project(lake, "shop", b"{}")
    assert list(waiting_projects(lake, NOW)) == ["other"]


def test_when_the_pipeline_has_not_looked_for_long_the_parts_that_came_since_wait(lake: Lake) -> None:
    put_at(lake, "a-1", NOW - 1000)
    put_at(lake, "a-2", NOW - 700)
    put_at(lake, "a-3", NOW - 600)
    waiting.write(lake, Seen(NOW - 800, {}))
    for project in (None, "shop"):
        assert waiting_projects(lake, NOW, project) == {"shop": Waiting(NOW - 700, "events")}
    waiting.write(lake, Seen(NOW - 650, {"shop": {"topics": Wait(NOW - 900, 1, 0)}}))
    assert waiting_projects(lake, NOW) == {"shop": Waiting(NOW - 900, "topics")}
    waiting.write(lake, Seen(NOW - 500, {}))
    assert waiting_projects(lake, NOW) == {}
    # It looks: what it did not see is in the tables, or is being built now.
    waiting.write(lake, Seen(NOW - 10, {}))
    put_at(lake, "a-4", NOW - 5)
    assert waiting_projects(lake, NOW) == {}


def test_where_the_pipeline_never_looked_parts_wait_that_came_after_the_last_build(lake: Lake) -> None:
    assert waiting_projects(lake, NOW) == {}
    put_at(lake, "a-1", NOW - 700)
    assert waiting_projects(lake, NOW) == {"shop": Waiting(NOW - 700, "events")}
    built(lake, NOW - 300)
    assert waiting_projects(lake, NOW) == {}
    put_at(lake, "a-2", NOW - 200)
    assert waiting_projects(lake, NOW) == {"shop": Waiting(NOW - 200, "events")}


def test_a_file_that_cannot_be_read_is_as_if_the_pipeline_had_never_looked(lake: Lake) -> None:
    put_at(lake, "a-1", NOW - 700)
    Path(lake.waiting_file).write_text('{"at": "yest')
    assert waiting.read(lake) is None
    assert waiting_projects(lake, NOW) == {"shop": Waiting(NOW - 700, "events")}
