"""More fields than have a type: those in most events have one, the others are told, and nothing depends on the way."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_lake import DAYS, PROJECT, bring, event, put
from turret_pipeline.analysis.fields import detect
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES
from turret_pipeline.stages import field_types

MOST = 4


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a project have `MOST` fields with a type."""
    monkeypatch.setattr(detect, "MOST_FIELDS", MOST)
    monkeypatch.setattr(field_types, "MOST_FIELDS", MOST)


def receive(lake: Lake, day: int, events: Sequence[Sequence[str]], part: str = "a") -> None:
    """Put an event for each list of fields into a day; each field has a number."""
    metadata = [json.dumps(dict.fromkeys(keys, 7)) for keys in events]
    rows = [
        event(1000 * day + number, DAYS[day], event_id=f"{part}{day}-{number}", metadata=each)
        for number, each in enumerate(metadata)
    ]
    put(lake, DAYS[day], part, rows)


def build(lake: Lake, *, full_refresh: bool = False) -> None:
    bring(lake, until="field_types", full_refresh=full_refresh)


def types(lake: Lake) -> dict[str, int]:
    """Return the number of events by field that has a type."""
    return dict(store.read(lake, TABLES["field_types"], PROJECT).select("field", "n_events").sort("field").iter_rows())


def left_out(lake: Lake) -> list[tuple[int, int, list[str]]]:
    found = store.read(lake, TABLES["left_out_fields"], PROJECT).drop("project_id")
    return [(most, n, json.loads(examples)) for most, n, examples in found.iter_rows()]


def test_the_fields_in_most_events_have_a_type_and_the_rest_are_told(lake: Lake) -> None:
    receive(lake, 0, [["often", f"id_{n}"] for n in range(3)] + [["often", "now_and_then"]] * 2)
    build(lake)
    assert types(lake) == {"often": 5, "now_and_then": 2, "id_0": 1, "id_1": 1}
    assert left_out(lake) == [(MOST, 1, [])]  # the day was looked into without it
    receive(lake, 1, [["later", "now_and_then", f"key_{n}"] for n in range(2)])
    build(lake)
    assert types(lake) == {"often": 5, "now_and_then": 4, "later": 2, "id_0": 1}
    assert left_out(lake) == [(MOST, 3, ["id_1", "key_0", "key_1"])]


def test_a_field_of_a_type_is_not_among_those_that_have_none(lake: Lake) -> None:
    receive(lake, 0, [["a", "b", "c", "d"]] * 9)
    receive(lake, 1, [["a", "v", "w", "x", "y"]])  # of which the day has no profile of `y`
    build(lake)
    assert left_out(lake) == [(MOST, 3, ["v", "w", "x"])]
    receive(lake, 2, [["b", "c", "d"], ["b", "c", "d"], ["z1", "z2"]])
    build(lake)
    assert left_out(lake) == [(MOST, 4, ["v", "w", "x", "z1"])]


def test_what_later_events_make_frequent_is_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "CHUNK_EVENTS", 2)
    metadata = ['{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}', '{"a": 1}', *['{"e": 1}'] * 2]
    events = pl.DataFrame({"metadata": metadata}).with_columns(
        timestamp=pl.lit(dt.datetime(2026, 10, 1, tzinfo=dt.UTC))
    )
    left: set[str] = set()
    assert detect.profile_fields(events, left_out=left)["field"].to_list() == ["a", "b", "c", "e"]
    assert left == {"d"}


def test_as_many_fields_as_may_be_are_all_there_and_no_table_tells_otherwise(lake: Lake) -> None:
    receive(lake, 0, [[f"field_{n}" for n in range(MOST)]])
    build(lake)
    assert len(types(lake)) == MOST
    assert store.open_table(lake, TABLES["left_out_fields"]) is None


def test_a_field_that_comes_to_be_frequent_counts_from_its_first_day(lake: Lake) -> None:
    receive(lake, 0, [["a", "b", "c", "d"]] * 2)
    receive(lake, 1, [["late"]])
    build(lake)
    assert types(lake) == dict.fromkeys("abcd", 2)
    receive(lake, 2, [["late"]] * 5)
    build(lake)
    assert types(lake) == {"a": 2, "b": 2, "c": 2, "late": 6}


def test_a_day_that_comes_to_have_fewer_fields_leaves_none_out(lake: Lake) -> None:
    receive(lake, 0, [["a", "b", "c"]])
    receive(lake, 0, [["d", "e"]], part="b")
    build(lake)
    assert left_out(lake) == [(MOST, 1, [])]
    receive(lake, 0, [], part="b")
    build(lake, full_refresh=True)
    assert types(lake) == dict.fromkeys("abc", 1)
    assert left_out(lake) == []


def test_a_field_whose_type_a_person_chose_keeps_one(lake: Lake) -> None:
    receive(lake, 0, [["a", "b", "c", "mine"]])
    build(lake)
    overrides, at = TABLES["field_overrides"], dt.datetime.combine(DAYS[0], dt.time(), dt.UTC)
    chosen = pl.DataFrame([(PROJECT, "mine", at, "enum")], schema=overrides.schema, orient="row")
    store.replace(lake, overrides, chosen, PROJECT)
    receive(lake, 1, [["a", "b", "c", "z"]] * 2)
    build(lake)
    assert types(lake) == {"a": 3, "b": 3, "c": 3, "z": 2, "mine": 1}
    found = store.read(lake, TABLES["field_types"], PROJECT).filter(field="mine")
    assert found["type"].to_list() == ["enum"]


DAYS_OF_FIELDS = st.lists(
    st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4, unique=True), min_size=1, max_size=5),
    min_size=1,
    max_size=len(DAYS),
)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(DAYS_OF_FIELDS)
def test_day_by_day_and_all_at_once_give_the_same(
    tmp_path_factory: pytest.TempPathFactory, days: list[list[list[str]]]
) -> None:
    lake = Lake(str(tmp_path_factory.mktemp("law") / "lake"))
    for day, events in enumerate(days):
        receive(lake, day, events)
        build(lake)
    names = ("field_profiles", "field_types", "left_out_fields")
    by_day = [store.read(lake, TABLES[name], PROJECT) for name in names]
    build(lake, full_refresh=True)
    for name, before in zip(names, by_day, strict=True):
        assert store.read(lake, TABLES[name], PROJECT).equals(before), name
