"""A fit takes requests alone: moves of conversation get topics afterwards and count for nothing that is told of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, bring, event, put
from tests.stages.test_versions import bring_all, with_next_version
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import MESSAGES, TABLES, TOPIC_ASSIGNMENTS, TOPIC_FITS, TOPICS
from turret_pipeline.stages import text_kinds
from turret_pipeline.stages.fits.field import Field, Tables
from turret_pipeline.stages.stage import Task
from turret_pipeline.stages.topics import STAGE
from turret_pipeline.stages.work import Work


@pytest.fixture(autouse=True)
def planted_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that begin with `thanks` are moves, those that begin with `it` say little, all others are requests."""

    def told(texts: pl.DataFrame, examples: object) -> pl.DataFrame:
        thanks, slight = (texts["text"].str.starts_with(word) for word in ("thanks ", "it "))
        kinds = texts.select(
            "text_id",
            move=pl.when(thanks).then(pl.lit("thanks")),
            sureness=pl.lit(1.0),
            weight=pl.when(slight).then(0.1).otherwise(1.0),
        )
        return kinds.cast({name: dtype for name, dtype in text_kinds.COLUMNS.items()})  # noqa: C416 - mypy's stubs want a dict

    monkeypatch.setattr(text_kinds, "told_kinds", told)


def more(lake: Lake, part: str, start: int, n: int = 60) -> None:
    words = ["a lot", "so much", "for that", "to you all", "my friend", "again"]
    said = [f"thanks {words[i % 6]} number {i}" if i % 3 else f"it should be shorter by {i}" for i in range(n)]
    put(lake, DAYS[2], part, [event(start + i, DAYS[2], text) for i, text in enumerate(said)])


def field_of(lake: Lake) -> Field:
    work = Work(lake, PROJECT)
    return Field(work, "prompt", Tables.of(Task(STAGE, work)), STAGE.version, True)


def rows(lake: Lake, name: str) -> pl.DataFrame:
    return store.read(lake, TABLES[name], PROJECT)


@pytest.mark.slow
def test_a_fit_finds_the_same_topics_whatever_moves_there_are(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("text_kinds")
    undisturbed = Lake(lake.root + "-undisturbed")
    shutil.copytree(lake.root, undisturbed.root)
    bring(undisturbed, until="topics")
    more(lake, "moves", 1000)
    bring(lake, until="topics")
    assert rows(lake, "topics").sort("topic_id").equals(rows(undisturbed, "topics").sort("topic_id"))
    for name in ("topic_fits", "topic_lineage"):
        told = [each.drop("seen_until", strict=False) for each in (rows(lake, name), rows(undisturbed, name))]
        assert told[0].equals(told[1]), name
    said = store.read(lake, MESSAGES, PROJECT)
    assigned = store.read(lake, TOPIC_ASSIGNMENTS, PROJECT)
    assert set(assigned["text_id"]) == set(said["text_id"])
    requests = assigned.join(rows(undisturbed, "topic_assignments"), on="text_id", how="semi")
    assert requests.sort("text_id").equals(rows(undisturbed, "topic_assignments").sort("text_id"))
    others = assigned.join(requests, on="text_id", how="anti")
    assert others.height == 60 and others["similarity"].null_count() == 0
    assert field_of(lake).tally().n_texts == 240


@pytest.mark.slow
def test_moves_never_ask_for_a_fit(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    tally = field_of(lake).tally()
    for part in range(2):
        more(lake, f"moves-{part}", 1000 + 200 * part, 200)
        bring(lake, until="topics")
    assert store.read(lake, TOPIC_FITS, PROJECT).height == 1
    assert field_of(lake).tally() == tally


@pytest.mark.slow
def test_topics_of_texts_that_are_told_to_be_moves_by_another_method_end_and_the_others_stay(
    lake_before: Callable[[str], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_before("embeddings")
    more(lake, "moves", 1000, 120)
    with monkeypatch.context() as patch:
        patch.setattr(Tables, "unfit", pl.DataFrame(schema={"text_id": pl.String, "is_move": pl.Boolean}))
        bring(lake, until="topics")
        before = store.read(lake, TOPICS, PROJECT).filter(level=0)
    bring_all(lake, with_next_version("text_kinds"))
    after = store.read(lake, TOPICS, PROJECT).filter(level=0)
    of_moves = before.filter(pl.col("examples").list.first().str.contains("^(thanks|it) "))
    assert of_moves.height > 0
    assert set(before["topic_id"]) - set(after["topic_id"]) == set(of_moves["topic_id"])
    ended = rows(lake, "topic_lineage").filter(model_version=2, kind="end")
    assert set(ended["from_topic"]) == set(of_moves["topic_id"])
    reasons = rows(lake, "topic_fits").sort("model_version")["reason"].to_list()
    assert reasons[1:] == ["requests and moves of conversation are told apart by another method"]
