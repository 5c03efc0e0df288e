"""Only what is new is done, whatever it is: nothing, a few texts, a late day, a field that changed its type."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, bring, bring_one, event, files, put, tables, versions
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    EMBEDDINGS,
    FIELD_OVERRIDES,
    FIELD_TYPES,
    JOURNEY_EDGES,
    JOURNEY_STEPS,
    MESSAGES,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPICS,
)
from turret_pipeline.stages import CHECKS, STAGE_OF
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work

LATER = dt.date(2026, 10, 5)
EMPTY = {"shared_frames", "answers"}
"""Tables without rows here: no frame is shared, and no message has an answer; tests of their own make some."""


def decide(lake: Lake, field: str, kind: str | None) -> None:
    """Let a person choose the type of a field."""
    now = dt.datetime.now(dt.UTC)
    row = {"project_id": [PROJECT], "field": [field], "decided_at": [now], "type": [kind]}
    store.append(lake, FIELD_OVERRIDES, pl.DataFrame(row, schema=FIELD_OVERRIDES.schema))


def test_fields_topics_and_journeys_that_were_planted_are_found(
    undisturbed: dict[str, pl.DataFrame],
) -> None:
    types = dict(undisturbed["field_types"].select("field", "type").rows())
    assert types == {"prompt": "text", "plan": "enum", "latency_ms": "number"}
    assert undisturbed["events"].height == undisturbed["messages"].height == 240
    assert undisturbed["embeddings"].height == undisturbed["topic_assignments"].height
    assert undisturbed["topics"].filter(pl.col("level") == 0).height >= 3
    starts = undisturbed["journey_edges"].filter(pl.col("from_topic") == "start")
    assert starts["count"].sum() == 48


def test_every_check_holds_after_a_build(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    for table, checks in CHECKS.items():
        for name, check in checks.items():
            finding = check.find(lake, PROJECT)
            assert finding.n_wrong == 0, (table, name, finding)
            assert finding.n_seen > 0 or table not in STAGE_OF or table in EMPTY, (table, name)


@pytest.mark.slow
def test_builds_of_the_same_events_in_two_lakes_leave_the_same_bytes(lake_before: Callable[[str], Lake]) -> None:
    one, other = lake_before("end"), lake_before("events")
    bring(other)
    assert files(other) == files(one)
    assert {name for name, there in files(one).items() if there} >= set(STAGE_OF) - EMPTY


@pytest.mark.slow
def test_backfills_of_the_same_days_leave_the_same_bytes_however_these_came_to_be(
    lake_before: Callable[[str], Lake],
) -> None:
    built_at_once, day_by_day = lake_before("end"), lake_before("messages")
    put(day_by_day, DAYS[0], "late", [event(900, DAYS[0])])
    put(built_at_once, DAYS[0], "late", [event(900, DAYS[0])])
    bring(day_by_day, until="messages")
    left = []
    for lake in (built_at_once, day_by_day, day_by_day):
        work = Work(lake, PROJECT, full_refresh=True)
        bring_one("events", work, DAYS[:2])
        bring_one("field_profiles", work, DAYS[:2])
        bring(lake, until="messages")
        left.append({name: files(lake)[name] for name in ("events", "field_profiles", "field_types", "messages")})
    assert left[0] == left[1] == left[2]
    assert len(left[0]["events"]) == len(DAYS)


def test_a_second_build_with_nothing_new_writes_nothing(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    before = versions(lake)
    assert pending_stages(lake, None) == {PROJECT: {}}
    outcomes = bring(lake)
    assert {name: outcome.n_rows for name, outcome in outcomes.items() if outcome.n_rows} == {}
    assert versions(lake) == before


@pytest.mark.slow
def test_of_a_few_new_messages_only_the_new_texts_are_embedded_and_assigned_without_a_fit(
    lake_before: Callable[[str], Lake],
) -> None:
    lake = lake_before("end")
    before = tables(lake)
    known = before["messages"]["text"][0]
    put(lake, LATER, "new", [event(900, LATER, "how do I get a refund for order 900"), event(901, LATER, known)])
    outcomes = bring(lake)
    assert list(outcomes["events"].days) == list(outcomes["messages"].days) == [LATER]
    assert outcomes["embeddings"].n_rows == outcomes["topic_assignments"].n_rows == 1
    assert outcomes["topics"].n_rows == 0
    after = tables(lake)
    assert after["topics"].equals(before["topics"])
    for name in ("embeddings", "topic_assignments", "messages"):
        assert (
            after[name].join(before[name], on=list(before[name].columns[:4]), how="semi").height == before[name].height
        )
    assert after["journey_edges"]["count"].sum() > before["journey_edges"]["count"].sum()


@pytest.mark.slow
def test_events_of_a_past_day_that_come_late_are_taken_in(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    put(lake, DAYS[0], "late", [event(950, DAYS[0], "the courier lost my parcel on day 950")])
    outcomes = bring(lake)
    assert outcomes["events"].days == {DAYS[0]: 1}
    assert list(outcomes["field_profiles"].days) == [DAYS[0]]
    assert outcomes["messages"].days == {DAYS[0]: 1}
    assert store.read(lake, MESSAGES, PROJECT).filter(pl.col("event_id") == "e950").height == 1
    assert pending_stages(lake, None) == {PROJECT: {}}


@pytest.mark.slow
def test_a_day_whose_last_event_turns_out_to_be_of_another_day_has_no_profile_and_no_message_any_more(
    lake_before: Callable[[str], Lake],
) -> None:
    lake = lake_before("end")
    twice = event(990, LATER, "the courier lost my parcel twice")
    put(lake, LATER, "again", [twice])
    bring(lake)
    assert LATER in set(tables(lake)["messages"]["received_date"])
    put(lake, DAYS[2], "first", [twice | {"received_at": event(990, DAYS[2])["received_at"]}])
    bring(lake)
    left = tables(lake)
    for name in ("events", "field_profiles", "messages", "topic_days", "journey_steps"):
        assert set(left[name]["received_date"]) == set(DAYS), name
    assert pending_stages(lake, None) == {PROJECT: {}}


@pytest.mark.slow
def test_days_that_were_built_as_they_came_are_those_of_one_build_also_out_of_order_and_over_again(
    lake_before: Callable[[str], Lake], undisturbed: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    raw, lake = lake_before("events"), Lake(str(tmp_path / "as they came"))
    for day in (DAYS[2], DAYS[0], DAYS[0], DAYS[1]):
        came = Path(raw.events_folder(PROJECT, day))
        shutil.copytree(came, lake.events_folder(PROJECT, day), dirs_exist_ok=True)
        bring(lake, until="messages")
        bring(lake, until="messages", full_refresh=day == DAYS[0])
    left = tables(lake)
    for name in ("events", "field_profiles", "messages"):
        assert left[name].equals(undisturbed[name]), name
    assert left["field_types"]["type"].equals(undisturbed["field_types"]["type"])


@pytest.mark.slow
def test_a_field_that_becomes_text_is_extracted_for_all_days_and_goes_again_when_it_stops(
    lake_before: Callable[[str], Lake],
) -> None:
    lake = lake_before("end")
    before = tables(lake)
    decide(lake, "plan", "text")
    bring(lake)
    messages = store.read(lake, MESSAGES, PROJECT)
    assert dict(messages["field"].value_counts().rows()) == {"prompt": 240, "plan": 240}
    assert set(messages.filter(pl.col("field") == "plan")["received_date"]) == set(DAYS)
    decide(lake, "plan", None)
    bring(lake)
    after = tables(lake)
    for name in ("field_types", "messages", "journey_edges"):
        assert after[name].equals(before[name]), name
    assert after["topics"].filter(pl.col("field") == "prompt").equals(before["topics"])


@pytest.mark.slow
def test_a_changed_type_does_anew_what_depends_on_it_and_no_more(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    before, at = tables(lake), versions(lake)

    def done() -> dict[str, int]:
        return {name: outcome.n_rows for name, outcome in bring(lake, until="topics").items() if outcome.n_rows}

    # Of numbers and enums nothing is kept but what they are.
    for kind in ("enum", None):
        decide(lake, "latency_ms", kind)
        assert done() == {"field_types": 3}
        after = versions(lake)
        assert {name for name in at if after[name] != at[name]} - {"field_types", "field_overrides", "builds"} == set()
    # One more text is read from its events, embedded and assigned; the other's rows stay where they are.
    decide(lake, "plan", "text")
    of_texts = dict.fromkeys(("embeddings", "text_kinds", "text_sentiment", "topic_assignments"), 3)
    assert done() == {"field_types": 3, "messages": 240, **of_texts}
    # One text fewer is taken out, and nothing else happens.
    decide(lake, "plan", None)
    assert done() == {"field_types": 3, "messages": 240}
    after = tables(lake)
    for name in ("events", "field_profiles", "field_totals", "field_types", "field_history", "messages", "topics"):
        assert after[name].equals(before[name]), name


def test_one_more_day_costs_the_day(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    read = []
    for i in range(3):
        day = LATER + dt.timedelta(days=i)
        put(lake, day, "more", [event(1000 + 100 * i + n, day) for n in range(60)])
        outcomes = bring(lake, until="field_types")
        assert list(outcomes["field_profiles"].days) == [day]
        read.append(outcomes["field_types"].facts["profiles read"])
    # Three fields on the new day and the day before, and one field, which has fewer values, on all days.
    assert tables(lake)["field_types"].select("field", "n_events").rows() == [
        ("latency_ms", 420),
        ("plan", 420),
        ("prompt", 240),
    ]
    assert read == [11, 13, 15]


@pytest.mark.slow
def test_a_full_refresh_keeps_topic_ids_and_embeds_nothing_again(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    before, embedded = tables(lake), store.version(lake, EMBEDDINGS)
    bring(lake, full_refresh=True)
    after = tables(lake)
    assert after["topics"]["topic_id"].to_list() == before["topics"]["topic_id"].to_list()
    assert set(after["topics"]["model_version"]) == {2}
    for name in ("events", "field_profiles", "messages", "embeddings"):
        assert after[name].equals(before[name]), name
    # A commit that only notes that the messages were looked at again.
    assert store.version(lake, EMBEDDINGS) in (embedded, (embedded or 0) + 1)


@pytest.mark.slow
def test_a_project_without_text_has_types_and_empty_tables_and_loads_no_model(lake: Lake) -> None:
    put(lake, DAYS[0], "a", [event(number, DAYS[0]) for number in range(60)])
    script = (
        "import sys\n"
        "from turret_pipeline.lake.paths import Lake\n"
        "from turret_pipeline.stages import STAGES\n"
        "from turret_pipeline.stages.work import Work\n"
        f"work = Work(Lake({lake.root!r}), {PROJECT!r})\n"
        "for stage in STAGES: stage.bring(work)\n"
        "print(*sorted({'torch', 'bertopic', 'sentence_transformers', 'dagster'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert set(store.read(lake, FIELD_TYPES, PROJECT)["type"]) == {"enum", "number"}
    for table in (MESSAGES, EMBEDDINGS, TOPICS, TOPIC_ASSIGNMENTS, TOPIC_DAYS, JOURNEY_STEPS, JOURNEY_EDGES):
        assert store.read(lake, table, PROJECT).is_empty()
    assert pending_stages(lake, None) == {PROJECT: {}}


@pytest.mark.slow
def test_a_project_with_too_few_texts_for_topics_is_built_with_all_of_them_unassigned(lake: Lake) -> None:
    texts = [f"a question about number {number} and what follows from it" for number in range(6)]
    put(lake, DAYS[0], "a", [event(number, DAYS[0], text) for number, text in enumerate(texts)])
    decide(lake, "prompt", "text")
    bring(lake)
    assigned = store.read(lake, TOPIC_ASSIGNMENTS, PROJECT)
    assert assigned["topic_id"].to_list() == [None] * 6
    edges = store.read(lake, JOURNEY_EDGES, PROJECT).select("from_topic", "to_topic", "count").rows()
    assert edges == [("start", "unassigned", 2), ("unassigned", "end", 2)]
    assert pending_stages(lake, None) == {PROJECT: {}}


def test_projects_do_not_see_each_other(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    before = tables(lake)
    put(lake, DAYS[0], "a", [event(number, DAYS[0]) for number in range(30)], project="another")
    assert list(pending_stages(lake, None)) == ["another", PROJECT]
    assert pending_stages(lake, None)[PROJECT] == {}
    bring(lake, "another")
    after = tables(lake)
    assert all(after[name].equals(rows) for name, rows in before.items())
    assert tables(lake, "another")["events"].height == 30
    assert json.loads(tables(lake, "another")["events"]["metadata"][0])
