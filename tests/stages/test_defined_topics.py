"""Topics that people define take their texts with the next build, hold through fits, and give all back when removed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.read.reading import read_app
from tests.small_lake import FRAMES, PROJECT, THEMES, bring, copied, event, put, tables
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    JOURNEY_STEPS,
    MESSAGES,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPIC_EDITS,
    TOPIC_FITS,
    TOPICS,
)
from turret_pipeline.semantics.definitions import Definition
from turret_pipeline.stages import STAGES
from turret_pipeline.stages.pending import pending_stages

OURS = "d_ours"
LATER = dt.date(2026, 10, 5)
OURS_IS_ABOUT = "a soup recipe"
SAID = tuple(frame.format(OURS_IS_ABOUT, 1000 + n) for n, frame in enumerate(FRAMES))
"""Examples that nobody said in these words."""


def define(
    lake: Lake, examples: tuple[str, ...] | None, counter_examples: tuple[str, ...] = (), name: str = OURS
) -> None:
    """Write the edit that defines a topic, or (None) takes it away."""
    value = None if examples is None else Definition(name, "Cooking", examples, counter_examples).value
    row = (PROJECT, "prompt", name, "define", value, dt.datetime.now(dt.UTC))
    store.append(lake, TOPIC_EDITS, pl.DataFrame([row], schema=TOPIC_EDITS.schema, orient="row"))


def texts_of(lake: Lake, topic_id: str = OURS) -> set[str]:
    """Return the texts that have the topic."""
    texts = store.read(lake, MESSAGES, PROJECT).select("text_id", "text").unique()
    mine = store.read(lake, TOPIC_ASSIGNMENTS, PROJECT).filter(pl.col("topic_id") == topic_id)
    return set(texts.join(mine, on="text_id", how="semi")["text"])


def about(theme: str, text: str) -> bool:
    return any(words in text for words in THEMES[theme])


def grow(lake: Lake, start: int = 1000, each: int = 75) -> None:
    """Bring so many more texts of each theme that the next fit is due."""
    for number, words in enumerate(THEMES.values()):
        first = start + each * number
        texts = [FRAMES[n % 4].format(words[n % 5], first + n) for n in range(each)]
        put(lake, LATER, f"more{first}", [event(first + n, LATER, text) for n, text in enumerate(texts)])
    bring(lake)


@pytest.fixture(scope="module")
def defined_once(before: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of `defined`; not to be written to."""
    lake = Lake(str(copied(before["end"], tmp_path_factory.mktemp("defined") / "lake")))
    define(lake, SAID)
    bring(lake)
    return Path(lake.root)


@pytest.fixture
def defined(defined_once: Path, tmp_path: Path) -> Lake:
    """The small lake with a topic that was defined after its first fit, and built."""
    return Lake(str(copied(defined_once, tmp_path / "defined")))


def test_a_defined_topic_takes_what_is_like_its_examples_and_shows_in_every_table(defined: Lake) -> None:
    taken = texts_of(defined)
    said = store.read(defined, MESSAGES, PROJECT).filter(pl.col("text").str.contains(OURS_IS_ABOUT))["text"]
    assert taken <= set(said)
    assert len(taken) >= 7
    (row,) = store.read(defined, TOPICS, PROJECT).filter(pl.col("topic_id") == OURS).to_dicts()
    assert (row["label"], row["n_texts"], row["level"]) == ("Cooking", len(taken), 0)
    assert row["parent_id"] in {None, *store.read(defined, TOPICS, PROJECT).filter(pl.col("level") == 1)["topic_id"]}
    for table in (JOURNEY_STEPS, TOPIC_DAYS):
        assert OURS in set(store.read(defined, table, PROJECT)["topic_id"])
    assert store.read(defined, TOPIC_FITS, PROJECT).height == 1, "no fit was needed"
    assert pending_stages(defined, None) == {PROJECT: {}}


@pytest.mark.slow
def test_a_build_takes_what_the_trial_said(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    with TestClient(read_app(lake)) as client:

        def post(path: str, **body: object) -> dict[str, Any]:
            answer = client.post(path, json=body, headers={"X-API-Key": f"{PROJECT}:admin"})
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        tried = post("/v1/topics/try", examples=SAID)
        near = [row for row in tried["border"] if not row["taken"]]
        assert [row for row in near if row["closeness"] >= 1] == []
        refused = tried["nearest"][0]["text"]
        other = post("/v1/topics/try", examples=SAID, counter_examples=[refused])
        assert refused not in [row["text"] for row in other["nearest"] + other["border"]]
        assert 0 < other["n_texts"] < tried["n_texts"]
        precision = tried["precision"]
        assert 0 < precision["low"] < precision["estimate"] < precision["high"] <= 1
        assert precision["held_out_taken"] == len(SAID)
        assert sum(row["n_messages"] for row in tried["sources"]) == tried["n_messages"]
        searched = post("/v1/topics/try", search="recipes for soup")
        assert all(OURS_IS_ABOUT in text for text in searched["examples"])
        assert client.get("/v1/topics/edits", headers={"X-API-Key": f"{PROJECT}:read"}).json()["data"] == []
        topic_id = post("/v1/topics", label="Cooking", examples=SAID)["topic_id"]
    bring(lake)
    taken = texts_of(lake, topic_id)
    assert len(taken) == tried["n_texts"]
    assert {row["text"] for row in tried["nearest"]} <= taken
    assert not {row["text"] for row in near} & taken


def test_the_tables_pass_their_checks(defined: Lake) -> None:
    for stage in STAGES:
        for product in stage.products:
            for name, check in product.all_checks.items():
                found = check.find(defined, PROJECT)
                assert found.n_wrong == 0, (product.table.name, name, found)


@pytest.mark.slow
def test_removing_the_definition_restores_all_that_there_was(
    defined: Lake, undisturbed: dict[str, pl.DataFrame]
) -> None:
    define(defined, None)
    assert "topics" in pending_stages(defined, None)[PROJECT]
    bring(defined)
    restored = tables(defined)
    for name in ("topics", "topic_assignments", "topic_days", "journey_steps", "journey_edges"):
        assert restored[name].equals(undisturbed[name]), name


@pytest.mark.slow
def test_it_holds_through_a_fit_takes_new_texts_and_is_no_material_for_found_topics(defined: Lake) -> None:
    before = texts_of(defined)
    grow(defined)
    assert store.read(defined, TOPIC_FITS, PROJECT)["model_version"].max() == 2
    after = texts_of(defined)
    assert len(after & before) > 0.9 * len(before)
    new = [text for text in after - before if OURS_IS_ABOUT in text]
    assert len(new) > 10
    assert all(OURS_IS_ABOUT in text for text in after)
    found = store.read(defined, TOPICS, PROJECT).filter(pl.col("level") == 0, pl.col("topic_id") != OURS)
    examples = [text for texts in found["examples"] for text in texts]
    assert examples
    assert not [text for text in examples if text in before]
    define(defined, None)
    bring(defined)
    assert not texts_of(defined)


@pytest.mark.long
def test_a_counter_example_is_not_taken_and_an_example_always_is(defined: Lake) -> None:
    refused = sorted(texts_of(defined))[0]
    odd = sorted(text for text in texts_of(defined, other(defined)) if about("password", text))[:1]
    define(defined, (*SAID, *odd), (refused,))
    bring(defined)
    assert refused not in texts_of(defined)
    assert set(odd) <= texts_of(defined)


def other(lake: Lake) -> str:
    """Return the found topic that most texts of passwords have."""
    said = (
        store.read(lake, MESSAGES, PROJECT).filter(pl.col("text").str.contains("password")).select("text_id").unique()
    )
    assigned = store.read(lake, TOPIC_ASSIGNMENTS, PROJECT).join(said, on="text_id", how="semi")
    return str(assigned["topic_id"].drop_nulls().mode().sort()[0])


@pytest.mark.long
def test_two_definitions_do_not_share_a_text_and_one_gives_back_to_the_other(defined: Lake) -> None:
    alone = texts_of(defined)
    define(defined, (*sorted(alone)[:2], "tell me about a soup recipe with bread"), name="d_bread")
    bring(defined)
    assert not texts_of(defined) & texts_of(defined, "d_bread")
    define(defined, None, name="d_bread")
    bring(defined)
    assert texts_of(defined) == alone
