"""Once the parts of a source are taken back the next build leaves the tables as if they had never been."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.small_lake import DAYS, PROJECT, Row, bring, bring_one, event, put, tables
from turret_pipeline.lake import store
from turret_pipeline.lake.parts import list_files_of, list_parts, remove_files, take_back, taken_back
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work

IMPORT = "import-17"
MONDAY, TUESDAY, WEDNESDAY = DAYS


def lose(lake: Lake, source: str = IMPORT) -> None:
    take_back(lake, PROJECT, source, b"{}")
    remove_files(lake, list_files_of(lake, PROJECT, source))


def events(lake: Lake) -> pl.DataFrame:
    return store.read(lake, EVENTS, PROJECT).sort("event_id")


def test_parts_of_a_source_that_was_taken_back_are_not_there_from_the_note_on(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    for name in ("import-17-000000", "import-17-000001", "import-170-000000", "c0ffee-01-02"):
        put(lake, MONDAY, name, [event(1, MONDAY)])
    take_back(lake, PROJECT, IMPORT, b'{"why":"a mistake"}')
    assert [part.name for part in list_parts(lake)] == ["c0ffee-01-02.parquet", "import-170-000000.parquet"]
    assert taken_back(lake, PROJECT) == {IMPORT: b'{"why":"a mistake"}'}
    assert [part.name for part in list_files_of(lake, PROJECT, IMPORT)] == [
        "import-17-000000.parquet",
        "import-17-000001.parquet",
    ]


def test_an_event_that_was_sent_and_imported_stays_as_it_was_sent(lake: Lake) -> None:
    put(lake, MONDAY, f"{IMPORT}-000000", [event(1, MONDAY, name="imported"), event(2, MONDAY)])
    put(lake, TUESDAY, "c0ffee-1-2", [event(1, TUESDAY, name="sent")])
    bring_one("events", Work(lake, PROJECT))
    assert events(lake).select("event_id", "name", "received_date").rows() == [
        ("e1", "imported", MONDAY),
        ("e2", "user_prompt", MONDAY),
    ]
    lose(lake)
    bring_one("events", Work(lake, PROJECT))
    assert events(lake).select("event_id", "name", "received_date").rows() == [("e1", "sent", TUESDAY)]


def test_events_of_a_part_that_is_missing_for_no_known_reason_stay(lake: Lake) -> None:
    put(lake, MONDAY, f"{IMPORT}-000000", [event(1, MONDAY)])
    bring_one("events", Work(lake, PROJECT))
    remove_files(lake, list_parts(lake))
    for full_refresh in (False, True):
        bring_one("events", Work(lake, PROJECT, full_refresh=full_refresh))
        assert events(lake)["event_id"].to_list() == ["e1"]
    assert "events" not in pending_stages(lake, None)[PROJECT]


PARTS = st.lists(
    st.tuples(
        st.sampled_from(["import-17-000000", "import-17-000001", "import-18-000000", "c0ffee-1-1", "c0ffee-2-2"]),
        st.sampled_from(DAYS),
        st.lists(st.integers(0, 6), min_size=1, max_size=5),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda part: (part[0], part[1]),
)


@pytest.mark.slow
@given(first=PARTS, later=PARTS, steps=st.booleans())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_events_are_as_if_the_source_had_never_been(tmp_path: Path, first: list, later: list, steps: bool) -> None:
    with_it, without = Lake(str(tmp_path / "with")), Lake(str(tmp_path / "without"))
    for lake in (with_it, without):
        shutil.rmtree(lake.root, ignore_errors=True)
        lake.make()
    known = {(name, day) for name, day, _ in first}
    rounds = (first, [part for part in later if part[:2] not in known])
    for parts in rounds:
        for name, day, numbers in parts:
            rows: list[Row] = [event(n, day, name=name) for n in numbers]
            put(with_it, day, name, rows)
            if not name.startswith(IMPORT):
                put(without, day, name, rows)
        if steps:
            bring_one("events", Work(with_it, PROJECT))
    bring_one("events", Work(with_it, PROJECT))
    bring_one("events", Work(without, PROJECT))
    lose(with_it)
    bring_one("events", Work(with_it, PROJECT))
    assert events(with_it).equals(events(without))
    assert "events" not in pending_stages(with_it, None, [PROJECT])[PROJECT]


@pytest.mark.parametrize("point", ["events.before_taking_back", "events.after_taking_back"])
def test_a_build_that_is_killed_while_it_takes_back_goes_on_at_the_next(
    lake: Lake, interrupted_at: Callable[[str], AbstractContextManager[None]], point: str
) -> None:
    put(lake, MONDAY, f"{IMPORT}-000000", [event(1, MONDAY), event(2, MONDAY)])
    put(lake, TUESDAY, "c0ffee-1-1", [event(2, TUESDAY), event(3, TUESDAY)])
    bring_one("events", Work(lake, PROJECT))
    lose(lake)

    with interrupted_at(point):
        bring_one("events", Work(lake, PROJECT))
    bring_one("events", Work(lake, PROJECT))
    assert events(lake)["event_id"].to_list() == ["e2", "e3"]
    assert "events" not in pending_stages(lake, None)[PROJECT]


def imported(day: dt.date) -> list[Row]:
    """Return 120 events as an import brings them: more of what there is, another theme, and a field of their own."""
    rows = []
    for number in range(120):
        text = ("how do I get my money back for order {}", "which visa do I need for the trip to japan {}")[number % 2]
        row = event(1000 + number, day, text.format(number), session_id=f"imported {number // 3}")
        remark = f"a remark that nobody else wrote, number {number}, about the weather of the day"
        row["metadata"] = row["metadata"].replace('"prompt"', f'"remark": "{remark}", "prompt"')
        rows.append(row)
    return rows


def shape(found: dict[str, pl.DataFrame]) -> dict[str, list[tuple[object, ...]]]:
    """Return what the tables say without the names that topics have: those may be others."""
    labels = found["topics"].select("field", "topic_id", "label")
    edges = found["journey_edges"].select("field", "from_topic", "to_topic", "count", "sessions")
    for end in ("from_topic", "to_topic"):
        names = labels.rename({"topic_id": end, "label": f"{end} label"})
        edges = (
            edges.join(names, on=["field", end], how="left").with_columns(pl.coalesce(f"{end} label", end)).drop(end)
        )
    days = found["topic_days"].join(labels, on=["field", "topic_id"], how="left")
    topics = found["topics"].select("field", "level", "label", "keywords", "examples", "n_messages", "n_texts")
    assigned = found["topic_assignments"].join(labels, on=["field", "topic_id"], how="left")
    steps = found["journey_steps"].drop("topic_id", "project_id")
    shapes = {
        "topics": topics.sort("field", "label", "level"),
        "assignments": assigned.select("field", "text_id", "label").sort("field", "text_id"),
        "days": days.select("received_date", "field", "date", "label", "n_messages", "n_sessions").sort(pl.all()),
        "edges": edges.sort(pl.all()),
        "steps": steps.sort("field", "session_id", "place"),
    }
    return {name: frame.rows() for name, frame in shapes.items()}


FOLLOW_FROM_EVENTS = ("events", "field_profiles", "field_types", "field_history", "field_totals", "messages")


@pytest.mark.slow
@pytest.mark.parametrize(
    "day",
    [
        pytest.param(DAYS[1], id="a day that others have too"),
        pytest.param(dt.date(2026, 10, 9), id="a day of its own", marks=pytest.mark.long),
    ],
)
def test_all_tables_are_as_if_the_import_had_never_been(
    lake_before: Callable[[str], Lake], undisturbed: dict[str, pl.DataFrame], day: dt.date
) -> None:
    lake = lake_before("end")
    ids = set(undisturbed["topics"]["topic_id"])
    put(lake, day, f"{IMPORT}-000000", imported(day))
    bring(lake)
    assert store.read(lake, EVENTS, PROJECT).height == undisturbed["events"].height + 120
    lose(lake)
    assert pending_stages(lake, None)[PROJECT]
    bring(lake)
    after = tables(lake)

    for name in FOLLOW_FROM_EVENTS:
        assert after[name].equals(undisturbed[name]), name
    assert after["embeddings"].drop("vector", "quantized").equals(undisturbed["embeddings"].drop("vector", "quantized"))
    assert shape(after) == shape(undisturbed)
    assert len(ids & set(after["topics"]["topic_id"])) >= 0.8 * len(ids)
    assert after["step_values"].drop("order").equals(undisturbed["step_values"].drop("order"))
    assert all("remark" not in str(frame.to_dicts()) for frame in after.values())
    assert pending_stages(lake, None)[PROJECT] == {}


@pytest.mark.slow
def test_tables_of_a_project_whose_only_import_was_taken_back_are_empty(lake: Lake) -> None:
    put(lake, MONDAY, f"{IMPORT}-000000", imported(MONDAY))
    bring(lake)
    assert tables(lake)["topics"].height
    lose(lake)
    assert pending_stages(lake, None)[PROJECT]
    bring(lake)
    assert {name: frame.height for name, frame in tables(lake).items() if frame.height} == {}
    assert pending_stages(lake, None)[PROJECT] == {}
