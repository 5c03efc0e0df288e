"""Heads of a lake on S3: what changed is seen at the next look, and nothing stays unseen for ever."""

from __future__ import annotations

import datetime as dt
import secrets
from collections import OrderedDict
from dataclasses import replace

import polars as pl
import pytest

from tests.lake.test_upkeep import texts
from tests.s3_server import Request, Store
from tests.small_lake import event
from turret_api.read.engine.library import Library
from turret_pipeline.lake import handles, heads, objects, part_listing, parts, small_files, store, upkeep
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.fingerprint import made_from
from turret_pipeline.lake.marks import follow
from turret_pipeline.lake.parts import PART_SCHEMA, Part, list_parts, list_projects, take_back, write_part
from turret_pipeline.lake.paths import Lake, Versions
from turret_pipeline.lake.tables import EMBEDDINGS, EVENTS, FIELD_OVERRIDES, JOURNEY_STEPS, MESSAGES, TOPIC_DAYS

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


def test_a_new_process_takes_days_that_are_over_from_a_note_while_nothing_late_comes(
    lake: Lake, bucket: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_listing, "NOTED_FROM", 3)
    for name in ("a-1", "a-2", "a-3"):
        write(lake, LONG_AGO, name)
    write(lake, TODAY, "a-4")
    assert len(list_parts(heads.look(lake))) == 4

    def anew() -> tuple[int, list[str]]:
        monkeypatch.setattr(heads, "_memory", {})
        with bucket.counting() as found:
            n = len(list_parts(heads.look(lake)))
        return n, [
            each.query.get("start-after", "all") for each in found if "/events/project" in each.query.get("prefix", "")
        ]

    write(lake, TODAY, "a-5")
    n, listings = anew()
    assert n == 5 and len(listings) == 1 and listings[0].endswith(f"date={TODAY - dt.timedelta(days=2)}")
    write(lake, LONG_AGO, "b-1")
    assert anew()[0] == 6 and anew() == (6, listings)
    take_back(lake, "shop", "b", b"{}")
    assert anew() == (5, listings)
    monkeypatch.setattr(part_listing, "LATE_S", 0.0)
    assert anew()[1] == ["all", *listings]
    parts.delete_project(lake, "shop", b"{}")
    assert anew() == (0, [])


def test_a_part_is_read_with_one_request_whatever_is_read_of_it(lake: Lake, bucket: Store) -> None:
    for number in range(20):
        write(lake, TODAY, f"a-{number:02d}")
    found_parts = list_parts(lake)
    with bucket.counting() as found:
        assert parts.read_parts(lake, found_parts).height == 20
        assert (
            [ids.len() for ids in parts.read_ids(lake, found_parts)] == parts.count_rows(lake, found_parts) == [1] * 20
        )
    assert sorted(each.words for each in found) == [f"GET {key(lake, part)}" for part in found_parts]
    parts.remove_files(lake, found_parts[:1])
    with pytest.raises(FileNotFoundError):
        parts.count_rows(lake, found_parts)


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


@pytest.mark.slow
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


def test_under_a_lock_a_table_is_looked_at_once_and_own_commits_are_seen(lake: Lake, bucket: Store) -> None:
    ProjectTable(lake, EMBEDDINGS, "shop").append(texts("shop", 1), inputs=1)
    locked = replace(lake, versions=Versions())
    assert ProjectTable(locked, EMBEDDINGS, "shop").inputs() == 1
    assert store.open_table(locked, MESSAGES) is None
    with bucket.counting() as found:
        held = ProjectTable(locked, EMBEDDINGS, "shop")
        assert held.inputs() == 1 and store.open_table(locked, MESSAGES) is None
    assert found == []
    ProjectTable(locked, EMBEDDINGS, "shop").append(texts("shop", 2), inputs=2)
    again = ProjectTable(locked, EMBEDDINGS, "shop")
    assert (held.inputs(), again.inputs(), again.read().height) == (1, 2, 2)
    # Another project's writer, without our lock: its commit is in nobody's way.
    ProjectTable(lake, EMBEDDINGS, "other").append(texts("other", 3), inputs=3)
    ProjectTable(locked, EMBEDDINGS, "shop").append(texts("shop", 4), inputs=4)
    assert ProjectTable(locked, EMBEDDINGS, "shop").read().height == 3
    assert [ProjectTable(lake, EMBEDDINGS, each).inputs() for each in ("shop", "other")] == [4, 3]


@pytest.mark.parametrize("most_bytes", [small_files.MOST_BYTES, 1])
def test_under_a_lock_small_files_are_read_once_and_rows_are_the_same(
    lake: Lake, bucket: Store, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    monkeypatch.setattr(small_files, "MOST_BYTES", most_bytes)
    columns = {"project_id": pl.lit("shop"), "part": pl.lit("a-1.parquet")}
    for n, day in enumerate((TODAY, LONG_AGO, TODAY)):
        rows = pl.DataFrame([event(n, day, "a text")]).with_columns(**columns, received_date=pl.lit(day))
        ProjectTable(lake, EVENTS, "shop").append(rows.select(EVENTS.schema.names()).cast(EVENTS.schema))
    expected = store.read(lake, EVENTS, "shop")
    locked = replace(lake, versions=Versions())
    assert store.read(locked, EVENTS, "shop").equals(expected)
    with bucket.counting() as found:
        for day in (TODAY, LONG_AGO):
            of_day = store.scan(locked, EVENTS, "shop").filter(pl.col("received_date") == day).collect()
            assert of_day.equals(expected.filter(pl.col("received_date") == day))
    assert (found == []) == (most_bytes > 1)


def test_from_one_lock_to_the_next_only_tables_whose_heads_moved_are_looked_at(lake: Lake, bucket: Store) -> None:
    for table, rows in ((EMBEDDINGS, texts("shop", 1)), (MESSAGES, MESSAGES.empty())):
        ProjectTable(lake, table, "shop").append(rows, inputs=1)
    first = replace(heads.look(lake), versions=Versions())
    assert first.versions is not None
    for table in (EMBEDDINGS, MESSAGES):
        ProjectTable(first, table, "shop").set_inputs(2)
    ProjectTable(lake, MESSAGES, "shop").set_inputs(3)
    second = replace(heads.look(lake), versions=first.versions)
    assert second.versions is not None and second.look is not None
    second.versions.keep(second.look.tags)
    with bucket.counting() as found:
        assert [ProjectTable(second, table, "shop").inputs() for table in (EMBEDDINGS, MESSAGES)] == [2, 3]
    assert not [each for each in found if "embeddings" in each.words and not each.key]
    assert [each for each in found if "messages" in each.words and not each.key]


def test_what_people_wrote_is_looked_for_under_a_lock_too(lake: Lake) -> None:
    locked = replace(lake, versions=Versions())
    assert store.read(locked, FIELD_OVERRIDES, "shop").is_empty()
    for n in range(2):
        store.append(lake, FIELD_OVERRIDES, decision(f"field-{n}"))
        assert store.read(locked, FIELD_OVERRIDES, "shop").height == n + 1


def test_what_came_since_a_version_is_told_by_the_commits_since(lake: Lake, bucket: Store) -> None:
    for number in range(3):
        ProjectTable(lake, EMBEDDINGS, "shop").append(texts("shop", number))
        ProjectTable(lake, EMBEDDINGS, "other").append(texts("other", number))
    table = ProjectTable(lake, EMBEDDINGS, "shop")
    with bucket.counting() as found:
        came = table.added_since(table.seen - 4)
        assert came is not None and table.only_appended_since(table.version - 4)
    assert len(found) == 8 and {each.method for each in found} == {"GET"}
    assert came.collect()["text_id"].sort().to_list() == texts("shop", 1, 2)["text_id"].to_list()
    assert table.only_appended_since(table.version)
    upkeep.compact(lake, EMBEDDINGS, "shop", most_files=1)
    table = ProjectTable(lake, EMBEDDINGS, "shop")
    assert table.added_since(table.seen - 1) is None


@pytest.mark.slow
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


def decision(field: str) -> pl.DataFrame:
    at = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    given = {"project_id": ["shop"], "field": [field], "decided_at": [at], "type": ["enum"]}
    return pl.DataFrame(given, schema=FIELD_OVERRIDES.schema)


def test_whether_counts_are_of_the_steps_is_told_without_a_request_on_an_unchanged_lake(
    lake: Lake, bucket: Store
) -> None:
    def commit(steps: int | None = None, counted: int | None = None) -> None:
        if steps is not None:
            ProjectTable(lake, JOURNEY_STEPS, "shop").append(JOURNEY_STEPS.empty(), marks={"state": steps})
        if counted is not None:
            inputs = made_from(3, counted, None, None)
            ProjectTable(lake, TOPIC_DAYS, "shop", 3).append(TOPIC_DAYS.empty(), inputs=inputs)

    def is_of_steps() -> bool:
        library.look_again()
        return library.snapshot("shop").is_of_steps(TOPIC_DAYS)

    commit(steps=7, counted=7)
    library = Library(lake)
    assert is_of_steps()
    commit(steps=8)
    assert not is_of_steps()
    commit(counted=8)
    assert is_of_steps()
    with bucket.counting() as found:
        assert is_of_steps()
    assert [each.words for each in found] == [f"GET ?{listing(lake, 'heads')}"]


def n_files(library: Library) -> int:
    return len(library.snapshot("shop").files(EMBEDDINGS))


def sources(lake: Lake) -> list[str]:
    return [part.source for part in list_parts(lake)]


def key(lake: Lake, part: Part) -> str:
    return parts.part_file(lake, part).removeprefix("s3://").partition("/")[2]


def listing(lake: Lake, folder: str) -> str:
    prefix = f"{lake.root.partition('/')[2].lstrip('/').partition('/')[2]}/{folder}/"
    return Request("GET", "", {"list-type": "2", "prefix": prefix}).words.partition("?")[2]


def test_of_objects_that_never_change_those_asked_for_last_are_kept_within_bounds(
    lake: Lake, bucket: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [f"{lake.root}/kept/{number}" for number in range(4)]
    for address in addresses:
        objects.write(lake, address, b"x" * 1000)
    monkeypatch.setattr(objects, "_kept", OrderedDict())
    monkeypatch.setattr(objects, "_n_kept_bytes", 0)
    monkeypatch.setattr(objects, "MOST_KEPT_BYTES", 2 * (1000 + len(addresses[0])))
    with bucket.counting() as found:
        for number in (0, 1, 0, 2, 0, 1):  # 1 was let go for 2, and 2 for 1
            assert objects.read_kept(lake, addresses[number]) == b"x" * 1000
    assert len(found) == 4
    objects.write(lake, addresses[0], b"other")
    with bucket.counting() as found:
        assert objects.read_kept(lake, addresses[0]) == b"other"
        assert [objects.read_kept(lake, addresses[3], at_most=10) for _ in range(3)] == [None] * 3
    assert len(found) == 2
