"""`events`: each event of a project once, the first received winning, however its parts come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import polars as pl
import pytest
from deltalake.exceptions import CommitFailedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.small_lake import DAYS, PROJECT, bring_one, event, put
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.stages import events
from turret_pipeline.stages.work import Work

MONDAY, TUESDAY, WEDNESDAY = DAYS


def receipts(lake: Lake) -> dict[str, tuple[dt.date, str]]:
    """Return the day and the part that each event is kept from."""
    rows = store.read(lake, EVENTS, PROJECT, "event_id", "received_date", "part")
    assert rows["event_id"].is_unique().all()
    return {name: (day, part) for name, day, part in rows.rows()}


def test_an_event_that_was_sent_again_is_kept_once_across_parts_days_and_collectors(lake: Lake) -> None:
    put(lake, MONDAY, "a", [event(1, MONDAY), event(2, MONDAY), event(2, MONDAY, seq=3)])
    put(lake, MONDAY, "b", [event(2, MONDAY), event(3, MONDAY)])
    put(lake, TUESDAY, "a", [event(1, TUESDAY), event(4, TUESDAY)])
    assert bring_one("events", Work(lake, PROJECT)).n_rows == 4
    assert receipts(lake) == {
        "e1": (MONDAY, "a.parquet"),
        "e2": (MONDAY, "a.parquet"),
        "e3": (MONDAY, "b.parquet"),
        "e4": (TUESDAY, "a.parquet"),
    }


def test_a_duplicate_that_comes_days_later_changes_nothing(lake: Lake) -> None:
    put(lake, MONDAY, "a", [event(1, MONDAY)])
    bring_one("events", Work(lake, PROJECT))
    put(lake, WEDNESDAY, "c", [event(1, WEDNESDAY)])
    assert bring_one("events", Work(lake, PROJECT)).n_rows == 0
    assert receipts(lake) == {"e1": (MONDAY, "a.parquet")}
    version = store.version(lake, EVENTS)
    assert bring_one("events", Work(lake, PROJECT)).days == {}
    assert store.version(lake, EVENTS) == version


def test_a_part_that_comes_late_but_was_received_first_wins(lake: Lake) -> None:
    put(lake, TUESDAY, "a", [event(1, TUESDAY), event(2, TUESDAY)])
    bring_one("events", Work(lake, PROJECT))
    put(lake, MONDAY, "slow-collector", [event(1, MONDAY)])
    bring_one("events", Work(lake, PROJECT))
    assert receipts(lake) == {"e1": (MONDAY, "slow-collector.parquet"), "e2": (TUESDAY, "a.parquet")}


def test_the_days_that_are_asked_for_are_brought_and_the_others_are_left(lake: Lake) -> None:
    for number, day in enumerate(DAYS):
        put(lake, day, "a", [event(number, day)])
    assert list(bring_one("events", Work(lake, PROJECT), [TUESDAY]).days) == [TUESDAY]
    assert set(receipts(lake)) == {"e1"}
    assert list(bring_one("events", Work(lake, PROJECT)).days) == [MONDAY, WEDNESDAY]


def test_a_full_refresh_leaves_the_same_rows(lake: Lake) -> None:
    put(lake, MONDAY, "a", [event(1, MONDAY), event(2, MONDAY)])
    put(lake, TUESDAY, "b", [event(2, TUESDAY), event(3, TUESDAY)])
    bring_one("events", Work(lake, PROJECT))
    before = store.read(lake, EVENTS, PROJECT).sort("event_id")
    assert list(bring_one("events", Work(lake, PROJECT, full_refresh=True)).days) == [MONDAY, TUESDAY]
    assert store.read(lake, EVENTS, PROJECT).sort("event_id").equals(before)


def test_the_later_of_two_writers_of_a_project_is_refused(lake: Lake) -> None:
    first, second = ProjectTable(lake, EVENTS, PROJECT), ProjectTable(lake, EVENTS, PROJECT)
    other = ProjectTable(lake, EVENTS, "another")
    first.set_inputs(1)
    other.set_inputs(2)
    with pytest.raises(CommitFailedError):
        second.set_inputs(3)
    assert ProjectTable(lake, EVENTS, PROJECT).inputs() == 1
    assert ProjectTable(lake, EVENTS, "another").inputs() == 2


def test_a_day_that_comes_in_several_groups_is_the_same_also_when_the_build_stopped_between_two(
    lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interrupted_at: Callable[[str], AbstractContextManager[None]],
) -> None:
    at_once = Lake(str(tmp_path / "at once"))
    for each in (lake, at_once):
        for number in range(4):
            put(each, MONDAY, f"p{number}", [event(number + k, MONDAY, seq=k) for k in range(3)])
        put(each, MONDAY, "z-received-first", [event(2, MONDAY, received_at=event(0, MONDAY)["received_at"])])
    bring_one("events", Work(at_once, PROJECT))
    monkeypatch.setattr(events, "GROUP_BYTES", 1)
    with interrupted_at("events.after_group"):
        bring_one("events", Work(lake, PROJECT))
    assert len(receipts(lake)) == 3
    assert bring_one("events", Work(lake, PROJECT)).n_rows > 0
    left, right = (store.read(each, EVENTS, PROJECT).sort("event_id") for each in (lake, at_once))
    assert left.equals(right)
    assert receipts(lake)["e2"] == (MONDAY, "z-received-first.parquet")


arrivals = st.lists(
    st.tuples(st.sampled_from(DAYS), st.lists(st.integers(0, 12), min_size=1, max_size=6)), min_size=1, max_size=6
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals=arrivals, together=st.integers(1, 3))
def test_events_do_not_depend_on_the_order_in_which_their_parts_came(
    tmp_path_factory: pytest.TempPathFactory, arrivals: list[tuple[dt.date, list[int]]], together: int
) -> None:
    step_by_step, at_once = (Lake(str(tmp_path_factory.mktemp("lake"))) for _ in range(2))
    for number, (day, ids) in enumerate(arrivals):
        rows = [event(each, day, seq=place) for place, each in enumerate(ids)]
        put(step_by_step, day, f"p{number}", rows)
        put(at_once, day, f"p{number}", rows)
        if number % together == 0:
            bring_one("events", Work(step_by_step, PROJECT))
    bring_one("events", Work(step_by_step, PROJECT))
    bring_one("events", Work(at_once, PROJECT))
    left, right = (store.read(lake, EVENTS, PROJECT).sort("event_id") for lake in (step_by_step, at_once))
    assert left.equals(right)
    assert set(left["event_id"]) == {f"e{each}" for _, ids in arrivals for each in ids}
    assert isinstance(left, pl.DataFrame)
