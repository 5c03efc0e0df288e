"""Forgetting on S3: the log is replaced object by object, and what has the tables open moves on."""

from __future__ import annotations

import secrets

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.lake.test_oblivion import CANARY, frames, with_a_past
from tests.s3_server import Store
from turret_pipeline.lake import objects, store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.oblivion import forget_history
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import SHARED_FRAMES


def holding(lake: Lake, text: str) -> list[str]:
    found = []
    for each in objects.listed(lake, lake.root):
        content = objects.read(lake, f"{lake.root}/{each.name}") or b""
        packed = repr(pq.read_table(pa.BufferReader(content)).to_pylist()) if content[:4] == b"PAR1" else ""
        if text.encode() in content or text in packed:
            found.append(each.name)
    return found


@pytest.mark.slow
def test_no_object_holds_what_was_taken_out_and_both_projects_go_on(bucket: Store) -> None:
    lake = Lake(f"s3://{bucket.bucket}/{secrets.token_hex(4)}")
    table = with_a_past(lake)
    other = ProjectTable(lake, SHARED_FRAMES, "other")
    assert len(holding(lake, CANARY)) > 6
    forget_history(lake, SHARED_FRAMES, "shop")
    assert holding(lake, CANARY) == []
    other.replace(frames("other", "more"), inputs=10)
    table = ProjectTable(lake, SHARED_FRAMES, "shop")
    table.append(frames("shop", "c"))
    assert sorted(store.read(lake, SHARED_FRAMES, "shop")["text"]) == ["a", "b", "c"]
    assert ProjectTable(lake, SHARED_FRAMES, "shop").inputs() == 8
    assert ProjectTable(lake, SHARED_FRAMES, "other").inputs() == 10
