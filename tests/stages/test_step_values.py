"""Values beside the steps: those of the steps' own events, day by day, read again only where something changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, bring, bring_one, event, put, tables
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    EVENTS,
    FIELD_OVERRIDES,
    JOURNEY_EDGES,
    JOURNEY_STEPS,
    STEP_VALUES,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
)
from turret_pipeline.semantics.step_values import NONE, unpacked
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work


def beside(lake: Lake, segment: str) -> dict[str, str | None]:
    """The value of each step's event as it lies beside the steps, by event."""
    rows = store.scan(lake, STEP_VALUES, PROJECT).filter(pl.col("segment") == segment).sort("received_date", "field")
    known, places = unpacked(rows.collect())
    steps = store.scan(lake, JOURNEY_STEPS, PROJECT).sort("received_date", "field", "session_id", "place").collect()
    values = known["value"].gather(pl.Series(places).replace(NONE, None))
    return dict(zip(steps["event_id"], values, strict=True))


def sent(lake: Lake, segment: str) -> dict[str, str | None]:
    """The same from the events themselves."""
    steps = store.read(lake, JOURNEY_STEPS, PROJECT, "event_id")
    events = store.read(lake, EVENTS, PROJECT).join(steps, on="event_id", how="semi")
    values = events.select("event_id", pl.col("metadata").str.json_path_match(f"$.{segment}"))
    return dict(values.iter_rows())


def decide(lake: Lake, field: str, type_: str | None) -> None:
    row = (PROJECT, field, dt.datetime.now(dt.UTC), type_)
    store.append(lake, FIELD_OVERRIDES, pl.DataFrame([row], schema=FIELD_OVERRIDES.schema, orient="row"))


@pytest.mark.parametrize("segment", ["plan", "latency_ms"])
def test_every_step_has_the_value_of_its_own_event(lake_before: Callable[[str], Lake], segment: str) -> None:
    lake = lake_before("end")
    found = beside(lake, segment)
    assert found == sent(lake, segment)
    assert len(found) == 240


@pytest.mark.slow
def test_a_late_event_moves_the_values_of_its_session_along(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    files = set(store.project_files(store.open_table(lake, STEP_VALUES), PROJECT))  # type: ignore[arg-type]
    late = event(1, DAYS[1], "how do I get a refund so late", event_id="late", timestamp=event(1, DAYS[0])["timestamp"])
    put(lake, DAYS[1], "late", [late])
    outcomes = bring(lake)
    found = beside(lake, "plan")
    assert found == sent(lake, "plan")
    assert found["late"] == "pro"
    now = set(store.project_files(store.open_table(lake, STEP_VALUES), PROJECT))  # type: ignore[arg-type]
    assert len(files - now) == 1  # the day on which its session lies, and no other
    assert outcomes["step_values"].n_rows == 2


def test_a_refit_reads_no_event_again(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    before = store.read(lake, STEP_VALUES, PROJECT)
    assignments = ProjectTable(lake, TOPIC_ASSIGNMENTS, PROJECT)
    moved = assignments.scan().with_columns(topic_id=pl.lit(None, dtype=pl.String)).collect()
    assignments.replace(moved)
    ProjectTable(lake, EVENTS, PROJECT).replace(EVENTS.empty())  # so that reading them would show
    bring(lake, until="journey_steps")
    assert bring_one("step_values", Work(lake, PROJECT)).n_rows == 0
    assert store.read(lake, STEP_VALUES, PROJECT).equals(before)


@pytest.mark.slow
def test_a_changed_type_changes_the_values_topics_and_journeys_that_follow_from_it(
    lake_before: Callable[[str], Lake],
) -> None:
    lake = lake_before("end")
    before = tables(lake)
    # A number field that is made text gives no messages, and no values of a segment any more.
    decide(lake, "latency_ms", "text")
    done = {stage for stage, outcome in bring(lake).items() if outcome.n_rows}
    assert {"field_types", "step_values"} <= done
    assert set(store.read(lake, STEP_VALUES, PROJECT)["segment"]) == {"plan"}
    # A choice becomes text: it has steps and journeys of its own, with values beside them.
    decide(lake, "latency_ms", None)
    decide(lake, "plan", "text")
    bring(lake)
    edges = store.read(lake, JOURNEY_EDGES, PROJECT)
    assert set(edges["field"]) == {"plan", "prompt"}
    of_plan = edges.filter(pl.col("field") == "plan", pl.col("from_topic") == "start")
    assert of_plan["count"].sum() == 48
    assert store.read(lake, TOPIC_DAYS, PROJECT).filter(pl.col("field") == "plan")["n_messages"].sum() == 240
    values = store.read(lake, STEP_VALUES, PROJECT)
    assert set(values.select("field", "segment").iter_rows()) == {("plan", "latency_ms"), ("prompt", "latency_ms")}
    # And back: nothing of it is left.
    decide(lake, "plan", None)
    bring(lake)
    after = tables(lake)
    for name in ("messages", "topic_days", "journey_steps", "journey_moves", "journey_edges", "step_values"):
        assert after[name].equals(before[name]), name
    assert pending_stages(lake, None) == {PROJECT: {}}
