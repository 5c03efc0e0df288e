"""Another version of a stage's method makes what it made stale, and what follows from that, and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, event, put, tables, versions
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES
from turret_pipeline.stages import STAGE_OF, STAGES
from turret_pipeline.stages.events import GROUP_BYTES
from turret_pipeline.stages.pending import pending_stages, stopped
from turret_pipeline.stages.stage import Stage
from turret_pipeline.stages.work import Work

WRONG = {
    "events": {"name": pl.lit("by the old method")},
    "field_profiles": {"n_values": pl.lit(7, dtype=pl.Int64)},
    "field_types": {"reason": pl.lit("by the old method")},
    "messages": {"user_id": pl.lit("by the old method")},
    "embeddings": {"quantized": pl.lit(b"by the old method")},
    "text_kinds": {"weight": pl.lit(0.75, dtype=pl.Float32)},
    "text_sentiment": {"score": pl.lit(-0.25, dtype=pl.Float32)},
    "topic_assignments": {"similarity": pl.lit(0.0)},
    "topic_days": {"n_messages": pl.lit(7, dtype=pl.Int64)},
    "journey_steps": {"name": pl.lit("by the old method")},
    "step_values": {"values": pl.lit(["by the old method"])},
    "friction": {"strength": pl.lit(0.25)},
    "journey_moves": {"count": pl.lit(7, dtype=pl.Int64)},
    "journey_edges": {"count": pl.lit(7, dtype=pl.Int64)},
}
"""By table what is written into each row, as if the old method had: it is gone if the rows are made anew."""

QUICK = ("field_types", "friction")


def with_next_version(name: str) -> list[Stage]:
    """Return all stages, that of the table `name` with the next version of its method."""
    following = STAGE_OF[name].version + 1
    return [dataclasses.replace(stage, version=following) if STAGE_OF[name] is stage else stage for stage in STAGES]


def bring_all(lake: Lake, stages: Sequence[Stage]) -> dict[str, int]:
    """Run the stages; return how many rows each table got."""
    return {outcome.table: outcome.n_rows for stage in stages for outcome in stage.bring(Work(lake, PROJECT))}


def made_by(stage: Stage) -> set[str]:
    return {product.table.name for product in stage.makes}


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[] if each in QUICK else pytest.mark.slow) for each in WRONG]
)
def test_rows_of_another_version_are_made_anew_with_what_follows_from_them_and_nothing_else(
    lake_before: Callable[[str], Lake], undisturbed: dict[str, pl.DataFrame], name: str
) -> None:
    lake, stage = lake_before("end"), STAGE_OF[name]
    rows = undisturbed[name].with_columns(**WRONG[name]).select(TABLES[name].schema.names())
    store.replace(lake, TABLES[name], rows, PROJECT)
    before, stages = versions(lake), with_next_version(name)
    assert set(pending_stages(lake, None, stages=stages)[PROJECT]) == made_by(stage)

    bring_all(lake, stages)
    after, left = versions(lake), tables(lake)
    follows = made_by(stage) | stopped(made_by(stage)) | {each.table.name for each in stage.by_products} | {"builds"}
    follows |= {each.table.name for follower in STAGES if made_by(follower) & follows for each in follower.by_products}
    assert {each for each in after if after[each] != before[each]} <= follows
    assert pending_stages(lake, None, stages=stages) == {PROJECT: {}}
    # What was fitted again says so; all else is as the undisturbed build left it.
    fitted = {"embeddings", "text_kinds", "topic_assignments"} & {name}
    for each, expected in undisturbed.items():
        skipped = ["model_version"] if fitted and "model_version" in expected.columns else []
        if not (fitted and each in ("topics", "topic_lineage", "topic_fits")):
            assert left[each].drop(skipped).equals(expected.drop(skipped)), each
    written = bring_all(lake, stages)
    assert {each: n for each, n in written.items() if n} == {}
    assert versions(lake) == after


@pytest.mark.slow
@pytest.mark.parametrize(("name", "reason"), [("topics", "another method"), ("embeddings", "model is another one")])
def test_topics_of_another_version_are_fitted_again_and_keep_their_ids_and_labels(
    lake_before: Callable[[str], Lake], undisturbed: dict[str, pl.DataFrame], name: str, reason: str
) -> None:
    lake, stages = lake_before("end"), with_next_version(name)
    bring_all(lake, stages)
    left = tables(lake)
    assert set(left["topics"]["model_version"]) == set(left["topic_assignments"]["model_version"]) == {2}
    assert left["topics"].select("topic_id", "label").equals(undisturbed["topics"].select("topic_id", "label"))
    assert reason in left["topic_fits"].sort("model_version")["reason"][-1]
    assert left["topic_fits"].height == 2


def test_a_change_of_method_keeps_what_is_known_of_the_history_of_types(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    known = store.read(lake, TABLES["field_history"], PROJECT)
    bring_all(lake, with_next_version("field_types"))
    assert store.read(lake, TABLES["field_history"], PROJECT).equals(known)


def test_types_are_judged_without_regard_to_those_of_another_version_and_from_sums_made_anew(
    lake_before: Callable[[str], Lake], undisturbed: dict[str, pl.DataFrame]
) -> None:
    lake = lake_before("end")
    numbers = pl.col("field") == "latency_ms"
    sure = {"detected_type": pl.lit("other"), "confidence": pl.lit(1.0)}
    types = undisturbed["field_types"].with_columns(
        pl.when(numbers).then(of).otherwise(n).alias(n) for n, of in sure.items()
    )
    store.replace(lake, TABLES["field_types"], types, PROJECT)
    evidence = pl.col("evidence").filter(numbers).first()
    store.replace(lake, TABLES["field_totals"], undisturbed["field_totals"].with_columns(evidence), PROJECT)
    bring_all(lake, with_next_version("field_types"))
    left = tables(lake)
    for name in ("field_types", "field_totals", "field_history"):
        assert left[name].equals(undisturbed[name]), name


@pytest.mark.slow
def test_an_older_version_of_the_program_makes_its_own_rows_again(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    bring_all(lake, with_next_version("messages"))
    assert set(pending_stages(lake, None)[PROJECT]) == {"messages"}
    assert bring_all(lake, STAGES)["messages"] == 240
    assert pending_stages(lake, None) == {PROJECT: {}}


@pytest.mark.slow
def test_new_events_are_added_to_those_of_a_later_version_as_to_any(
    lake_before: Callable[[str], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert GROUP_BYTES > 1
    monkeypatch.setattr("turret_pipeline.stages.events.GROUP_BYTES", 1)  # a part at a time
    lake, stages = lake_before("end"), with_next_version("events")
    bring_all(lake, stages)
    put(lake, DAYS[1], "late", [event(900, DAYS[1])])
    put(lake, DAYS[1], "later", [event(901, DAYS[1])])
    assert bring_all(lake, stages)["events"] == 2
    assert pending_stages(lake, None, stages=stages) == {PROJECT: {}}
