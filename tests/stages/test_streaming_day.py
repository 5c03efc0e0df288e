"""A day that fills up bit by bit: what came is looked at, not the day; and the day ends up as if it came at once."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, bring, event, put
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, FIELD_PROFILES, TEXT_KINDS
from turret_pipeline.lake.upkeep import compact
from turret_pipeline.stages import field_profiles

DAY = DAYS[0]


@pytest.fixture
def profiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events each call of `profile_fields` was given."""
    seen: list[int] = []
    real = field_profiles.profile_fields

    def counting(events: pl.DataFrame, *rest: object) -> pl.DataFrame:
        seen.append(events.height)
        return real(events, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(field_profiles, "profile_fields", counting)
    return seen


def receive(lake: Lake, first: int, n: int) -> None:
    put(lake, DAY, f"part{first}", [event(number, DAY) for number in range(first, first + n)])


def profiles(lake: Lake) -> pl.DataFrame:
    return store.read(lake, FIELD_PROFILES, PROJECT).sort("received_date", "month", "field")


def test_only_the_events_that_came_are_profiled_and_the_day_is_as_if_they_came_at_once(
    lake: Lake, tmp_path_factory: pytest.TempPathFactory, profiled: list[int]
) -> None:
    for first, n in ((0, 5), (5, 3), (8, 7)):
        receive(lake, first, n)
        bring(lake, until="field_profiles")
    assert profiled == [5, 3, 7]
    at_once = Lake(str(tmp_path_factory.mktemp("at-once")))
    at_once.make()
    receive(at_once, 0, 15)
    bring(at_once, until="field_profiles")
    assert profiles(lake).equals(profiles(at_once))


def test_a_day_is_profiled_whole_once_events_went_or_its_files_were_rewritten(lake: Lake, profiled: list[int]) -> None:
    for first in range(3):
        receive(lake, first, 1)
        bring(lake, until="field_profiles")
    compact(lake, EVENTS, PROJECT, most_files=1)
    receive(lake, 3, 1)
    bring(lake, until="field_profiles")
    # Received before the one that is there: it takes its place, and the day's rows are written anew.
    early = event(3, DAY)
    early["received_at"] = early["received_at"].replace(hour=0, minute=0)
    put(lake, DAY, "early", [early])
    bring(lake, until="field_profiles")
    assert profiled == [1, 1, 1, 4, 4]


def test_texts_that_came_are_told_once_each_and_those_of_a_killed_build_too(
    lake_before: Callable[[str], Lake],
) -> None:
    lake = lake_before("end")
    before = store.read(lake, TEXT_KINDS, PROJECT)
    put(
        lake,
        DAY,
        "more",
        [
            event(
                9000 + number,
                DAY,
                event_id=f"more-{number}",
                metadata=f'{{"prompt": "a text of its own, number {number}"}}',
            )
            for number in range(3)
        ],
    )
    bring(lake, until="text_kinds")
    after = store.read(lake, TEXT_KINDS, PROJECT)
    assert after.height == before.height + 3
    assert after["text_id"].is_unique().all()
