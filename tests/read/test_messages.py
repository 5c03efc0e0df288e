"""Messages and sessions: each once over the pages, with its topic, in order."""

from __future__ import annotations

import polars as pl
import pytest

from tests.read.conftest import SESSIONS, Api
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import SHARED_FRAMES


def every_page(api: Api, path: str, **params: object) -> list[dict]:
    rows: list[dict] = []
    while True:
        answer = api.get(path, **params)
        rows += answer["data"]
        if answer["next"] is None:
            return rows
        params["cursor"] = answer["next"]


@pytest.mark.parametrize("limit", [1, 2, 7, 15, 100])
def test_the_pages_hold_every_message_once_newest_first(api: Api, limit: int) -> None:
    rows = every_page(api, "/v1/messages", field="prompt", limit=limit)
    assert len({row["event_id"] for row in rows}) == len(rows) == 15
    assert rows == sorted(rows, key=lambda row: (row["timestamp"], row["event_id"]), reverse=True)


def test_a_topics_messages_are_as_many_as_its_size(api: Api) -> None:
    rows = every_page(api, "/v1/messages", topic_id="t_refund", limit=3)
    assert [row["topic_label"] for row in rows] == ["Refunds"] * 4
    rows = every_page(api, "/v1/messages", topic_id="unassigned")
    assert [(row["topic_id"], row["similarity"]) for row in rows] == [(None, None)] * 2
    assert every_page(api, "/v1/messages", topic_id="t_none") == []


def test_filters_hold_for_messages_too(api: Api) -> None:
    rows = every_page(api, "/v1/messages", **{"name": "voice", "segment.tokens": "20"})
    assert [row["text"] for row in rows] == ["I want my money back. My order is 02."]


@pytest.mark.parametrize("cursor", ["x", "!", "AAAA", "WzFd", "bnVsbA", "e30", "WyJ4IiwieSJd", "é"])
def test_a_made_up_cursor_is_told_so(api: Api, cursor: str) -> None:
    for path in ("/v1/messages", "/v1/topics", "/v1/fields"):
        assert api.get(path, cursor=cursor, status=400)["field"] == "cursor"


def test_a_session_is_told_message_by_message(api: Api) -> None:
    found = api.get("/v1/sessions/s/4")
    assert [row["topic_id"] for row in found["data"]] == ["t_parcel", "t_refund"] * 2 + ["t_card"]
    assert [row["text"].split(" My")[0] for row in found["data"]] == SESSIONS["s/4"]
    assert (found["n_messages"], found["started_at"]) == (5, "2026-03-04T23:50:00+00:00")
    assert len(every_page(api, "/v1/sessions/s/4", limit=2)) == 5


def test_a_session_that_is_not_there_is_404(api: Api) -> None:
    assert api.get("/v1/sessions/nobody", status=404)["code"] == "INVALID_REQUEST"


def test_a_message_tells_which_shared_frames_it_has(own_api: Api) -> None:
    frame = "I want my money back."
    rows = pl.DataFrame({"project_id": ["shop"], "text": [frame], "n_texts": [30]}, schema=SHARED_FRAMES.schema)
    store.replace(own_api.lake, SHARED_FRAMES, rows, "shop")
    messages = every_page(own_api, "/v1/messages")
    session = every_page(own_api, "/v1/sessions/s/4")
    for row in messages + session:
        assert row["frames"] == ([frame] if frame in row["text"] else [])
    assert any(row["frames"] for row in messages) and not all(row["frames"] for row in messages)
