"""A build that is killed anywhere and run again leaves what an undisturbed one leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import deltalake
import polars as pl
import pytest

from tests.small_lake import CHUNK_TEXTS, PROJECT, bring, bring_one, tables
from turret_pipeline import failpoint
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TOPIC_ASSIGNMENTS, TOPICS
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work

Kill = Callable[[Lake, str, str, int], int]

BEFORE_MODELS = [
    pytest.param("events", "events.after_read", 0, marks=pytest.mark.long),
    pytest.param("events", "events.after_read", 1, marks=pytest.mark.slow),
    pytest.param("events", "events.after_group", 0, marks=pytest.mark.long),
    ("events", "events.after_group", 2),
    ("events", "events.after_day", 2),
    ("field_profiles", "field_profiles.after_analysis", 1),
    pytest.param("field_profiles", "field_profiles.after_day", 1, marks=pytest.mark.slow),
    pytest.param("field_types", "field_types.after_analysis", 0, marks=pytest.mark.slow),
    ("field_types", "field_totals.after_commit", 0),
    pytest.param("field_types", "field_types.after_history", 0, marks=pytest.mark.slow),
    ("field_types", "field_types.after_commit", 0),
    ("messages", "messages.after_analysis", 1),
    ("messages", "messages.after_day", 1),
]
TO_THE_END = [
    pytest.param("shared_frames", "shared_frames.after_analysis", 0, marks=pytest.mark.slow),
    pytest.param("events", "events.after_day", 0, marks=pytest.mark.slow),
    pytest.param("embeddings", "embeddings.after_analysis", 1, marks=pytest.mark.long),
    pytest.param("embeddings", "embeddings.after_chunk", 0, marks=pytest.mark.slow),
    pytest.param("text_kinds", "text_kinds.after_analysis", 1, marks=pytest.mark.long),
    pytest.param("text_kinds", "text_kinds.after_chunk", 0, marks=pytest.mark.slow),
    pytest.param("text_sentiment", "text_sentiment.after_analysis", 1, marks=pytest.mark.long),
    pytest.param("text_sentiment", "text_sentiment.after_chunk", 0, marks=pytest.mark.slow),
    pytest.param("topics", "topics.after_analysis", 0, marks=pytest.mark.long),
    pytest.param("topics", "topic_lineage.after_commit", 0, marks=pytest.mark.slow),
    pytest.param("topics", "topics.after_commit", 0, marks=pytest.mark.slow),
    ("topics", "topic_assignments.after_commit", 0),
    pytest.param("journey_steps", "journey_steps.after_analysis", 1, marks=pytest.mark.slow),
    pytest.param("journey_steps", "journey_steps.after_days", 0, marks=pytest.mark.slow),
    pytest.param("step_values", "step_values.after_analysis", 1, marks=pytest.mark.long),
    pytest.param("step_values", "step_values.after_days", 0, marks=pytest.mark.slow),
    pytest.param("friction", "friction.after_analysis", 1, marks=pytest.mark.long),
    pytest.param("friction", "friction.after_days", 0, marks=pytest.mark.slow),
    pytest.param("answers", "answers.after_days", 0, marks=pytest.mark.slow),
    pytest.param("journey_moves", "journey_moves.after_analysis", 1, marks=pytest.mark.long),
    pytest.param("journey_moves", "journey_moves.after_days", 1, marks=pytest.mark.slow),
    pytest.param("topic_days", "topic_days.after_analysis", 0, marks=pytest.mark.long),
    pytest.param("topic_days", "topic_days.after_days", 0, marks=pytest.mark.slow),
    pytest.param("journey_edges", "journey_edges.after_analysis", 0, marks=pytest.mark.slow),
    ("journey_edges", "journey_edges.after_commit", 0),
]


@pytest.fixture(scope="module")
def kill() -> Iterator[Kill]:
    """Run a stage in a process of its own until it dies at a failpoint; return how it ended."""
    launcher = Path(__file__).with_name("killable.py")
    with subprocess.Popen(
        [sys.executable, str(launcher)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        orders, answers = process.stdin, process.stdout

        def run(lake: Lake, stage: str, point: str, passes: int) -> int:
            order = {"lake": lake.root, "project": PROJECT, "stage": stage, "point": point, "pass": passes}
            orders.write(json.dumps(order | {"chunk_texts": CHUNK_TEXTS}) + "\n")
            orders.flush()
            return int(answers.readline())

        yield run
        orders.close()


@pytest.mark.parametrize(("stage", "point", "passes"), BEFORE_MODELS)
def test_a_stage_that_was_killed_leaves_the_same_tables_when_it_is_run_again(
    kill: Kill,
    lake_before: Callable[[str], Lake],
    undisturbed: dict[str, pl.DataFrame],
    stage: str,
    point: str,
    passes: int,
) -> None:
    lake = lake_before(stage)
    assert kill(lake, stage, point, passes) == -9
    bring(lake, until="messages")
    left = tables(lake)
    for name in ("events", "field_profiles", "field_types", "messages"):
        assert left[name].equals(undisturbed[name]), name
    assert list(pending_stages(lake, None)[PROJECT])[:1] == ["shared_frames"]


@pytest.mark.parametrize(("stage", "point", "passes"), TO_THE_END)
def test_a_build_that_was_killed_leaves_the_same_tables_when_it_is_run_again(
    kill: Kill,
    lake_before: Callable[[str], Lake],
    undisturbed: dict[str, pl.DataFrame],
    stage: str,
    point: str,
    passes: int,
) -> None:
    lake = lake_before(stage)
    assert kill(lake, stage, point, passes) == -9
    bring(lake)
    left = tables(lake)
    for name, rows in undisturbed.items():
        assert left[name].equals(rows), name
    assert pending_stages(lake, None) == {PROJECT: {}}


def clean_log(topics: deltalake.DeltaTable) -> None:
    topics.alter.set_table_properties({"delta.logRetentionDuration": "interval 0 days"})
    topics.create_checkpoint()
    topics.cleanup_metadata()


def remove_files(topics: deltalake.DeltaTable) -> None:
    topics.vacuum(0, dry_run=False, enforce_retention_duration=False)


@pytest.mark.slow
@pytest.mark.parametrize("clean", [clean_log, remove_files])
def test_a_fit_that_was_interrupted_long_ago_goes_on_from_the_newest_topics_and_ids_stay(
    lake_before: Callable[[str], Lake], monkeypatch: pytest.MonkeyPatch, clean: Callable[[deltalake.DeltaTable], None]
) -> None:
    work = Work(lake_before("end"), PROJECT, full_refresh=True)
    for table in (TOPICS, TOPIC_ASSIGNMENTS):
        opened = work.open(table)
        opened.replace(opened.scan().collect().with_columns(topic_id="old_" + pl.col("topic_id")))
    before = tables(work.lake)

    def die(name: str) -> None:
        assert name != "topics.after_commit"

    monkeypatch.setattr(failpoint, "on_reached", die)
    with pytest.raises(AssertionError):
        bring_one("topics", work)
    monkeypatch.undo()
    clean(deltalake.DeltaTable(work.lake.table(TOPICS.name)))
    bring(work.lake)
    after = tables(work.lake)
    leaves = pl.col("level") == 0
    kept = before["topics"].filter(leaves).select("topic_id", "label")
    assert after["topics"].filter(leaves).select("topic_id", "label").equals(kept)
    assert set(after["topic_assignments"]["model_version"]) == {2}
    assert pending_stages(work.lake, None) == {PROJECT: {}}
