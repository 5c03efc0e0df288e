"""A small lake with planted topics, taken through the whole pipeline once, and what the tests do with copies of it."""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turret_pipeline.lake import store
from turret_pipeline.lake.parts import PART_SCHEMA, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import ANNOTATIONS, SAVED_VIEWS, TABLES, TOPIC_NOTES
from turret_pipeline.stages import STAGE_OF, STAGES, embeddings
from turret_pipeline.stages.work import Outcome, Work

PROJECT = "shop"
DAYS = [dt.date(2026, 10, 1), dt.date(2026, 10, 2), dt.date(2026, 10, 3)]
CHUNK_TEXTS = 100
"""Smaller than in the product, so that the small lake's texts come in several chunks."""

THEMES = {
    "refund": ["money back", "a refund", "my payment returned", "reimbursement", "the charge reversed"],
    "delivery": ["my parcel", "the delivery van", "the courier", "the shipment", "the package"],
    "password": ["my password", "the login code", "signing in", "account access", "two factor codes"],
    "recipe": ["a soup recipe", "baking bread", "cooking pasta", "roasting vegetables", "a chocolate cake"],
}
FRAMES = [
    "how do I get {} for order {}",
    "tell me about {} please, case {}",
    "there is a problem with {} since day {}",
    "can you help with {} in step {}",
]

EXCHANGED = {65: 1, 66: 1, 69: 1, 70: -1, 71: -1, 72: -1}
"""By number of a day's event: how many sessions further on it lies than five to a session would have it."""

Row = dict[str, Any]


def event(number: int, day: dt.date, text: str | None = None, **changes: Any) -> Row:
    """Return one raw event, received `number` seconds into `day`; `changes` replace columns."""
    at = dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(seconds=number)
    metadata: dict[str, Any] = {"plan": ("free", "pro", "team")[number % 3], "latency_ms": 100 + number * 7 % 900}
    if text is not None:
        metadata["prompt"] = text
    row = {
        "event_id": f"e{number}",
        "session_id": f"s{number // 5}",
        "user_id": f"u{number // 10}",
        "name": "user_prompt",
        "timestamp": at,
        "received_at": at,
        "seq": number,
        "metadata": json.dumps(metadata),
    }
    return row | changes


def put(lake: Lake, day: dt.date, part: str, rows: list[Row], project: str = PROJECT) -> None:
    """Write raw events as the part `part` of a day of receipt."""
    write_part(lake, project, day, f"{part}.parquet", pl.DataFrame(rows, schema=PART_SCHEMA))


def planted_rows() -> list[Row]:
    """Return 240 events of four themes over `DAYS`, 80 a day; sessions go from theme to theme.

    Two sessions of each day go back and forth between two themes.
    """
    rows = []
    themes = list(THEMES.values())
    for number in range(240):
        words = themes[(number + number // 5) % 4]
        frame = FRAMES[number // 4 % len(FRAMES)]
        session = number // 5 + EXCHANGED.get(number % 80, 0)
        text = frame.format(words[number // 16 % 5], number)
        rows.append(event(number, DAYS[number // 80], text, session_id=f"s{session}"))
    return rows


def bring(
    lake: Lake, project: str = PROJECT, *, until: str = "journey_edges", full_refresh: bool = False
) -> dict[str, Outcome]:
    """Take a project through all stages (up to that of the table `until`); return what became of each table."""
    work = Work(lake, project, full_refresh=full_refresh)
    outcomes: list[Outcome] = []
    for stage in STAGES:
        outcomes += stage.bring(work)
        if stage.table.name == until:
            break
    return {outcome.table: outcome for outcome in outcomes}


def bring_one(table: str, work: Work, days: Collection[dt.date] | None = None) -> Outcome:
    """Run the stage of one table; return what became of the table."""
    return next(outcome for outcome in STAGE_OF[table].bring(work, days) if outcome.table == table)


def tables(lake: Lake, project: str = PROJECT) -> dict[str, pl.DataFrame]:
    """Return all rows of a project, by table; `builds`, which tells times, is left out."""
    return {
        name: store.read(lake, table, project).sort(*table.key) for name, table in TABLES.items() if name != "builds"
    }


def files(lake: Lake, project: str = PROJECT) -> dict[str, list[tuple[str, str]]]:
    """Return partition and SHA-256 of each data file of a project, by table; `builds`, which tells times, is left out.

    Equal ones mean: the same rows in the same order, with the same bytes of every value.
    """
    found = {}
    for name, table in TABLES.items():
        opened = None if name == "builds" else store.open_table(lake, table)
        if opened is not None:
            paths = [Path(path) for path in store.project_files(opened, project)]
            root = Path(lake.table(name))
            found[name] = sorted(
                (str(path.relative_to(root).parent), hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths
            )
    return found


def versions(lake: Lake) -> dict[str, int | None]:
    """Return the newest version of each table."""
    return {name: store.version(lake, table) for name, table in TABLES.items()}


def copied(folder: Path, to: Path) -> Path:
    """Copy a lake and return the copy; the model, a large file that nothing changes, is shared."""

    def copy(source: str, target: str) -> None:
        (os.link if "models" in Path(source).relative_to(folder).parts else shutil.copy2)(source, target)

    return Path(shutil.copytree(folder, to, copy_function=copy))


@pytest.fixture(autouse=True, scope="session")
def small_chunks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embeddings, "CHUNK_TEXTS", CHUNK_TEXTS)
        yield


@pytest.fixture
def lake(tmp_path: Path, keep_model: Callable[[Lake], None]) -> Lake:
    """A lake with nothing in it but the embedding model."""
    made = Lake(str(tmp_path / "lake"))
    made.make()
    keep_model(made)
    return made


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory, keep_model: Callable[[Lake], None]) -> dict[str, Path]:
    """The small lake as it was before each table, by its name, and at the `end`; not to be written to.

    It is built once, for all workers of this run.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else folder) / "small-lakes"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "end").is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            _grow(folder, keep_model)
    return {each.name: each for each in folder.iterdir()}


def _grow(folder: Path, keep_model: Callable[[Lake], None]) -> None:
    lake = Lake(str(folder / "growing"))
    lake.make()
    keep_model(lake)
    rows = planted_rows()
    for number, day in enumerate(DAYS):
        of_day = rows[number * 80 : number * 80 + 80]
        put(lake, day, f"a-{number}", of_day[:50])
        # Another collector: the rest of the day, and some events that were sent to both.
        put(lake, day, f"b-{number}", of_day[45:])
    for stage in STAGES:
        copied(Path(lake.root), folder / stage.table.name)
        stage.bring(Work(lake, PROJECT))
    Path(lake.root).rename(folder / "end")


@pytest.fixture
def lake_before(before: dict[str, Path], tmp_path: Path) -> Callable[[str], Lake]:
    """Return a copy of the small lake as it was before a table was made (or at the `end`)."""

    def copy(stage: str) -> Lake:
        return Lake(str(copied(before[stage], tmp_path / f"before-{stage}")))

    return copy


@pytest.fixture(scope="session")
def undisturbed(before: dict[str, Path]) -> dict[str, pl.DataFrame]:
    """All tables of the small lake as an undisturbed build leaves them."""
    return tables(Lake(str(before["end"])))


def write_down(lake: Lake, project_id: str) -> None:
    """After this call the project has an annotation, a note and a saved view."""
    at = dt.datetime.now(dt.UTC)
    common = {"project_id": project_id, "decided_at": at, "author": None}
    rows = (
        (ANNOTATIONS, {"annotation_id": "ann_1", "date": at.date(), "until": None, "kind": None, "text": "Version 2"}),
        (TOPIC_NOTES, {"field": "prompt", "note_id": "note_1", "topic_id": "t_1", "text": "Look here"}),
        (SAVED_VIEWS, {"view_id": "view_1", "name": "Cards", "address": "/topics"}),
    )
    for table, row in rows:
        store.append(lake, table, pl.DataFrame([common | row], schema=table.schema))
