"""What was erased is in no table and in no file of the lake, and all else is as if it had never been sent."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lake.holding import holding
from tests.small_lake import DAYS, PROJECT, Row, bring, bring_one, event, put, tables
from tests.stages.test_taken_back import FOLLOW_FROM_EVENTS, shape
from turret_pipeline.lake import store
from turret_pipeline.lake.parts import list_all_files, read_notes, read_parts, take_back, taken_back, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    ANNOTATIONS,
    EVENTS,
    FIELD_OUTCOMES,
    FIELD_PROFILES,
    FIELD_TYPES,
    MESSAGES,
    SAVED_VIEWS,
    TOPIC_EDITS,
    TOPIC_NOTES,
)
from turret_pipeline.orchestration.erase import Asked, Named, discard, forget, remove
from turret_pipeline.semantics.definitions import Definition, definition
from turret_pipeline.semantics.selection import Selection
from turret_pipeline.stages import STAGES
from turret_pipeline.stages.erasure.gathering import find
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work

MONDAY, TUESDAY, WEDNESDAY = DAYS
CANARY = "canaryuser77"
AT = dt.datetime(2026, 10, 5, tzinfo=dt.UTC)


def asked(kind: str, value: str, keep_totals: bool = False) -> Asked:
    return Asked(PROJECT, (Named("era_1", kind, value, keep_totals=keep_totals),))


def events(lake: Lake) -> pl.DataFrame:
    return store.read(lake, EVENTS, PROJECT).sort("event_id")


def words(number: int, **changes: object) -> Row:
    """One event of the canary's, which says things that nobody else does, in every place."""
    metadata = {
        "prompt": f"how do I get my money back for the canary cage {number}, asks {CANARY}",
        "plan": "canaryplan",
        f"{CANARY} key": f'{CANARY} "quoted" \\ value\n',
        "nested": {"of": [CANARY, {"deep": f"{CANARY} deep"}]},
        "latency_ms": 130 + number,
    }
    return event(
        9000 + number,
        MONDAY,
        event_id=f"{CANARY} event {number}",
        session_id=f"{CANARY} session",
        user_id=CANARY,
        name=f"{CANARY} name",
        metadata=json.dumps(metadata),
        **changes,
    )


def written(lake: Lake, table, **row: object) -> None:
    store.append(lake, table, pl.DataFrame([{"project_id": PROJECT, "decided_at": AT} | row], schema=table.schema))


@pytest.mark.slow
def test_a_user_is_in_no_file_and_all_else_is_as_if_nothing_had_come(
    lake_before: Callable[[str], Lake], undisturbed: dict[str, pl.DataFrame]
) -> None:
    lake = lake_before("end")
    put(lake, MONDAY, "c0ffee-1-1", [words(number) for number in range(30)] + [event(10, MONDAY)])
    put(lake, TUESDAY, "c0ffee-2-2", [words(number) for number in range(5)])
    bring(lake)
    example = str(undisturbed["events"]["metadata"].str.json_path_match("$.prompt").drop_nulls()[0])
    defined = Definition("d_1", "Mine", (example, f"{example} 1", f"{example} 2", f"a text of {CANARY}"))
    written(lake, TOPIC_EDITS, field="prompt", topic_id="d_1", action="define", value=defined.value)
    written(lake, TOPIC_EDITS, field="prompt", topic_id="t_1", action="rename", value=f"What {CANARY} wants")
    written(lake, TOPIC_EDITS, field="prompt", topic_id="t_2", action="rename", value="Mine")
    common = {"until": None, "kind": None, "author": None}
    written(lake, ANNOTATIONS, annotation_id="a1", date=MONDAY, text=f"{CANARY} rang", **common)
    written(lake, ANNOTATIONS, annotation_id="a2", date=MONDAY, text="nobody rang", **common)
    written(lake, TOPIC_NOTES, field="prompt", note_id="n1", topic_id="t", text=f"see {CANARY}", author=None)
    written(lake, SAVED_VIEWS, view_id="v1", name="His", address="/messages?q=canaryuser%377", author=None)
    bring(lake)
    assert len(holding(lake.root, CANARY)) > 30

    found = remove(lake, asked("user", CANARY))["gathered"][0]
    assert len(found["event_ids"]) == 30 and len(found["files"]) == 2
    assert found["user_ids"] == [CANARY] and found["session_ids"] == [f"{CANARY} session"]
    assert "canaryplan" in found["texts"] and f"{CANARY} key" in found["texts"] and "prompt" not in found["texts"]
    assert forget(lake, asked("user", CANARY))["left"] != {}
    bring(lake)
    told = forget(lake, asked("user", CANARY))
    discard(lake, asked("user", CANARY))

    assert told["left"] == {}
    assert holding(lake.root, CANARY, CANARY.upper(), "canaryplan", "canary cage") == []
    assert store.read(lake, ANNOTATIONS, PROJECT)["annotation_id"].to_list() == ["a2"]
    edits = {row["topic_id"]: row["value"] for row in store.read(lake, TOPIC_EDITS, PROJECT).iter_rows(named=True)}
    assert edits.keys() == {"d_1", "t_2"} and len(definition("d_1", edits["d_1"]).examples) == 3
    after = tables(lake)
    for name in FOLLOW_FROM_EVENTS:
        assert after[name].equals(undisturbed[name]), name
    assert told["totals"]["events"] == found["totals"]["events"] - 30 == 240
    assert pending_stages(lake, None)[PROJECT] == {}


@pytest.mark.slow
def test_without_edits_of_people_every_table_is_as_if_nothing_had_come(
    lake_before: Callable[[str], Lake], undisturbed: dict[str, pl.DataFrame]
) -> None:
    lake = lake_before("end")
    put(lake, MONDAY, "c0ffee-1-1", [words(number) for number in range(12)])
    bring(lake)
    remove(lake, asked("session", f"{CANARY} session"))
    bring(lake)
    after = tables(lake)
    for name in FOLLOW_FROM_EVENTS:
        assert after[name].equals(undisturbed[name]), name
    assert shape(after) == shape(undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("n_done", [1, 2, 4, 6])
def test_a_run_that_is_past_some_tables_when_an_erasure_begins_carries_nothing_past_it(
    lake_before: Callable[[str], Lake], n_done: int
) -> None:
    lake = lake_before("end")
    put(lake, MONDAY, "c0ffee-1-1", [words(number) for number in range(12)])
    bring(lake)
    put(lake, MONDAY, "c0ffee-1-2", [words(number) for number in range(12, 16)])
    run = [stage.table.name for stage in STAGES]
    for table in run[:n_done]:
        bring_one(table, Work(lake, PROJECT))
    remove(lake, asked("user", CANARY))
    for table in run[n_done:]:
        bring_one(table, Work(lake, PROJECT))
    bring(lake)
    assert forget(lake, asked("user", CANARY))["left"] == {}
    discard(lake, asked("user", CANARY))
    assert holding(lake.root, CANARY, "canaryplan", "canary cage") == []


def test_all_that_leads_to_a_table_which_remembers_says_that_it_was_brought() -> None:
    for stage in STAGES:
        followed = {each.table for each in stage.follows}
        assert all(each.remembers or each.leads for each in stage.follows)
        if stage.remembers or stage.leads:
            texts = {FIELD_PROFILES, FIELD_TYPES, MESSAGES} & {source.table for source in stage.reads}
            assert texts <= followed | {each.table for one in stage.follows for each in one.follows}, stage.step


@pytest.mark.parametrize(
    ("value", "text", "is_found"),
    [
        ("STRASSE", "In der Straße", True),
        ("Straße", "IN DER STRASSE", True),
        ("caf\u00e9", "un cafe\u0301 noir", True),
        ("CAFE\u0301", "un caf\u00e9 noir", True),
        ("\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c2", True),
        ("cafe", "un cafe\u0301 noir", False),
        ("\n\u0301x", "a\n\u0301X", True),
        ('say "Ärger"', 'they SAY "a\u0308RGER"', True),
        ("prompt", "what is asked", False),
    ],
)
def test_a_text_is_found_in_any_case_and_however_its_accents_are_written(value: str, text: str, is_found: bool) -> None:
    events = pl.DataFrame({"metadata": [json.dumps({"prompt": text}, ensure_ascii=False)]})
    assert Selection("texts", value).of(events).height == is_found


def counts(lake: Lake) -> dict[str, object]:
    """Return what is counted, day by day."""
    found = tables(lake)
    days = found["topic_days"].group_by("received_date", "field", "date").agg(pl.col("n_messages", "n_sessions").sum())
    return {
        "events": found["events"].group_by("received_date", "name").len().sort(pl.all()).rows(),
        "users": found["events"]["user_id"].n_unique(),
        "sessions": found["events"]["session_id"].n_unique(),
        "messages": found["messages"].group_by("received_date", "field").len().sort(pl.all()).rows(),
        "types": found["field_types"].select("field", "type", "n_events", "n_null").rows(),
        "days": days.sort(pl.all()).select("received_date", "field", "date", "n_messages").rows(),
        "steps": found["journey_steps"].height,
    }


@pytest.mark.slow
def test_totals_stay_when_that_is_asked_for_and_no_text_or_id_does(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    rows = [{**words(number), "name": "user_prompt"} for number in range(12)]
    for row in rows:
        metadata = json.loads(row["metadata"])
        kept = {"prompt": metadata["prompt"], "plan": "pro", "latency_ms": 3, "nested": metadata["nested"]}
        row["metadata"] = json.dumps(kept)
    put(lake, MONDAY, "c0ffee-1-1", rows)
    bring(lake)
    before = counts(lake)
    told = remove(lake, asked("user", CANARY, keep_totals=True))
    assert told["shared"][0]["n"] == 12
    assert set(pending_stages(lake, None)[PROJECT]) == {
        product.table.name for stage in STAGES if stage.remembers for product in stage.makes
    }
    bring(lake)
    done = forget(lake, asked("user", CANARY, keep_totals=True))
    discard(lake, asked("user", CANARY))
    assert done["left"] == {}
    assert counts(lake) == before
    assert done["totals"] == told["gathered"][0]["totals"]
    assert holding(lake.root, CANARY, "canary cage") == []
    assert pending_stages(lake, None)[PROJECT] == {}


PARTS = st.lists(
    st.tuples(
        st.sampled_from(["import-17-000000", "import-18-000000", "c0ffee-1-1", "c0ffee-2-2"]),
        st.sampled_from(DAYS),
        st.lists(st.tuples(st.integers(0, 6), st.sampled_from("ab")), min_size=1, max_size=5, unique=True),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda part: (part[0], part[1]),
)


@pytest.mark.slow
@given(first=PARTS, later=PARTS, steps=st.booleans(), wanted=st.sampled_from(["a", "e3", "texts"]))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_events_are_as_if_those_that_are_erased_had_never_been_sent(
    tmp_path: Path, first: list, later: list, steps: bool, wanted: str
) -> None:
    with_it, without = Lake(str(tmp_path / "with")), Lake(str(tmp_path / "without"))
    for lake in (with_it, without):
        shutil.rmtree(lake.root, ignore_errors=True)
        lake.make()
    kind = {"a": "user", "e3": "event"}.get(wanted, "texts")
    value = "FROM A" if kind == "texts" else wanted
    known = {part[:2] for part in first}
    for parts in (first, [part for part in later if part[:2] not in known]):
        for name, day, sent in parts:
            rows = [event(n, day, f"text from {user}", user_id=user, name=name) for n, user in sent]
            rows = [{**row, "seq": number} for number, row in enumerate(rows)]
            put(with_it, day, name, rows)
            stay = [row for row in rows if row["user_id"] != "a"] if kind != "event" else rows
            stay = [row for row in stay if row["event_id"] != "e3"] if kind == "event" else stay
            if stay:
                put(without, day, name, stay)
        if steps:
            bring_one("events", Work(with_it, PROJECT))
    bring_one("events", Work(without, PROJECT))
    remove(with_it, asked(kind, value))
    bring_one("events", Work(with_it, PROJECT))
    assert events(with_it).equals(events(without))
    assert "events" not in pending_stages(with_it, None, [PROJECT]).get(PROJECT, {})
    there = [read_parts(lake, list_all_files(lake, PROJECT)).sort(pl.all()) for lake in (with_it, without)]
    assert there[0].equals(there[1])


@pytest.mark.parametrize("point", ["erasure.after_part", "erasure.before_events", "erasure.after_events"])
def test_killed_anywhere_the_same_call_takes_out_the_rest(
    tmp_path: Path, interrupted_at: Callable[[str], AbstractContextManager[None]], point: str
) -> None:
    lake = Lake(str(tmp_path))
    put(lake, MONDAY, "c0ffee-1-1", [event(1, MONDAY, "a"), event(2, MONDAY, "b")])
    put(lake, TUESDAY, "c0ffee-2-1", [event(11, TUESDAY, "c"), event(3, TUESDAY, "a", user_id="u1")])
    bring_one("events", Work(lake, PROJECT))
    with interrupted_at(point):
        remove(lake, asked("user", "u0"))
    found = remove(lake, asked("user", "u0"))["gathered"][0]
    assert found["event_ids"] == ["e1", "e2"] and found["texts"] == ["b", "pro"]
    assert events(lake)["event_id"].to_list() == ["e11", "e3"]
    assert sorted(read_parts(lake, list_all_files(lake, PROJECT))["event_id"]) == ["e11", "e3"]


def test_files_that_imports_keep_for_later_and_names_of_files_are_erased_too(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    for name, rows in (("import-17-1.parquet", [1, 11]), ("import-17-1.parquet.aside", [2, 12])):
        frame = pl.DataFrame([event(n, MONDAY) for n in rows], schema=read_parts(lake, ()).drop("part").schema)
        write_part(lake, PROJECT, MONDAY, name, frame, {"turret.file": "of user-zero.csv"})
    take_back(lake, PROJECT, "import-16", b'{"file": "USER-ZERO.csv", "events": 1, "aside": 0}')
    put(lake, TUESDAY, "c0ffee-1-1", [event(20, TUESDAY, user_id="user-zero")])
    remove(lake, asked("user", "u0"))
    discard(lake, asked("user", "u0"))
    assert imported_files(lake) == {"of user-zero.csv"}
    remove(lake, asked("user", "user-zero"))
    files = list_all_files(lake, PROJECT)
    assert sorted(read_parts(lake, files)["event_id"]) == ["e11", "e12"]
    assert imported_files(lake) == {"erased"}
    assert json.loads(taken_back(lake, PROJECT)["import-16"]) == {"file": "erased", "events": 1, "aside": 0}


def imported_files(lake: Lake) -> set[str]:
    notes = [read_notes(lake, part) for part in list_all_files(lake, PROJECT)]
    return {each["turret.file"] for each in notes if each}


def test_what_was_set_aside_and_what_a_killed_writer_left_goes_too(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    put(lake, MONDAY, "c0ffee-1-1", [event(1, MONDAY), event(20, MONDAY)])
    folder = Path(lake.events_folder(PROJECT, MONDAY))
    old, young = folder / ".c0ffee-1-2.parquet.tmp", folder / ".c0ffee-1-3.parquet.tmp"
    aside = Path(lake.aside(str(folder))) / "c0ffee-0-1.parquet"
    others = Path(lake.aside(lake.project_folder("other"))) / "c0ffee-0-1.parquet"
    for file in (old, young, aside, others):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"u0")
    os.utime(old, (0, 0))
    remove(lake, asked("user", "u0"))
    assert [file.exists() for file in (old, young, aside, others)] == [False, True, False, True]


def test_texts_are_found_whatever_their_case_and_never_in_keys(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    texts = {1: 'He said "Ärger\nnow"', 2: "ärger", 3: "arger", 4: "x"}
    rows = [event(number, MONDAY, text) for number, text in texts.items()]
    rows[3]["metadata"] = json.dumps({"ärger": "a key", "other": [{"deep": "no"}]}, ensure_ascii=False)
    rows.append(event(5, MONDAY, metadata=json.dumps({"list": ["a", {"deep": "viel ÄRGER"}]}, ensure_ascii=False)))
    for row in rows:
        row["metadata"] = json.dumps(json.loads(row["metadata"]), ensure_ascii=False)
    put(lake, MONDAY, "c0ffee-1-1", rows)
    assert find(lake, PROJECT, {"": Selection("texts", "Ärger")})[0].event_ids == ["e1", "e2", "e5"]
    assert find(lake, PROJECT, {"": Selection("texts", '"ärger\nNOW"')})[0].event_ids == ["e1"]
    assert find(lake, PROJECT, {"": Selection("texts", "nothing")})[0].texts == []


def test_what_people_hold_for_good_values_of_a_field_goes_where_it_quotes(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    put(lake, MONDAY, "c0ffee-1-1", [words(0), event(10, MONDAY)])
    written(lake, FIELD_OUTCOMES, field="plan", better=None, good=["pro", "canaryplan"])
    written(lake, FIELD_OUTCOMES, field="latency_ms", better="lower", good=None)
    written(lake, FIELD_OUTCOMES, field="other", better=None, good=["pro"])
    remove(lake, asked("user", CANARY))
    assert store.read(lake, FIELD_OUTCOMES, PROJECT)["field"].to_list() == ["latency_ms", "other"]
