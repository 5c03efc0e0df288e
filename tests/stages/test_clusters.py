"""Another way to cluster is another fit: of all fields, with the reason, and topics keep their ids."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from tests.small_lake import PROJECT
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TOPIC_FITS
from turret_pipeline.stages import STAGE_OF
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work


@pytest.mark.long
def test_a_change_of_the_setting_fits_topics_anew_once_and_carries_their_ids(
    lake_before: Callable[[str], Lake],
) -> None:
    lake = lake_before("end")
    assert pending_stages(lake, None) == {PROJECT: {}}
    assert list(pending_stages(lake, None, clusters="hdbscan")[PROJECT]) == ["topics", "topic_assignments"]
    work = Work(lake, PROJECT, clusters="hdbscan")
    fitted, _ = STAGE_OF["topics"].bring(work)
    assert fitted.facts["why prompt was fitted"] == "another way to cluster was chosen"
    last = store.read(lake, TOPIC_FITS, PROJECT).sort("model_version").row(-1, named=True)
    assert last["kept_ids"] >= 0.5  # both ways find the themes of the small lake
    assert "topics" not in pending_stages(lake, None, clusters="hdbscan")[PROJECT]
    assert STAGE_OF["topics"].bring(work)[0].n_rows == 0
    STAGE_OF["topics"].bring(Work(lake, PROJECT))
    fits = store.read(lake, TOPIC_FITS, PROJECT).sort("model_version")
    assert fits["model_version"].to_list() == [1, 2, 3]
    assert fits.filter(pl.col("model_version") > 1)["reason"].unique().to_list() == [
        fitted.facts["why prompt was fitted"]
    ]
