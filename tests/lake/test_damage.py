"""Damaged files of the lake: no reader takes one for what was written, and what is found is named."""

from __future__ import annotations

import datetime as dt
import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from turret_pipeline.lake import store, sums
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.damage import Damage, DamageError, note, notes
from turret_pipeline.lake.inspection import damage_of_parts, damage_of_table, standing
from turret_pipeline.lake.marks import MarkLog
from turret_pipeline.lake.parts import PART_SCHEMA, list_parts, read_parts, remove_files, take_back, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_TOTALS
from turret_pipeline.lake.upkeep import compact, remove_old_files

DAY = dt.date(2026, 11, 20)
PROJECTS = ("hotel", "shop")


def rows(project: str, *fields: str) -> pl.DataFrame:
    given = {"project_id": project, "field": list(fields), "evidence": [f"{{}} of {field}" for field in fields]}
    return pl.DataFrame(given, schema=FIELD_TOTALS.schema)


def events(n: int = 20) -> pl.DataFrame:
    at = dt.datetime.combine(DAY, dt.time(12), dt.UTC)
    given = [
        {
            "event_id": f"e{i}",
            "session_id": "s",
            "user_id": "u",
            "name": "said",
            "timestamp": at,
            "received_at": at,
            "seq": i,
            "metadata": json.dumps({"prompt": f"where is order {i}"}),
        }
        for i in range(n)
    ]
    return pl.DataFrame(given, schema=PART_SCHEMA)


@functools.cache
def written(folder: Path) -> Lake:
    """Return a lake with a table of two projects, past a checkpoint, and a raw part of each."""
    lake = Lake(str(folder / "lake"))
    for project in PROJECTS:
        ProjectTable(lake, FIELD_TOTALS, project).append(rows(project, "prompt", "plan"), inputs=7)
        write_part(lake, project, DAY, "a-1.parquet", events())
    opened = store.open_table(lake, FIELD_TOTALS)
    assert opened is not None
    opened.create_checkpoint()
    sums.seal(lake, f"{log_of(lake)}/{opened.version():020d}.checkpoint.parquet", keep_copy=True)
    for n in range(3):
        ProjectTable(lake, FIELD_TOTALS, "shop").append(rows("shop", f"more-{n}"))
    return lake


@pytest.fixture
def lake(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Lake:
    first = written(tmp_path_factory.getbasetemp() / "written")
    return Lake(str(shutil.copytree(first.root, tmp_path / "lake")))


def log_of(lake: Lake) -> str:
    return f"{lake.table(FIELD_TOTALS.name)}/_delta_log"


def data_file(lake: Lake, project: str = "shop") -> Path:
    return sorted(Path(lake.table(FIELD_TOTALS.name)).glob(f"project_id={project}/*.parquet"))[0]


def part_file(lake: Lake) -> Path:
    return Path(lake.events_folder("shop", DAY)) / "a-1.parquet"


FILES: dict[str, Callable[[Lake], Path]] = {
    "the newest commit": lambda lake: sorted(Path(log_of(lake)).glob("*.json"))[-1],
    "a commit between": lambda lake: sorted(Path(log_of(lake)).glob("*.json"))[-2],
    "the checkpoint": lambda lake: next(Path(log_of(lake)).glob("*.checkpoint.parquet")),
    "a data file": data_file,
    "a part": part_file,
}


def flip(file: Path, position: int, by: int = 0x40) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= by
    file.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "emptied": lambda file: file.write_bytes(b""),
    "cut in half": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "flipped at the start": lambda file: flip(file, 5),
    "flipped in the middle": lambda file: flip(file, file.stat().st_size // 2),
    "flipped at the end": lambda file: flip(file, -3),
    "deleted": lambda file: file.unlink(),
}


def everything(lake: Lake) -> list[Damage]:
    return [*damage_of_table(lake, FIELD_TOTALS), *damage_of_parts(lake)]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", FILES)
def test_damage_is_named_where_it_is_and_all_else_is_read(lake: Lake, kind: str, damage: str) -> None:
    before = {project: store.read(lake, FIELD_TOTALS, project) for project in PROJECTS}
    assert everything(lake) == []
    file = FILES[kind](lake)
    DAMAGES[damage](file)
    (found,) = everything(lake)
    if (kind, damage) == ("the checkpoint", "deleted"):  # what names it is what a reader finds
        file = file.with_name("_last_checkpoint")
    assert found.file == str(file.relative_to(lake.root))
    assert found.table == (None if kind == "a part" else "field_totals")
    assert found.words.endswith("; `turret doctor --mend` mends it.")
    if found.is_of_log:
        for read in (
            lambda: store.read(lake, FIELD_TOTALS, "hotel"),
            lambda: ProjectTable(lake, FIELD_TOTALS, "hotel"),
            *([lambda: MarkLog(lake, FIELD_TOTALS).catch_up()] if file.name != "_last_checkpoint" else []),
        ):
            with pytest.raises(DamageError, match="The table field_totals is damaged"):
                read()
    else:
        assert found.project_id == "shop"
        assert store.read(lake, FIELD_TOTALS, "hotel").equals(before["hotel"])
    if kind == "a data file":
        with pytest.raises((DamageError, FileNotFoundError)):
            store.read(lake, FIELD_TOTALS, "shop")
    if kind == "a part" and damage != "deleted":
        with pytest.raises(DamageError, match="A raw part of 2026-11-20 is damaged"):
            read_parts(lake, list_parts(lake, "shop"))
    assert read_parts(lake, list_parts(lake, "hotel")).height == 20


@tries(max_examples=60)
@given(where=st.floats(0, 1, exclude_max=True), by=st.integers(1, 255), kind=st.sampled_from(["a data file", "a part"]))
def test_a_flipped_byte_is_never_read_as_other_rows(
    tmp_path_factory: pytest.TempPathFactory, where: float, by: int, kind: str
) -> None:
    lake = written(tmp_path_factory.getbasetemp() / "written")
    file = FILES[kind](lake)
    content = file.read_bytes()
    flip(file, int(where * len(content)), by)
    try:
        with pytest.raises(DamageError):
            store.read(lake, FIELD_TOTALS, "shop") if kind == "a data file" else read_parts(
                lake, list_parts(lake, "shop")
            )
    finally:
        file.write_bytes(content)
    assert everything(lake) == []


@pytest.mark.parametrize("damage", ["emptied", "cut in half", "flipped at the end"])
@pytest.mark.parametrize("kind", ["a data file", "a part"])
def test_files_without_a_checksum_are_read_and_damage_of_them_is_found(lake: Lake, kind: str, damage: str) -> None:
    shutil.rmtree(Path(lake.root) / "sums")
    assert store.read(lake, FIELD_TOTALS, "shop").height == 5
    assert read_parts(lake, list_parts(lake)).height == 40
    assert everything(lake) == []
    file = FILES[kind](lake)
    DAMAGES[damage](file)
    assert [found.file for found in everything(lake)] == [str(file.relative_to(lake.root))]


def test_a_damaged_checksum_is_as_none(lake: Lake) -> None:
    for file in (file for file in (Path(lake.root) / "sums").rglob("*") if file.is_file()):
        flip(file, 3)
    assert everything(lake) == []
    assert store.read(lake, FIELD_TOTALS, "shop").height == 5


def test_a_file_that_changes_after_it_was_read_is_not_read_again(lake: Lake) -> None:
    assert store.read(lake, FIELD_TOTALS, "shop").height == 5
    flip(data_file(lake), 100)
    with pytest.raises(DamageError):
        store.read(lake, FIELD_TOTALS, "shop")


def test_parts_that_were_removed_or_taken_back_are_not_missed(lake: Lake) -> None:
    remove_files(lake, list_parts(lake, "hotel"))
    take_back(lake, "shop", "a", b"{}")
    part_file(lake).unlink()
    assert everything(lake) == []


def test_damage_is_not_put_together_with_what_is_sound(lake: Lake) -> None:
    flip(data_file(lake), 100)
    with pytest.raises(DamageError):
        compact(lake, FIELD_TOTALS, "shop", most_files=1)
    with pytest.raises(DamageError):
        ProjectTable(lake, FIELD_TOTALS, "shop").remove("field", pl.Series(["plan"]))


def test_what_is_put_together_and_cleaned_away_leaves_no_checksum_behind(lake: Lake) -> None:
    compact(lake, FIELD_TOTALS, "shop", most_files=1)
    remove_old_files(lake, FIELD_TOTALS, dt.timedelta(0))
    root, sealed = Path(lake.root), Path(lake.root) / "sums"
    left = {file.relative_to(sealed) for file in sealed.glob("tables/**/*.parquet")}
    assert left == {file.relative_to(root) for file in root.glob("tables/**/*.parquet")}
    assert everything(lake) == []


def test_a_note_tells_of_damage_until_it_is_mended(lake: Lake) -> None:
    content = data_file(lake).read_bytes()
    flip(data_file(lake), 100)
    (found,) = everything(lake)
    note(lake, found)
    note(lake, found)
    assert notes(lake) == [found] == standing(lake) == standing(lake, "shop")
    assert standing(lake, "hotel") == []
    data_file(lake).write_bytes(content)
    assert standing(lake) == [] == notes(lake)
