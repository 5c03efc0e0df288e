"""A project with many text fields: what their fits commit is held and written together, and nothing else differs."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tests.small_lake import DAYS, THEMES, bring, bring_one, copied, event, put, tables
from turret_pipeline import failpoint
from turret_pipeline.embedder.embed import Embedder
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES
from turret_pipeline.stages import topics
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work

MANY = "many"
N_FIELDS = 3
OF_A_FIT = ("topic_fits", "topic_lineage", "topics", "topic_assignments")


@pytest.fixture(scope="module")
def embedded(before: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of `lake`; not to be written to."""
    folder = copied(before["end"], tmp_path_factory.mktemp("many") / "lake")
    lake, themes = Lake(str(folder)), list(THEMES.values())
    for turn, day in enumerate(DAYS[:2]):
        rows = []
        for number in range(turn * 90, turn * 90 + 90):
            words = themes[number // N_FIELDS % 4]
            text = f"how do I get {words[number // N_FIELDS % 5]} for order {number}, please"
            rows.append(event(number, day) | {"metadata": json.dumps({f"prompt_{number % N_FIELDS}": text})})
        put(lake, day, f"p{turn}", rows, MANY)
    bring(lake, MANY, until="embeddings")
    return folder


@pytest.fixture
def lake(embedded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with the events of a project whose messages lie in `N_FIELDS` fields, on two days; so many are many."""
    monkeypatch.setattr(topics, "FEW_FIELDS", N_FIELDS - 1)
    return Lake(str(copied(embedded, tmp_path / "lake")))


def commits(lake: Lake) -> dict[str, int]:
    """Return how often each table of a fit was committed to."""
    return {name: store.version(lake, TABLES[name]) or 0 for name in OF_A_FIT}


@pytest.mark.slow
def test_fits_of_many_fields_leave_what_fits_that_commit_one_by_one_leave(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = commits(lake)
    fitted = bring(lake, MANY)
    held, n_held = tables(lake, MANY), {name: n - before[name] for name, n in commits(lake).items()}
    assert fitted["topics"].n_rows > N_FIELDS
    assert set(held["topics"]["field"]) == {f"prompt_{n}" for n in range(N_FIELDS)}
    assert max(n_held.values()) <= 2, n_held

    monkeypatch.setattr(topics, "FEW_FIELDS", N_FIELDS)
    before = commits(lake)
    bring(lake, MANY, full_refresh=True)
    assert commits(lake)["topics"] - before["topics"] >= N_FIELDS
    alone = tables(lake, MANY)
    for name in ("journey_steps", "journey_edges", "topic_days"):
        assert alone[name].equals(held[name]), name
    columns = ["field", "topic_id", "label", "n_messages", "n_texts"]
    assert alone["topics"].select(columns).equals(held["topics"].select(columns))


@pytest.mark.slow
def test_the_embedding_model_is_opened_once_for_the_fits_of_all_fields(lake: Lake) -> None:
    opened: list[Embedder] = []

    def open_it() -> Embedder:
        opened.append(open_lake_embedder(lake, None))
        return opened[-1]

    bring_one("topics", Work(lake, MANY, embedder=open_it))
    assert tables(lake, MANY)["topic_fits"].height == N_FIELDS
    assert len(opened) == 1


@pytest.mark.slow
@pytest.mark.parametrize("n_commits", [2, 3])  # before the topics, and before their assignments
def test_a_build_that_ends_between_the_commits_of_many_fields_is_made_whole_by_the_next(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, n_commits: int
) -> None:
    left = n_commits

    def end(name: str) -> None:
        nonlocal left
        left -= name == "batch.after_commit"
        if not left:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(failpoint, "on_reached", end)
        with pytest.raises(KeyboardInterrupt):
            bring(lake, MANY)
    bring(lake, MANY)
    assert pending_stages(lake, None)[MANY] == {}
    found = tables(lake, MANY)
    assert found["topic_fits"].group_by("field").len()["len"].to_list() == [1] * N_FIELDS
    assert (
        found["topic_assignments"].height == found["messages"].select(pl.struct("field", "text_id").n_unique()).item()
    )
    assert set(found["topic_assignments"]["topic_id"].drop_nulls()) <= set(found["topics"]["topic_id"])
