"""A passage that many messages share is folded where a message is read, and opens by a click."""

from __future__ import annotations

import polars as pl
import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import SHARED_FRAMES


@pytest.mark.slow
def test_a_shared_frame_is_folded_and_opens(served: Served, visitor: Visitor) -> None:
    lake, project = served.settings.open_lake(), served.full.project_id
    message = served.get("/v1/messages", served.full, limit="1")["data"][0]
    frame, _, rest = message["text"].partition(" ")
    rows = pl.DataFrame({"project_id": [project], "text": [frame], "n_texts": [30]}, schema=SHARED_FRAMES.schema)
    store.replace(lake, SHARED_FRAMES, rows, project)
    try:
        visitor.sign_in(served.full.read_key, f"/sessions/{message['session_id']}")
        said = visitor.page.locator(f'[data-event="{message["event_id"]}"] .text')
        expect(said).to_contain_text(rest)
        expect(said.locator("details span")).to_be_hidden()
        said.get_by_text("Shared frame").click()
        expect(said.locator("details span")).to_have_text(frame)
        assert visitor.problems == []
    finally:
        store.replace(lake, SHARED_FRAMES, rows.clear(), project)
