"""How far events that wait have come, on a lake that is built step by step."""

from __future__ import annotations

from collections.abc import Callable

from tests.small_lake import DAYS, PROJECT, event, planted_rows, put
from tests.small_lake import before as before
from tests.small_lake import lake_before as lake_before
from turret_api.read.engine.library import Library
from turret_api.read.views.building import Progress, progress_of
from turret_pipeline.lake.paths import Lake

N = len(planted_rows())
N_SENT_TWICE = 15


def progress(lake: Lake, *, do_parts_wait: bool = True) -> Progress:
    return progress_of(Library(lake).snapshot(PROJECT), do_parts_wait=do_parts_wait)


def test_it_follows_events_and_texts_from_table_to_table(lake_before: Callable[[str], Lake]) -> None:
    assert progress(lake_before("events")) == Progress(N + N_SENT_TWICE, 0, 0, 0)
    assert progress(lake_before("messages")) == Progress(N, N, 0, 0)
    assert progress(lake_before("embeddings")) == Progress(N, N, N, 0)
    done = progress(lake_before("text_kinds"))
    assert done == Progress(N, N, N, N) and done.is_done


def test_parts_that_came_since_are_received_but_not_built_in(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    put(lake, DAYS[-1], "c-9", [event(900 + number, DAYS[-1], "and what now?") for number in range(7)])
    found = progress(lake)
    assert (found.n_received, found.n_events, found.is_done) == (N + 7, N, False)
    assert progress(lake, do_parts_wait=False).is_done, "a part that brought nothing new does not wait for ever"
