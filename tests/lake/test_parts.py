import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turret_pipeline import failpoint
from turret_pipeline.lake import parts
from turret_pipeline.lake.paths import Lake, ProjectIdError

NOW = dt.datetime(2026, 10, 1, 12, tzinfo=dt.UTC)
DAY = NOW.date()


def events(*event_ids: str) -> pl.DataFrame:
    row = {"session_id": "s", "user_id": "u", "name": "n", "timestamp": NOW, "received_at": NOW, "metadata": "{}"}
    rows = [row | {"event_id": event_id, "seq": seq} for seq, event_id in enumerate(event_ids)]
    return pl.DataFrame(rows, schema=parts.PART_SCHEMA)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "a lake"))


def test_a_part_comes_back_as_it_was_written(lake: Lake) -> None:
    parts.write_part(lake, "shop", DAY, "w0-1-2.parquet", events("a", "b"))

    (found,) = parts.list_parts(lake)

    assert (found.project_id, found.received_date, found.name) == ("shop", DAY, "w0-1-2.parquet")
    assert parts.read_parts(lake, [found]).drop("part").equals(events("a", "b"))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_any_text_survives_the_way_through_a_part(tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> None:
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    parts.write_part(lake, "shop", DAY, "w.parquet", events(*ids))
    assert parts.read_parts(lake, parts.list_parts(lake))["event_id"].to_list() == ids


def test_writing_the_same_rows_twice_leaves_the_same_file(lake: Lake) -> None:
    parts.write_part(lake, "shop", DAY, "w.parquet", events("a"))
    (file,) = Path(lake.root, "events").rglob("*.parquet")
    first = file.read_bytes()
    parts.write_part(lake, "shop", DAY, "w.parquet", events("a"))
    assert [each.read_bytes() for each in Path(lake.root, "events").rglob("*.parquet")] == [first]


class KilledError(Exception):
    pass


def test_a_part_cut_short_is_not_seen_and_is_whole_after_the_next_try(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(name: str) -> None:
        if name == "part.mid_file":
            raise KilledError

    monkeypatch.setattr(failpoint, "on_reached", die)
    with pytest.raises(KilledError):
        parts.write_part(lake, "shop", DAY, "w.parquet", events("a"))
    assert parts.list_parts(lake) == []

    monkeypatch.setattr(failpoint, "on_reached", None)
    parts.write_part(lake, "shop", DAY, "w.parquet", events("a"))
    assert parts.read_parts(lake, parts.list_parts(lake))["event_id"].to_list() == ["a"]


@pytest.mark.parametrize("project_id", ["..", "a/b", "ab", "Shop", "-shop", "shop'", "s" * 64, ""])
def test_no_project_id_of_a_clients_making_becomes_a_path(lake: Lake, project_id: str) -> None:
    with pytest.raises(ProjectIdError):
        parts.write_part(lake, project_id, DAY, "w.parquet", events("a"))


@pytest.mark.parametrize("name", ["../w.parquet", ".w.parquet", "w", "a/b.parquet", "w.parquet\n"])
def test_a_part_has_a_plain_file_name(lake: Lake, name: str) -> None:
    with pytest.raises(ValueError, match="part's file name"):
        parts.write_part(lake, "shop", DAY, name, events("a"))


def test_strange_files_beside_the_parts_are_passed_over(lake: Lake) -> None:
    parts.write_part(lake, "shop", DAY, "w.parquet", events("a"))
    (Path(lake.root) / "events" / "notes.txt").write_text("x")
    (Path(lake.root) / "events" / "project=shop" / "stray.parquet").write_text("x")
    assert [part.name for part in parts.list_parts(lake)] == ["w.parquet"]
    assert parts.list_projects(lake) == ["shop"]
