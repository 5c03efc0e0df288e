"""Heads of a lake on S3: what changed is seen at the next look, and nothing stays unseen for ever."""

from __future__ import annotations

import datetime as dt
import secrets

import polars as pl
import pytest

from tests.lake.test_upkeep import texts
from tests.s3_server import Request, Store
from tests.small_lake import event
from turret_api.read.engine.library import Library
from turret_pipeline.lake import handles, heads, parts, store, upkeep
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.marks import follow
from turret_pipeline.lake.parts import PART_SCHEMA, Part, list_parts, list_projects, take_back, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS

TODAY = dt.datetime.now(dt.UTC).date()
LONG_AGO = TODAY - dt.timedelta(days=20)
AT_ONCE = dt.timedelta(0)


@pytest.fixture
def lake(bucket: Store) -> Lake:
    """A new lake, of which this process remembers nothing."""
    return Lake(f"s3://{bucket.bucket}/{secrets.token_hex(4)}")


@pytest.fixture
def killed_before_heads_move(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(heads, "moved", lambda lake, head: None)
    return monkeypatch


def test_a_commit_is_seen_at_the_next_look_and_an_unchanged_table_is_not_looked_at(lake: Lake, bucket: Store) -> None:
    ProjectTable(lake, EMBEDDINGS, "shop").append(texts("shop", 1), inputs=1)
    assert inputs(heads.look(lake)) == 1
    with bucket.counting() as found:
        assert inputs(heads.look(lake)) == 1
    assert [each.words for each in found] == [f"GET ?{listing(lake, 'heads')}"]
    ProjectTable(lake, EMBEDDINGS, "shop").append(texts("shop", 2), inputs=2)
    assert inputs(heads.look(lake)) == 2


def test_a_commit_whose_head_did_not_move_is_seen_once_heads_are_not_trusted_any_more(
    lake: Lake, killed_before_heads_move: pytest.MonkeyPatch
) -> None:
    library = Library(lake)
    ProjectTable(lake, EMBEDDINGS, "shop").append(texts("shop", 1), inputs=1)
    assert (inputs(heads.look(lake)), n_files(library)) == (1, 1)
    ProjectTable(lake, EMBEDDINGS, "shop").append(texts("shop", 2), inputs=2)
    library.look_again()
    assert (inputs(heads.look(lake)), n_files(library)) == (1, 1)
    killed_before_heads_move.setattr(heads, "TRUSTED_S", 0.0)
    library.look_again()
    assert (inputs(heads.look(lake)), n_files(library)) == (2, 2)


def test_the_library_sees_another_process_commit_at_once(lake: Lake) -> None:
    library = Library(lake)
    assert n_files(library) == 0
    ProjectTable(lake, EMBEDDINGS, "shop").append(texts("shop", 1))
    library.look_again()
    assert n_files(library) == 1


def test_a_lake_without_heads_is_read_and_gets_them_as_it_is_written(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(heads, "moved", lambda lake, head: None)
        ProjectTable(lake, EMBEDDINGS, "shop").append(texts("shop", 1), inputs=1)
        write(lake, TODAY, "a-1")
    now = heads.look(lake)
    assert now.look is not None and not now.look.tags
    assert (inputs(now), list_projects(now), len(list_parts(now))) == (1, ["shop"], 1)
    write(lake, TODAY, "a-2")
    assert len(list_parts(heads.look(lake))) == 2


def test_parts_of_days_that_are_over_are_not_listed_again_but_for_late_ones(lake: Lake, bucket: Store) -> None:
    write(lake, LONG_AGO, "a-1")
    write(lake, TODAY, "a-2")
    assert len(list_parts(heads.look(lake))) == 2
    write(lake, TODAY, "a-3")
    with bucket.counting() as found:
        assert len(list_parts(heads.look(lake))) == 3
    (parts_listed,) = [each for each in found if "/events/" in each.query.get("prefix", "")]
    listed_from = dt.date.fromisoformat(parts_listed.query["start-after"].rpartition("date=")[2])
    assert LONG_AGO < listed_from < TODAY  # two days ago, and a day later past midnight
    write(lake, LONG_AGO, "b-1")
    assert len(list_parts(heads.look(lake))) == 4


def test_what_is_taken_back_removed_or_deleted_is_gone_at_the_next_look(lake: Lake) -> None:
    for name in ("a-1", "b-1", "c-1"):
        write(lake, LONG_AGO, name)
    assert len(list_parts(heads.look(lake))) == 3
    take_back(lake, "shop", "a", b"{}")
    assert sources(heads.look(lake)) == ["b", "c"]
    parts.remove_files(lake, [Part("shop", LONG_AGO, "b-1.parquet", 0)])
    assert sources(heads.look(lake)) == ["c"]
    parts.delete_project(lake, "shop", b"{}")
    now = heads.look(lake)
    assert (list_projects(now), list_parts(now)) == ([], [])


def test_a_table_that_was_made_anew_elsewhere_is_opened_anew(lake: Lake) -> None:
    ProjectTable(lake, EMBEDDINGS, "shop").append(texts("shop", 1, 2), inputs=1)
    assert store.read(lake, EMBEDDINGS, "shop").height == 2
    filesystem, root = lake.filesystem()
    filesystem.delete_dir(f"{root}/tables/embeddings")
    elsewhere = dict(handles._idle)
    handles._idle.clear()
    ProjectTable(lake, EMBEDDINGS, "shop").append(texts("shop", 3), inputs=7)
    handles._idle.clear()
    handles._idle.update(elsewhere)
    assert store.read(lake, EMBEDDINGS, "shop").height == 1
    assert ProjectTable(lake, EMBEDDINGS, "shop").inputs() == 7


def test_two_users_of_a_table_do_not_move_each_other(lake: Lake) -> None:
    first, second = ProjectTable(lake, EMBEDDINGS, "shop"), ProjectTable(lake, EMBEDDINGS, "other")
    before = second.version
    first.append(texts("shop", 1), inputs=1)
    assert (second.version, second.read().height) == (before, 0)
    assert ProjectTable(lake, EMBEDDINGS, "other").version == before + 1


def test_a_process_that_opens_a_table_does_not_read_all_its_commits(lake: Lake, bucket: Store) -> None:
    table = ProjectTable(lake, EMBEDDINGS, "shop")
    for number in range(25):
        table.append(texts("shop", number), inputs=number)
    del table
    handles.forget(lake.table("embeddings"))
    with bucket.counting() as found:
        opened = store.open_table(lake, EMBEDDINGS)
    assert opened is not None and opened.version() == 25
    assert len(found) <= 25, [each.words for each in found]


def test_compaction_and_cleaning_leave_readers_what_they_read(lake: Lake, bucket: Store) -> None:
    table = ProjectTable(lake, EMBEDDINGS, "shop")
    for number in range(12):
        table.append(texts("shop", number), inputs=number)
    library = Library(lake)
    snapshot = library.snapshot("shop")
    assert upkeep.compact(lake, EMBEDDINGS, "shop").files_after == 1
    assert snapshot.scan(EMBEDDINGS).collect().height == 12
    folder = f"{lake.root.partition('/')[2].lstrip('/').partition('/')[2]}/tables/embeddings/project_id=shop"
    assert len(bucket.keys(folder)) == 13
    assert upkeep.remove_old_files(lake, EMBEDDINGS, AT_ONCE) == 12
    assert len(bucket.keys(folder)) == 1
    with pytest.raises(FileNotFoundError):
        snapshot.scan(EMBEDDINGS).collect()
    library.look_again()
    assert library.snapshot("shop").scan(EMBEDDINGS).collect().height == 12
    assert ProjectTable(lake, EMBEDDINGS, "shop").inputs() == 11


def write(lake: Lake, day: dt.date, name: str) -> None:
    rows = pl.DataFrame([event(1, day, "a text")]).select(PART_SCHEMA.names())
    write_part(lake, "shop", day, f"{name}.parquet", rows)


def inputs(lake: Lake) -> int | None:
    return follow(lake, EMBEDDINGS).get("shop/inputs/")


def n_files(library: Library) -> int:
    return len(library.snapshot("shop").files(EMBEDDINGS))


def sources(lake: Lake) -> list[str]:
    return [part.source for part in list_parts(lake)]


def listing(lake: Lake, folder: str) -> str:
    prefix = f"{lake.root.partition('/')[2].lstrip('/').partition('/')[2]}/{folder}/"
    return Request("GET", "", {"list-type": "2", "prefix": prefix}).words.partition("?")[2]
