"""Of several processes that need the embedding model converted, one converts it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

import pytest

from turret_pipeline.embedder import open as opening
from turret_pipeline.embedder.embed import Embedder, model_key
from turret_pipeline.embedder.kept import read_model, write_model
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.embedder.runtime import ConvertedModel, ModelFacts
from turret_pipeline.lake.locks import in_turn
from turret_pipeline.lake.paths import Lake

MODEL = ConvertedModel(b"<net/>", b"weights", b"{}", ModelFacts(384, 256, 0, ""))


class Converting:
    """Stands for torch: says how often it converted, and waits meanwhile until it may go on."""

    def __init__(self) -> None:
        self.times = 0
        self.begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self, model: str | None, converted: ConvertedModel | None, *, n_threads: int) -> Embedder:
        if converted is None:
            self.times += 1
            self.begun.set()
            assert self.may_end.wait(60)
        return Embedder(model_key(model), 384, None, converted or MODEL)  # type: ignore[arg-type]


class Nothing(dict[str, Embedder]):
    """Stands for what a process has open: what it is told, it forgets."""

    def __setitem__(self, key: str, embedder: Embedder) -> None:
        pass


@pytest.fixture
def converting(monkeypatch: pytest.MonkeyPatch) -> Converting:
    converting = Converting()
    monkeypatch.setattr(opening, "open_embedder", converting)
    monkeypatch.setattr(opening, "_open", Nothing())  # threads stand for processes, of which each opens its own
    return converting


def started(do: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    return thread


def test_one_process_converts_the_model_and_the_others_wait_for_it(
    tmp_path: Path, database_url: str, converting: Converting
) -> None:
    lake, waiting = Lake(str(tmp_path)), threading.Semaphore(0)

    def turn(patience_s: float) -> object:
        waiting.release()
        return in_turn(database_url, lake, "model", patience_s)

    open_it = partial(open_lake_embedder, lake, None, partial(turn, 60))  # type: ignore[arg-type]
    threads = [started(open_it) for _ in range(3)]
    for _ in threads:  # each has found that the lake keeps no model
        assert waiting.acquire(timeout=60)
    converting.may_end.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert converting.times == 1
    assert read_model(lake, model_key(None)) == MODEL


def test_a_process_that_has_waited_long_enough_converts_the_model_itself(
    tmp_path: Path, database_url: str, converting: Converting
) -> None:
    lake = Lake(str(tmp_path))
    stuck = started(lambda: open_lake_embedder(lake, None, partial(in_turn, database_url, lake, "model", 60)))
    assert converting.begun.wait(60)
    other = started(lambda: open_lake_embedder(lake, None, partial(in_turn, database_url, lake, "model", 0.1)))
    while converting.times < 2:
        other.join(0.05)
    converting.may_end.set()
    for thread in (stuck, other):
        thread.join(60)
        assert not thread.is_alive()


def test_a_model_that_the_lake_keeps_waits_for_no_turn(tmp_path: Path, converting: Converting) -> None:
    lake = Lake(str(tmp_path))
    write_model(lake, model_key(None), MODEL)
    assert open_lake_embedder(lake, None, lambda: pytest.fail("took a turn")).converted == MODEL


def test_a_model_that_is_open_is_not_opened_again_and_each_lake_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converting, lakes = Converting(), [Lake(str(tmp_path / name)) for name in ("a", "b")]
    converting.may_end.set()
    monkeypatch.setattr(opening, "open_embedder", converting)
    monkeypatch.setattr(opening, "_open", WeakValueDictionary())
    first = open_lake_embedder(lakes[0], None)
    assert [open_lake_embedder(lake, None) for lake in lakes * 2] == [first] * 4 and converting.times == 1
    assert [read_model(lake, first.key) for lake in lakes] == [MODEL, MODEL]
    assert open_lake_embedder(lakes[0], "other") is not first and converting.times == 2
    del first
    open_lake_embedder(Lake(str(tmp_path / "c")), None)
    assert converting.times == 3
