"""A batch writes many projects with few commits, and minds no commit to other projects."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import polars as pl
import pytest
from deltalake.exceptions import CommitFailedError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from turret_pipeline.lake import store, sums
from turret_pipeline.lake.batch import Batch
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_PROFILES, FIELD_TOTALS

NAMES = [f"small-{n:02}" for n in range(40)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def rows(project: str, *fields: str) -> pl.DataFrame:
    named = [(project, field, "{}") for field in fields]
    return pl.DataFrame(named, schema=FIELD_TOTALS.schema, orient="row")


def fields(lake: Lake, project: str) -> list[str]:
    return sorted(store.read(lake, FIELD_TOTALS, project)["field"])


def test_what_many_projects_commit_is_one_commit_and_seen_by_others_only_then(lake: Lake) -> None:
    batch = Batch(lake)
    for name in NAMES:
        table = batch.open(FIELD_TOTALS, name)
        table.append(rows(name, "a"), inputs=1)
        table.append(rows(name, "b"), inputs=2)
        assert fields(batch.lake, name) == ["a", "b"] and fields(lake, name) == []
    before = store.version(lake, FIELD_TOTALS)
    assert batch.flush([FIELD_TOTALS]) == {}
    assert store.version(lake, FIELD_TOTALS) == (before or 0) + 1
    for name in NAMES:
        assert fields(lake, name) == fields(batch.lake, name) == ["a", "b"]
        assert ProjectTable(lake, FIELD_TOTALS, name).inputs() == 2


@pytest.mark.slow
def test_commits_to_other_projects_meanwhile_do_not_disturb_and_those_to_ours_fail_alone(lake: Lake) -> None:
    for name in [*NAMES, "other"]:
        ProjectTable(lake, FIELD_TOTALS, name).append(rows(name, "old"))
    batch = Batch(lake)
    for name in NAMES:
        batch.open(FIELD_TOTALS, name).replace(rows(name, "new"))
    ProjectTable(lake, FIELD_TOTALS, "other").replace(rows("other", "theirs"))
    ProjectTable(lake, FIELD_TOTALS, NAMES[3]).append(rows(NAMES[3], "theirs"))
    failed = batch.flush([FIELD_TOTALS])
    assert list(failed) == [NAMES[3]] and isinstance(failed[NAMES[3]], CommitFailedError)
    assert fields(lake, NAMES[3]) == ["old", "theirs"] and fields(lake, "other") == ["theirs"]
    assert all(fields(lake, name) == ["new"] for name in NAMES if name != NAMES[3])


DAYS = [dt.date(2026, 10, 1), dt.date(2026, 10, 2)]
SOME_DAYS = st.lists(st.sampled_from(DAYS), unique=True)
MADE = st.lists(
    st.tuples(st.sampled_from(["append", "replace", "flush", "reopen"]), SOME_DAYS, st.none() | SOME_DAYS), max_size=6
)


def _other_day_comes_with_a_replaced_one(there: list[dt.date]) -> list[tuple[str, list[dt.date], list[dt.date] | None]]:
    held = [("replace", DAYS[:1], []), ("append", DAYS[1:], None)]
    return [("append", there, None), ("flush", [], None), *held, ("flush", [], None)]


@settings(max_examples=30, deadline=None)
@given(MADE)
@example(_other_day_comes_with_a_replaced_one(DAYS[:1]))
@example(_other_day_comes_with_a_replaced_one(DAYS))
def test_rows_are_read_from_memory_as_a_query_reads_them_and_as_they_are_written(
    made: list[tuple[str, list[dt.date], list[dt.date] | None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        batch = Batch(lake)
        for number, (what, days, gone) in enumerate(made):
            table = batch.open(FIELD_PROFILES, "shop")
            named = [("shop", day, day, f"f{number}", 1, 1, "{}") for day in days]
            came = pl.DataFrame(named, schema=FIELD_PROFILES.schema, orient="row")
            if what == "append":
                table.append(came)
            elif what == "replace":
                table.replace(came, gone if gone is None else [*gone, *days])
            else:
                assert batch.flush([FIELD_PROFILES]) == {}
                batch = Batch(lake) if what == "reopen" else batch
            of_batch = store.read(batch.lake, FIELD_PROFILES, "shop")
            asked = store.scan(batch.lake, FIELD_PROFILES, "shop").collect()
            assert_frame_equal(of_batch, asked, check_row_order=False)
            if what in ("flush", "reopen"):
                assert_frame_equal(of_batch, store.read(lake, FIELD_PROFILES, "shop"), check_row_order=False)


def test_what_is_dropped_is_as_if_it_had_not_been_committed(lake: Lake) -> None:
    batch = Batch(lake)
    for name in NAMES[:2]:
        batch.open(FIELD_TOTALS, name).append(rows(name, "a"))
    batch.drop(NAMES[0])
    assert batch.flush([FIELD_PROFILES, FIELD_TOTALS]) == {}
    assert [fields(lake, name) for name in NAMES[:2]] == [[], ["a"]]


def test_a_commit_that_stands_though_what_follows_it_failed_is_not_made_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk may be full when the checksums are to be written; the rows are in the table by then."""
    batch = Batch(lake)
    for name in NAMES:
        batch.open(FIELD_TOTALS, name).append(rows(name, "a"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sums, "seal_commits", full)
        failed = batch.flush([FIELD_TOTALS])
    assert list(failed) == NAMES and all(isinstance(error, OSError) for error in failed.values())
    assert all(fields(lake, name) == fields(batch.lake, name) == ["a"] for name in NAMES)
