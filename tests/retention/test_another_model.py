"""What was told of texts that are gone stays when another embedding model tells it of all others."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, planted_rows, put
from tests.stages.faults import stand_in
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    EMBEDDINGS,
    JOURNEY_STEPS,
    RETENTION_RULES,
    TEXT_KINDS,
    TEXT_SENTIMENT,
    TOPIC_ASSIGNMENTS,
)
from turret_pipeline.retention.run import retain
from turret_pipeline.semantics.gone import IS_GONE
from turret_pipeline.stages import STAGES
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work

ONE, OTHER = "stand-in:one", "stand-in:other"
NOW = dt.datetime(2026, 10, 4, 5, tzinfo=dt.UTC)


def bring(lake: Lake, model: str) -> None:
    for stage in STAGES:
        stage.bring(Work(lake, PROJECT, model))


@pytest.mark.slow
def test_texts_that_are_gone_keep_what_was_told_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    lake = Lake(str(tmp_path / "lake"))
    lake.make()
    for number, day in enumerate(DAYS):
        put(lake, day, f"a-{number}", planted_rows()[80 * number : 80 * number + 80])
    bring(lake, ONE)
    row = {"project_id": PROJECT, "field": None, "decided_at": NOW, "days": 1, "author": None}
    store.append(lake, RETENTION_RULES, pl.DataFrame([row], schema=RETENTION_RULES.schema))
    retain(Work(lake, PROJECT, ONE), NOW)

    def of_gone() -> list[list[tuple[object, ...]]]:
        tables = (TEXT_KINDS, TEXT_SENTIMENT)
        told = [
            store.read(lake, table, PROJECT).filter(IS_GONE).drop("model").unique().sort("text_id") for table in tables
        ]
        steps = store.read(lake, JOURNEY_STEPS, PROJECT).filter(IS_GONE).sort("text_id", "place")
        return [*(each.rows() for each in told), steps.select("text_id", "kind").rows()]

    before = of_gone()
    bring(lake, OTHER)
    assert of_gone() == before
    assert store.read(lake, EMBEDDINGS, PROJECT).group_by("model").len().rows() == [(OTHER, 80)]
    assigned = store.read(lake, TOPIC_ASSIGNMENTS, PROJECT).filter(IS_GONE)
    assert (assigned.height, assigned["topic_id"].null_count()) == (160, 0)
    assert not pending_stages(lake, OTHER)[PROJECT]
