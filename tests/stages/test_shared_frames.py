"""What many texts share word for word is found, cut before they are embedded, and found the same however late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, bring, event, put, tables, versions
from turret_pipeline import failpoint
from turret_pipeline.lake.parts import list_files_of, remove_files, take_back
from turret_pipeline.lake.paths import Lake
from turret_pipeline.semantics.prompts.finding import find_frames
from turret_pipeline.semantics.prompts.frames import Frame
from turret_pipeline.stages import CHECKS, STAGE_OF, shared_frames
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work

SYSTEM = (
    "You are the assistant of a shop. Answer in two sentences, never speak of other shops, and write dates as day, "
    "month and year.\nIf you do not know an answer, say so and name the help page. Be friendly."
)


def framed(first: int, n: int) -> list[dict[str, object]]:
    return [event(i, DAYS[2], f"{SYSTEM}\n\nhow do I get a refund for order {i}") for i in range(first, first + n)]


@pytest.mark.slow
def test_a_system_prompt_that_many_messages_begin_with_is_cut_before_they_are_embedded(
    lake_before: Callable[[str], Lake],
) -> None:
    lake = lake_before("end")
    before = tables(lake)
    put(lake, DAYS[2], "few", framed(900, 10))
    bring(lake)
    assert tables(lake)["shared_frames"].is_empty()

    put(lake, DAYS[2], "many", [*framed(910, 30), event(990, DAYS[2], SYSTEM)])
    bring(lake)
    left = tables(lake)
    assert left["shared_frames"].select("text", "n_texts").rows() == [(SYSTEM, 40)]
    embedded = left["messages"].join(left["embeddings"].select("text_id", read="text"), on="text_id")
    assert embedded.height == left["messages"].height == 281
    read = dict(embedded.select("event_id", "read").rows())
    assert (
        read["e900"] == "how do I get a refund for order 900" and read["e939"] == "how do I get a refund for order 939"
    )
    assert read["e990"] == SYSTEM and read["e0"] == embedded.filter(pl.col("event_id") == "e0")["text"].item()

    at_once = lake_before("events")
    put(at_once, DAYS[2], "few", framed(900, 10))
    put(at_once, DAYS[2], "many", [*framed(910, 30), event(990, DAYS[2], SYSTEM)])
    bring(at_once)
    told = tables(at_once)
    assert told["shared_frames"].equals(left["shared_frames"])
    assert told["embeddings"].drop("vector", "quantized").equals(left["embeddings"].drop("vector", "quantized"))

    kinds = [each["text_kinds"].select("text_id", "move", pl.col("weight").round(2)) for each in (told, left)]
    assert kinds[0].equals(kinds[1])

    assert "texts are read without other shared frames" in left["topic_fits"]["reason"].to_list()
    topics = left["topic_assignments"].join(embedded.select("text_id", "event_id"), on="text_id")
    of = dict(topics.select("event_id", "topic_id").rows())
    assert of["e900"] == of["e939"] is not None
    known = [row.filter(pl.col("level") == 0)["topic_id"] for row in (before["topics"], left["topics"])]
    assert set(known[0]) <= set(known[1])

    assert pending_stages(lake, None) == {PROJECT: {}}
    now = versions(lake)
    bring(lake)
    assert versions(lake) == now
    for name in ("shared_frames", "embeddings", "topics", "topic_assignments"):
        for check in CHECKS[name].values():
            finding = check.find(lake, PROJECT)
            assert finding.n_wrong == 0 and (finding.n_seen > 0 or name != "shared_frames"), name


@pytest.mark.slow
def test_a_home_looks_for_frames_with_slots_at_its_next_build_and_finds_what_one_build_finds(
    lake_before: Callable[[str], Lake],
) -> None:
    names, stage = ["Ann Lee", "Bo Ek", "Cem Oz"], STAGE_OF["shared_frames"]
    said = (
        "You speak with {}, a member since 20{}. "
        + SYSTEM.replace("\n", " ")
        + "\n\nhow do I get a refund for order {}"
    )
    short = "locale: en-GB\ntier: gold {}\n\nhow do I cancel order {}"
    rows = [event(900 + i, DAYS[2], said.format(names[i % 3], 10 + i % 9, i)) for i in range(30)]
    rows += [event(930 + i, DAYS[1], short.format(i, i)) for i in range(30)]

    at_once = lake_before("events")
    put(at_once, DAYS[1], "short", rows[30:])
    put(at_once, DAYS[2], "long", rows[:30])
    bring(at_once, until="embeddings")
    told = tables(at_once)
    frames = told["shared_frames"].sort("text")["text"].to_list()
    assert frames == [
        "You speak with {…}, a member since {…}. " + SYSTEM.replace("\n", " "),
        "locale: {…}",
        "tier: {…}",
    ]

    lake = lake_before("end")
    put(lake, DAYS[1], "short", rows[30:])
    bring(lake, until="embeddings")
    put(lake, DAYS[2], "long", rows[:30])
    bring(lake, until="messages")
    before = replace(stage, version=1)
    before.bring(Work(lake, PROJECT))
    assert stage.table.name in pending_stages(lake, None)[PROJECT]
    bring(lake, until="embeddings")
    left = tables(lake)
    assert left["shared_frames"].equals(told["shared_frames"])
    key = ["text_id", "text"]
    assert left["embeddings"].select(key).sort(key).equals(told["embeddings"].select(key).sort(key))
    embedded = left["messages"].join(left["embeddings"].select("text_id", read="text"), on="text_id")
    read = dict(embedded.select("event_id", "read").rows())
    assert (read["e905"], read["e935"]) == ("how do I get a refund for order 5", "how do I cancel order 5")


@pytest.mark.long
def test_frames_go_with_the_messages_that_shared_them(lake_before: Callable[[str], Lake]) -> None:
    lake, source = lake_before("events"), "import-17"
    put(lake, DAYS[2], f"{source}-000000", framed(900, 20))
    put(lake, DAYS[2], "sent", framed(920, 5))
    bring(lake, until="embeddings")
    assert tables(lake)["shared_frames"]["text"].to_list() == [SYSTEM]
    take_back(lake, PROJECT, source, b"{}")
    remove_files(lake, list_files_of(lake, PROJECT, source))
    bring(lake, until="embeddings")
    left = tables(lake)
    assert left["shared_frames"].is_empty() and left["messages"].height == 245
    assert left["embeddings"].filter(pl.col("text").str.starts_with(SYSTEM[:40])).height == 5


@pytest.mark.slow
def test_a_build_that_ends_while_vectors_are_taken_out_goes_on_where_it_was(
    lake_before: Callable[[str], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_before("topics")
    put(lake, DAYS[2], "few", framed(900, 10))
    bring(lake, until="embeddings")
    put(lake, DAYS[2], "many", framed(910, 20))

    def end(point: str) -> None:
        if point == "embeddings.after_frames":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(failpoint, "reached", end)
        bring(lake, until="embeddings")
    assert "embeddings" in pending_stages(lake, None)[PROJECT]
    bring(lake, until="embeddings")
    left = tables(lake)
    assert left["embeddings"].height == left["messages"]["text_id"].n_unique() == 270
    assert left["embeddings"].filter(pl.col("text").str.starts_with(SYSTEM[:40])).is_empty()


@pytest.mark.slow
def test_frames_of_a_long_history_are_looked_for_again_once_it_has_grown_by_a_share(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_frames, "MANY_MESSAGES", 100)
    monkeypatch.setattr(shared_frames, "NEWS", 0.1)
    looked: list[int] = []

    def counting(texts: list[str]) -> list[Frame]:
        looked.append(len(texts))
        return find_frames(texts)

    monkeypatch.setattr(shared_frames, "find_frames", counting)
    first = 0
    for n in (100, 9, 2, 0):
        put(lake, DAYS[2], f"part{first}", framed(first, n))
        bring(lake, until="shared_frames", full_refresh=n == 0)
        first += n
    assert looked == [100, 111, 111]
