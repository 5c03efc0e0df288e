"""What a foreground build does for a project: by range of days, by table, in one run or several."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.small_lake import DAYS, PROJECT, bring, event, put
from turret_pipeline.lake.paths import Lake
from turret_pipeline.orchestration.scope import Scope, runs_for
from turret_pipeline.stages import BY_DAY
from turret_pipeline.stages.pending import LakeNow, pending_stages

MONDAY, TUESDAY, WEDNESDAY = DAYS


@pytest.fixture(scope="module")
def lake_of_days(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Three days of events without text, built; a late part of Tuesday that is not. It is not written to again."""
    lake = Lake(str(tmp_path_factory.mktemp("scope") / "lake"))
    lake.make()
    for number, day in enumerate(DAYS):
        put(lake, day, "a", [event(number, day)])
    bring(lake)
    put(lake, TUESDAY, "late", [event(9, TUESDAY)])
    return lake


def planned(lake: Lake, **wish: object) -> tuple[list[list[dt.date]], bool, bool]:
    """Return the days of each run, and whether tables of the project are brought up to date, and anew."""
    found = runs_for(LakeNow(lake), PROJECT, pending_stages(lake, None, [PROJECT])[PROJECT], Scope(**wish))  # type: ignore[arg-type]
    return [list(run) for run in found.runs], bool(found.by_project), found.refresh_project


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({}, ([[TUESDAY]], True, False)),
        ({"first": WEDNESDAY}, ([], False, False)),
        ({"full_refresh": True}, ([DAYS], True, True)),
        ({"full_refresh": True, "days_per_run": 2}, ([[MONDAY, TUESDAY], [WEDNESDAY]], True, True)),
        ({"first": MONDAY, "last": TUESDAY, "full_refresh": True}, ([[MONDAY, TUESDAY]], True, False)),
        (
            {"last": MONDAY, "tables": frozenset({"events"}), "full_refresh": True},
            ([[MONDAY]], False, True),
        ),
        ({"tables": frozenset({"topics"}), "full_refresh": True}, ([], True, True)),
        ({"tables": frozenset({"topics"})}, ([], False, False)),
    ],
)
def test_only_what_is_wished_for_is_planned(
    lake_of_days: Lake, wish: dict[str, object], expected: tuple[list[list[dt.date]], bool, bool]
) -> None:
    assert planned(lake_of_days, **wish) == expected


def test_a_day_that_has_not_begun_waits_for_it(lake: Lake) -> None:
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    put(lake, tomorrow, "from-a-fast-clock", [event(1, tomorrow)])
    assert planned(lake)[0] == []


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Scope(tables=frozenset({"eventz"})), "'eventz' is not the name of a table"),
        (Scope(first=WEDNESDAY, last=MONDAY), "is after --to"),
        (Scope(first=MONDAY, tables=frozenset({"topics"})), "are kept by day of receipt"),
    ],
)
def test_a_wish_that_contradicts_itself_is_said_in_words(wish: Scope, words: str) -> None:
    assert words in (wish.contradiction() or "")


def test_the_tables_by_day_are_those_that_the_plan_takes_for_them() -> None:
    assert {"events", "field_profiles"} == BY_DAY
