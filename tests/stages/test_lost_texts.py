"""Events that were taken back or erased, few or many: what becomes of the topics that are left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, bring, event, put, tables
from turret_pipeline.lake.parts import list_files_of, remove_files, take_back
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TOPICS
from turret_pipeline.stages.fits.lost import Lost, untouched

IMPORT = "import-17"
ODD = [f"can you help with a soup recipe for zanzibar in step {number}" for number in range(8)]


def with_a_few_more(lake: Lake) -> Lake:
    """Return the lake with an import of some texts of a topic that it has, and its tables brought up to date."""
    put(lake, DAYS[1], f"{IMPORT}-000000", [event(900 + n, DAYS[1], text) for n, text in enumerate(ODD)])
    bring(lake)
    return lake


def take_it_back(lake: Lake) -> None:
    take_back(lake, PROJECT, IMPORT, b"{}")
    remove_files(lake, list_files_of(lake, PROJECT, IMPORT))


def named(lake: Lake) -> pl.DataFrame:
    """Return each text's topic, with its id and label."""
    found = tables(lake)
    labels = found["topics"].select("field", "topic_id", "label")
    return found["topic_assignments"].join(labels, on=["field", "topic_id"], how="left").sort("field", "text_id")


@pytest.mark.slow
def test_topics_stay_with_ids_labels_and_texts_where_few_texts_went(lake_before: Callable[[str], Lake]) -> None:
    lake = with_a_few_more(lake_before("end"))
    before, lost = named(lake), set(named(lake)["text_id"])
    take_it_back(lake)
    bring(lake)
    after = named(lake)
    lost -= set(after["text_id"])
    assert len(lost) == len(ODD)
    of_others = before.filter(~pl.col("text_id").is_in(list(lost)))
    touched = set(before.filter(pl.col("text_id").is_in(list(lost)))["topic_id"])
    assert len(touched) == 1
    assert after.select("text_id", "topic_id").equals(of_others.select("text_id", "topic_id"))
    is_touched = pl.col("topic_id").is_in(list(touched))
    assert after.filter(~is_touched)["label"].equals(of_others.filter(~is_touched)["label"])
    assert all("zanzibar" not in str(frame.to_dicts()) for frame in tables(lake).values())


@pytest.mark.slow
def test_what_only_lost_texts_said_goes_also_where_the_build_was_killed(
    lake_before: Callable[[str], Lake], interrupted_at: Callable[[str], AbstractContextManager[None]]
) -> None:
    lake = with_a_few_more(lake_before("end"))
    take_it_back(lake)
    with interrupted_at("topics.after_analysis"):
        bring(lake)
    bring(lake)
    assert all("zanzibar" not in str(frame.to_dicts()) for frame in tables(lake).values())


def topics(**labels: str) -> pl.DataFrame:
    """Return topics with these labels, all of the theme `theme`."""
    rows = [{"topic_id": name, "label": label, "level": 0, "parent_id": "theme"} for name, label in labels.items()]
    return pl.DataFrame(
        [*rows, {"topic_id": "theme", "label": "all", "level": 1, "parent_id": None}],
        schema={name: TOPICS.schema[name] for name in ("topic_id", "label", "level", "parent_id")},
    )


@pytest.mark.parametrize(
    ("lost", "label", "stays"),
    [
        pytest.param(Lost(1, 100, frozenset()), "refund for order", {"a", "b", "theme"}, id="it lost nothing"),
        pytest.param(Lost(1, 100, frozenset(["a"])), "refund for order", {"b"}, id="it lost a text"),
        pytest.param(Lost(1, 100, frozenset()), "refund for zanzibar", {"b"}, id="its label says what nobody says"),
        pytest.param(Lost(20, 100, frozenset()), "refund for order", set(), id="many went"),
        pytest.param(None, "refund for order", set(), id="not known"),
    ],
)
def test_a_label_stays_that_says_nothing_of_what_was_lost(lost: Lost | None, label: str, stays: set[str]) -> None:
    texts = pl.DataFrame({"text_id": ["1", "2"], "text": ["Refund for my ORDER", "where is it"]})
    known = pl.DataFrame({"text_id": ["1", "2"], "topic_id": ["a", "b"]})
    assert untouched(topics(a=label, b="where"), lost, texts, known) == stays
