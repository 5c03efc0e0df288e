"""What workers make of the chunks of a stage is, to the byte, what one process makes of them."""

from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.command.fanned_out import SMALL_CHUNKS
from tests.small_lake import DAYS, PROJECT, copied, event, files, put
from tests.stages.test_defined_topics import OURS, SAID
from turret_pipeline.fanout import Fanout, in_process
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TOPIC_ASSIGNMENTS, TOPIC_EDITS
from turret_pipeline.semantics.definitions import Definition
from turret_pipeline.stages import STAGES
from turret_pipeline.stages.work import Work

SPREAD = {
    "field_profiles",
    "embeddings",
    "topics",
    "journey_steps",
    "topic_days",
    "step_values",
    "friction",
    "journey_moves",
    "answers",
}


class Workers:
    """What a worker does with each chunk, in this process: it has nothing but what can be pickled."""

    def __init__(self) -> None:
        self.n_chunks = 0

    def __call__(self, function: Callable[[Any], Any], chunks: Iterable[Any], here: object = None) -> Iterator[Any]:
        for chunk in chunks:
            self.n_chunks += 1
            called, given = pickle.loads(pickle.dumps((function, chunk)))
            yield pickle.loads(pickle.dumps(called(given)))


def define(lake: Lake, number: int, counter_examples: tuple[str, ...] = ()) -> None:
    value = Definition(OURS, "Cooking", SAID, counter_examples).value
    row = (PROJECT, "prompt", OURS, "define", value, dt.datetime(2026, 10, 4, number, tzinfo=dt.UTC))
    store.append(lake, TOPIC_EDITS, pl.DataFrame([row], schema=TOPIC_EDITS.schema, orient="row"))


def change(lake: Lake) -> None:
    """Define the topic otherwise; sessions of each day go on, and new ones begin."""
    define(lake, 2, ("baking bread in the evening",))
    for number, day in enumerate(DAYS):
        rows = [event(1000 + 10 * number + n, day, f"where is my parcel {number} {n}") for n in range(10)]
        going_on = [row | {"session_id": f"s{16 * number + n}"} for n, row in enumerate(rows[:5])]
        put(lake, day, "c", going_on + rows[5:])


def bring(lake: Lake, fanout: Fanout) -> Iterator[tuple[str, int]]:
    """Bring all tables up to date; yield for each stage how many chunks workers had."""
    for stage in STAGES:
        before = getattr(fanout, "n_chunks", 0)
        stage.bring(Work(lake, PROJECT, fanout=fanout))
        yield stage.table.name, getattr(fanout, "n_chunks", 0) - before


@pytest.fixture
def lakes(before: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Lake, Lake]:
    """Two lakes with the same events, whose sessions go over days; what is done in chunks has several."""
    for module, name, value in SMALL_CHUNKS:
        monkeypatch.setattr(module, name, value)
    given = Lake(str(copied(before["events"], tmp_path / "given")))
    define(given, 1)
    late = [event(2000 + n, DAYS[1], f"tell me about a soup recipe {n}", session_id=f"s{n}") for n in range(20)]
    put(given, DAYS[1], "late", late)
    return given, Lake(str(copied(Path(given.root), tmp_path / "spread")))


@pytest.mark.slow
def test_workers_leave_the_files_that_one_process_leaves(lakes: tuple[Lake, Lake]) -> None:
    alone, spread = lakes
    for changed in (False, True):
        if changed:
            for lake in lakes:
                change(lake)
        dict(bring(alone, in_process))
        n_chunks = dict(bring(spread, Workers()))
        assert {name for name, n in n_chunks.items() if n > 1} >= SPREAD
        assert files(spread) == files(alone)
    assigned = store.read(spread, TOPIC_ASSIGNMENTS, PROJECT)["topic_id"]
    assert (assigned == OURS).sum() >= 7
