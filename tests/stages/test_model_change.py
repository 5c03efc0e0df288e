"""Another embedding model embeds all texts anew, takes the vectors of the one before away, and keeps topic ids."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, copied, planted_rows, put
from tests.stages.faults import stand_in
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, MESSAGES, TOPICS
from turret_pipeline.stages import STAGES
from turret_pipeline.stages.work import Work

ONE, OTHER = "stand-in:one", "stand-in:other"


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of `built`; not to be written to."""
    lake = Lake(str(tmp_path_factory.mktemp("built") / "lake"))
    lake.make()
    for number, day in enumerate(DAYS):
        put(lake, day, f"a-{number}", planted_rows()[80 * number : 80 * number + 80])
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch)
        bring(lake, ONE)
    return Path(lake.root)


@pytest.fixture
def built(built_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake whose texts were embedded by the model `ONE`."""
    stand_in(monkeypatch)
    return Lake(str(copied(built_once, tmp_path / "built")))


def bring(lake: Lake, model: str) -> int:
    return sum(outcome.n_rows for stage in STAGES for outcome in stage.bring(Work(lake, PROJECT, model)))


def models(lake: Lake) -> dict[str, int]:
    found = store.read(lake, EMBEDDINGS, PROJECT).group_by("model").agg(pl.col("text_id").n_unique())
    return dict(found.iter_rows())


@pytest.mark.slow
def test_all_texts_have_vectors_of_the_new_model_alone_and_topics_keep_their_ids(built: Lake) -> None:
    n_texts = store.read(built, MESSAGES, PROJECT)["text_id"].n_unique()
    assert models(built) == {ONE: n_texts}
    before = set(store.read(built, TOPICS, PROJECT)["topic_id"])
    bring(built, OTHER)
    assert models(built) == {OTHER: n_texts}
    assert set(store.read(built, TOPICS, PROJECT)["topic_id"]) == before
    assert bring(built, OTHER) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "left"),
    [
        ("after_chunk", {ONE, OTHER}),
        pytest.param("after_other_models", {OTHER}, marks=pytest.mark.long),
    ],
)
def test_a_change_that_is_killed_goes_on_where_it_was(
    point: str, left: set[str], built: Lake, interrupted_at: Callable[[str], AbstractContextManager[None]]
) -> None:
    n_texts = store.read(built, MESSAGES, PROJECT)["text_id"].n_unique()
    with interrupted_at(f"embeddings.{point}"):
        bring(built, OTHER)
    assert set(models(built)) == left
    bring(built, OTHER)
    assert models(built) == {OTHER: n_texts}
