"""An exported model opens in plain BERTopic, with our topics, labels and sizes, and gives texts the topics we give."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.small_lake import FRAMES, PROJECT, THEMES
from turret_pipeline.analysis.topics.fit import assign_texts
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import JOURNEY_STEPS, MESSAGES, TOPIC_EDITS, TOPICS
from turret_pipeline.orchestration.export_model import main

pytestmark = pytest.mark.filterwarnings("ignore")  # of BERTopic's own making


def export(lake: Lake, out: Path, field: str = "prompt") -> int:
    """Return the exit status of the process that exports, which is this one: `tests/read` starts one of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TURRET_LAKE", lake.root)
        return main([f"--project={PROJECT}", f"--field={field}", f"--out={out}"])


def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Open the folder as any user of BERTopic would, without looking for the embedding model on the network."""
    from bertopic import BERTopic

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return BERTopic.load(str(folder))


def edit(lake: Lake, topic: str, action: str, value: str) -> None:
    row = (PROJECT, "prompt", topic, action, value, dt.datetime(2026, 10, 4, tzinfo=dt.UTC))
    store.append(lake, TOPIC_EDITS, pl.DataFrame([row], schema=TOPIC_EDITS.schema, orient="row"))


def by_id(model: Any) -> dict[str, dict[str, Any]]:
    """Return what BERTopic tells of each topic, by our id."""
    return {row["Topic_ID"][0]: row for row in model.get_topic_info().to_dict("records")}


@pytest.mark.slow
def test_bertopic_opens_it_and_shows_our_topics_and_gives_texts_the_same_ones(
    lake_before: Callable[[str], Lake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_before("end")
    assert export(lake, tmp_path / "model") == 0
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "config.json",
        "topics.json",
        "topic_embeddings.safetensors",
    }
    model = load(tmp_path / "model", monkeypatch)
    topics = store.read(lake, TOPICS, PROJECT).filter(pl.col("level") == 0)
    shown = by_id(model)
    none = shown.pop("", None)
    assert {name: row["CustomName"] for name, row in shown.items()} == dict(
        topics.select("topic_id", "label").iter_rows()
    )
    messages = store.read(lake, MESSAGES, PROJECT).sort("timestamp", "received_at", "seq", "event_id")
    steps = store.read(lake, JOURNEY_STEPS, PROJECT).select("event_id", "topic_id")
    of_messages = messages.join(steps, on="event_id", how="left", maintain_order="left")["topic_id"]
    assert {name: row["Count"] for name, row in shown.items()} == dict(of_messages.drop_nulls().value_counts().rows())
    assert (none or {"Count": 0})["Count"] == of_messages.null_count()
    ids = {row["Topic"]: name for name, row in shown.items()}
    assert [ids.get(topic) for topic in model.topics_] == of_messages.to_list()
    one = topics.row(0, named=True)
    assert shown[one["topic_id"]]["Representation"] == one["keywords"]
    assert shown[one["topic_id"]]["Examples"] == one["examples"]

    new = [frame.format(words, 700 + n) for said in THEMES.values() for n, words in enumerate(said) for frame in FRAMES]
    vectors = open_lake_embedder(lake, None).embed(new)
    held = pl.DataFrame({"text_id": new, "text": new, "vector": pl.Series(vectors.tolist(), dtype=pl.List(pl.Float32))})
    ours = assign_texts(held, topics)["topic_id"]
    theirs, _ = model.transform(new, vectors)
    same = [ids[number] == topic for number, topic in zip(theirs, ours, strict=True) if topic is not None]
    assert len(same) >= 60
    assert sum(same) >= 0.95 * len(same)


@pytest.mark.long
def test_it_has_the_names_that_people_gave_and_merges_what_they_merged(
    lake_before: Callable[[str], Lake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_before("end")
    topics = store.read(lake, TOPICS, PROJECT).filter(pl.col("level") == 0).sort("topic_id")
    goes, stays, named = topics["topic_id"].to_list()[:3]
    edit(lake, goes, "merge", stays)
    edit(lake, named, "rename", "Our own name")
    assert export(lake, tmp_path / "model") == 0
    shown = by_id(load(tmp_path / "model", monkeypatch))
    sizes = dict(topics.select("topic_id", "n_messages").iter_rows())
    assert goes not in shown
    assert shown[stays]["Count"] == sizes[goes] + sizes[stays]
    assert shown[named]["CustomName"] == "Our own name"


@pytest.mark.slow
def test_it_replaces_an_exported_model_and_nothing_else(
    lake_before: Callable[[str], Lake], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = lake_before("end")
    out = tmp_path / "model"
    out.mkdir()
    (out / "topics.json").write_text("of an earlier export")
    assert export(lake, out) == 0
    assert len(json.loads((out / "topics.json").read_text())["topics"]) == 240
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    for folder, field, reason in (
        (tmp_path / "mine", "prompt", "is no exported model"),
        (tmp_path / "mine" / "letter.txt", "prompt", "is no exported model"),
        (tmp_path / "none" / "model", "prompt", "there is no folder"),
        (tmp_path / "other", "nothing", "has no topics yet"),
    ):
        assert export(lake, folder, field) == 1
        said = capsys.readouterr().err
        assert len(said.splitlines()) == 1
        assert reason in said
    assert sorted(path.name for path in tmp_path.iterdir() if "before" not in path.name) == ["mine", "model"]
