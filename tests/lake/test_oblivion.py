"""Forgetting: no file of a table holds what its rows do not hold, and no reader or writer loses anything by it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import deltalake
import polars as pl
import pytest

from tests.lake.holding import holding
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.marks import MarkLog, follow
from turret_pipeline.lake.oblivion import forget_history
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import SHARED_FRAMES, TOPIC_EDITS
from turret_pipeline.lake.upkeep import remove_old_files

CANARY = "canary-in-the-mine"
POINTS = ["oblivion.after_checkpoint", "oblivion.after_entry", "oblivion.after_entries", "oblivion.after_file"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path / "lake"))
    made.make()
    return made


def frames(project: str, *texts: str) -> pl.DataFrame:
    return pl.DataFrame([(project, text, 1) for text in texts], schema=SHARED_FRAMES.schema, orient="row")


def with_a_past(lake: Lake, n_commits: int = 3) -> ProjectTable:
    """A table of two projects from one of which the canary was taken out, with marks, and a checkpoint with it."""
    table = ProjectTable(lake, SHARED_FRAMES, "shop")
    table.append(frames("shop", CANARY, "a"), inputs=7)
    other = ProjectTable(lake, SHARED_FRAMES, "other")
    other.append(frames("other", "its own"), inputs=9)
    deltalake.DeltaTable(lake.table(SHARED_FRAMES.name)).create_checkpoint()
    table = ProjectTable(lake, SHARED_FRAMES, "shop")
    for number in range(n_commits):
        table.append(frames("shop", f"{CANARY} {number}"), marks={"of the shop": number})
    table.replace(frames("shop", "a", "b"), inputs=8)
    return table


def test_nothing_holds_what_was_taken_out(lake: Lake) -> None:
    with_a_past(lake)
    assert len(holding(lake.root, CANARY)) > 8
    done = forget_history(lake, SHARED_FRAMES, "shop")
    assert holding(lake.root, CANARY) == []
    assert done.files == 4 and done.entries >= 5
    assert sorted(store.read(lake, SHARED_FRAMES, "shop")["text"]) == ["a", "b"]
    assert forget_history(lake, SHARED_FRAMES, "shop").files == 0


def test_marks_and_the_rows_of_others_stay_and_can_be_found_by_all_ways(lake: Lake) -> None:
    with_a_past(lake)
    before = dict(follow(lake, SHARED_FRAMES))
    forget_history(lake, SHARED_FRAMES, "shop")
    fresh = MarkLog(lake, SHARED_FRAMES)
    fresh.catch_up()
    assert before == dict(follow(lake, SHARED_FRAMES)) == fresh.marks
    assert fresh.marks["shop/of the shop/"] == 2
    assert ProjectTable(lake, SHARED_FRAMES, "shop").inputs() == 8
    assert ProjectTable(lake, SHARED_FRAMES, "other").inputs() == 9
    assert store.read(lake, SHARED_FRAMES, "other")["text"].to_list() == ["its own"]
    assert ProjectTable(lake, SHARED_FRAMES, "shop").sizes()["n_rows"].to_list() == [2]
    first = store.scan(lake, SHARED_FRAMES, "other", at=4).collect()  # from an older checkpoint
    assert first["text"].to_list() == ["its own"]


def test_a_writer_of_another_project_that_began_before_loses_nothing(lake: Lake) -> None:
    with_a_past(lake, n_commits=1)
    late = ProjectTable(lake, SHARED_FRAMES, "other")
    table = ProjectTable(lake, SHARED_FRAMES, "shop")
    for number in range(3):
        table.replace(frames("shop", f"{CANARY} {number}"))
    table.replace(frames("shop", "a"))
    forget_history(lake, SHARED_FRAMES, "shop")
    late.replace(frames("other", "late"), inputs=10)
    assert store.read(lake, SHARED_FRAMES, "other")["text"].to_list() == ["late"]
    assert store.read(lake, SHARED_FRAMES, "shop")["text"].to_list() == ["a"]
    assert ProjectTable(lake, SHARED_FRAMES, "other").inputs() == 10
    assert holding(lake.root, CANARY) == []


def test_an_older_table_that_is_open_moves_on(lake: Lake) -> None:
    with_a_past(lake, n_commits=1)
    opened = store.open_table(lake, SHARED_FRAMES)
    assert opened is not None
    table = ProjectTable(lake, SHARED_FRAMES, "shop")
    table.replace(frames("shop", CANARY))
    table.replace(frames("shop", "a"))
    forget_history(lake, SHARED_FRAMES, "shop")
    opened.update_incremental()
    files = store.project_files(opened, "shop")
    assert store.scan_files(lake, SHARED_FRAMES, files).collect()["text"].to_list() == ["a"]
    assert store.rows_by_project(opened) == {"shop": 1, "other": 1}


@pytest.mark.parametrize("name", POINTS)
def test_killed_anywhere_the_same_call_does_the_rest(
    lake: Lake, name: str, interrupted_at: Callable[[str], AbstractContextManager[None]]
) -> None:
    with_a_past(lake)
    with interrupted_at(name):
        forget_history(lake, SHARED_FRAMES, "shop")
    assert sorted(store.read(lake, SHARED_FRAMES, "shop")["text"]) == ["a", "b"]
    forget_history(lake, SHARED_FRAMES, "shop")
    assert holding(lake.root, CANARY) == []
    assert sorted(store.read(lake, SHARED_FRAMES, "shop")["text"]) == ["a", "b"]
    assert ProjectTable(lake, SHARED_FRAMES, "shop").inputs() == 8


def test_what_people_are_writing_right_now_stays(lake: Lake) -> None:
    table = ProjectTable(lake, TOPIC_EDITS, "shop")
    table.append(TOPIC_EDITS.empty(), inputs=1)
    folder = Path(lake.table(TOPIC_EDITS.name)) / "project_id=shop"
    folder.mkdir()
    young, old = folder / "part-young.parquet", folder / "part-old.parquet"
    for file in (young, old):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 120, time.time() - 120))
    forget_history(lake, TOPIC_EDITS, "shop")
    assert [each.name for each in folder.iterdir()] == [young.name]


def test_the_nightly_cleaning_finds_nothing_wrong_afterwards(lake: Lake) -> None:
    with_a_past(lake)
    forget_history(lake, SHARED_FRAMES, "shop")
    assert remove_old_files(lake, SHARED_FRAMES) == 0
    for number in range(3):
        ProjectTable(lake, SHARED_FRAMES, "shop").append(frames("shop", str(number)))
    assert store.read(lake, SHARED_FRAMES, "shop").height == 5
