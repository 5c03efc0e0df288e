"""Of a long prompt the lake holds what it asks; homes whose vectors are of its beginning get the long ones anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, bring, event, put, tables
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, MESSAGES
from turret_pipeline.stages import STAGE_OF
from turret_pipeline.stages.work import Work

ASK = "how do I get a refund for order 900"
LONG = f"{ASK}\n\n```\n" + "total = sum(row.price for row in rows)\n" * 30 + "```"


@pytest.mark.slow
def test_a_long_prompt_is_embedded_and_grouped_by_what_it_asks(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    put(lake, DAYS[2], "long", [event(900, DAYS[2], LONG), event(901, DAYS[2], ASK)])
    bring(lake)
    left = tables(lake)
    said = left["messages"].filter(pl.col("event_id").is_in(["e900", "e901"])).sort("event_id")
    assert said["text"].to_list() == [LONG, ASK]
    rows = said.select("text_id").join(left["embeddings"], on="text_id", maintain_order="left")
    assert rows["text"].to_list() == [ASK, ASK] and rows["vector"][0].equals(rows["vector"][1])
    topics = said.select("text_id").join(left["topic_assignments"], on="text_id", maintain_order="left")
    assert topics["topic_id"][0] == topics["topic_id"][1] is not None


@pytest.mark.slow
def test_a_home_that_did_not_know_conversations_in_one_text_embeds_those_alone_anew(
    lake_before: Callable[[str], Lake],
) -> None:
    lake, stage = lake_before("embeddings"), STAGE_OF["embeddings"]
    said = f"Human: {ASK}\n\nAssistant:"
    put(lake, DAYS[2], "chat", [event(900, DAYS[2], said), event(901, DAYS[2], LONG)])
    bring(lake, until="messages")
    n_texts = replace(stage, version=2).bring(Work(lake, PROJECT))[0].n_rows
    rows = store.read(lake, EMBEDDINGS, PROJECT)
    [text_id] = store.read(lake, MESSAGES, PROJECT).filter(pl.col("text") == said)["text_id"].to_list()
    text = pl.when(pl.col("text_id") == text_id).then(pl.lit(said)).otherwise("text").alias("text")
    store.replace(lake, EMBEDDINGS, rows.with_columns(text, quantized=pl.lit(b"the second method's")), PROJECT)
    assert stage.bring(Work(lake, PROJECT))[0].n_rows == 1
    left = store.read(lake, EMBEDDINGS, PROJECT)
    assert left.height == n_texts == left.filter(pl.col("quantized") == b"the second method's").height + 1
    assert left.filter(pl.col("text_id") == text_id)["text"].to_list() == [ASK]
    assert stage.bring(Work(lake, PROJECT))[0].n_rows == 0


@pytest.mark.slow
def test_of_a_home_whose_vectors_were_of_beginnings_only_the_long_texts_are_embedded_anew(
    lake_before: Callable[[str], Lake],
) -> None:
    lake, stage = lake_before("embeddings"), STAGE_OF["embeddings"]
    put(lake, DAYS[2], "long", [event(900, DAYS[2], LONG)])
    bring(lake, until="messages")
    first = replace(stage, version=1)
    n_texts = first.bring(Work(lake, PROJECT))[0].n_rows
    rows = store.read(lake, EMBEDDINGS, PROJECT)
    text = pl.when(pl.col("text") == ASK).then(pl.lit(LONG)).otherwise("text").alias("text")
    store.replace(lake, EMBEDDINGS, rows.with_columns(text, quantized=pl.lit(b"the first method's")), PROJECT)
    assert stage.bring(Work(lake, PROJECT))[0].n_rows == 1
    left = store.read(lake, EMBEDDINGS, PROJECT)
    assert left.height == n_texts == left.filter(pl.col("quantized") == b"the first method's").height + 1
    assert left.filter(pl.col("text") == ASK)["quantized"].to_list() != [b"the first method's"]
    assert stage.bring(Work(lake, PROJECT))[0].n_rows == 0
