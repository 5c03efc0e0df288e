"""Fields that hold conversations: what the user said last becomes a message, once, and all stays stored as sent."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from tests.small_lake import DAYS, FRAMES, PROJECT, THEMES, bring, event, put, tables
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.stages import CHECKS

SYSTEM = {"role": "system", "content": "You are a helpful assistant of a shop, and you answer in one sentence."}


def sent(lake: Lake) -> list[dict[str, Any]]:
    """Write 60 sessions of three turns, each event with the whole conversation so far; return their metadata."""
    said = [frame.format(words[n % 5], n) for n in range(12) for words in THEMES.values() for frame in FRAMES][:180]
    metadata: list[dict[str, Any]] = []
    for number, text in enumerate(said):
        if number % 3 == 0:
            messages: list[dict[str, Any]] = [SYSTEM]
        messages = [*messages, {"role": "user", "content": [{"type": "text", "text": text}]}]
        metadata.append(
            {
                "messages": messages,
                "request": {"model": "m", "input": {"messages": messages}},
                "trace": json.dumps({"contents": messages}),
                "system": [SYSTEM],
                "plan": ("free", "pro")[number % 2],
                "said": text,
            }
        )
        messages = [*messages, {"role": "assistant", "content": f"Here is answer {number}."}]
    rows = [
        event(number, DAYS[0], metadata=json.dumps(each), session_id=f"s{number // 3}")
        for number, each in enumerate(metadata)
    ]
    put(lake, DAYS[0], "a", rows)
    return metadata


def test_the_newest_turn_of_the_user_is_the_message_and_the_rest_stays(lake: Lake) -> None:
    metadata = sent(lake)
    bring(lake, until="messages")
    found = tables(lake)

    types = dict(found["field_types"].select("field", "type").iter_rows())
    assert types == {
        **dict.fromkeys(("messages", "request", "trace", "said"), "text"),
        "system": "other",
        "plan": "enum",
    }
    for field in ("messages", "request", "trace"):
        rows = found["messages"].filter(pl.col("field") == field).sort("seq")
        assert rows["text"].to_list() == [each["said"] for each in metadata]
    stored = store.read(lake, EVENTS, PROJECT).sort("seq")["metadata"]
    assert [json.loads(each) for each in stored] == metadata
    for name in ("field_profiles", "field_types", "messages"):
        for label, check in CHECKS[name].items():
            assert not check.find(lake, PROJECT, None).n_wrong, (name, label)
