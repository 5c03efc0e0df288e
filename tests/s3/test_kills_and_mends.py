"""A lake on S3 whose writer is killed in an upload, and one with damaged files: what is left, and what comes back."""

from __future__ import annotations

import datetime as dt
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.lake.test_damage import DAY, events, rows
from tests.s3_server import Store
from turret_pipeline.lake import files, store, upkeep
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.damage import ANEW, notes
from turret_pipeline.lake.inspection import damage_of_parts, damage_of_table
from turret_pipeline.lake.mending import mend
from turret_pipeline.lake.parts import list_parts, read_parts, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, EVENTS, FIELD_TOTALS

N_TEXTS = 10_000
"""Rows of a file that is uploaded in three parts."""
WRITE = f"""
import sys
import numpy as np, polars as pl
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS
n = {N_TEXTS}
vectors = np.random.default_rng(0).normal(size=(n, 384)).astype(np.float32)
texts = {{"project_id": ["shop"] * n, "model": ["m"] * n, "text_id": [str(i) for i in range(n)]}}
texts |= {{"text": texts["text_id"], "vector": pl.Series(vectors).arr.to_list(), "quantized": [b""] * n}}
ProjectTable(Lake(sys.argv[1]), EMBEDDINGS, "shop").append(pl.DataFrame(texts, EMBEDDINGS.schema), inputs=7)
"""


@pytest.fixture
def lake(bucket: Store) -> Lake:
    return Lake(f"s3://{bucket.bucket}/{secrets.token_hex(4)}")


@pytest.mark.slow
def test_a_writer_that_is_killed_in_an_upload_leaves_the_table_as_it_was_and_the_next_one_does_it_all(
    lake: Lake, bucket: Store
) -> None:
    ProjectTable(lake, EMBEDDINGS, "shop").set_inputs(1)
    command = [sys.executable, "-c", WRITE, lake.root]
    with bucket.holding("partNumber=2") as is_held, subprocess.Popen(command) as writer:
        assert is_held.wait(60)
        writer.send_signal(signal.SIGKILL)
    table = ProjectTable(lake, EMBEDDINGS, "shop")
    assert (table.inputs(), table.read().height, table.version) == (1, 0, 1)
    # The store keeps its parts, which no listing shows, until the rule that docs/operate.md asks for ends the upload.
    (left,) = bucket.uploads()
    assert "tables/embeddings/project_id=shop/" in left
    assert "AbortIncompleteMultipartUpload" in (Path(__file__).parents[2] / "docs" / "operate.md").read_text()

    subprocess.run(command, check=True)
    table = ProjectTable(lake, EMBEDDINGS, "shop")
    assert (table.inputs(), table.read()["text_id"].n_unique(), table.version) == (7, N_TEXTS, 2)
    assert bucket.uploads() == [left] and left not in [
        address.partition(f"{bucket.bucket}/")[2] for address in table.files()
    ]


@pytest.mark.slow
def test_what_a_killed_writer_has_uploaded_without_its_commit_is_no_part_of_the_table_and_goes_with_vacuum(
    lake: Lake, bucket: Store
) -> None:
    ProjectTable(lake, EMBEDDINGS, "shop").set_inputs(1)
    command = [sys.executable, "-c", WRITE, lake.root]
    with bucket.holding(f"_delta_log/{2:020d}.json") as is_held, subprocess.Popen(command) as writer:
        assert is_held.wait(60)
        writer.send_signal(signal.SIGKILL)
    table = ProjectTable(lake, EMBEDDINGS, "shop")
    assert (table.inputs(), table.read().height) == (1, 0)
    folder = f"{lake.root.rpartition('/')[2]}/tables/embeddings/project_id=shop/"
    assert len(bucket.keys(folder)) == 1
    assert upkeep.remove_old_files(lake, EMBEDDINGS, dt.timedelta(0)) == 1
    assert bucket.keys(folder) == []


@pytest.mark.slow
def test_damaged_files_on_s3_are_mended_as_in_a_folder(lake: Lake) -> None:
    for project in ("hotel", "shop"):
        ProjectTable(lake, FIELD_TOTALS, project).append(rows(project, "prompt", "plan"), inputs=7)
    write_part(lake, "shop", DAY, "a-1.parquet", events())
    columns = {"project_id": pl.lit("shop"), "received_date": pl.lit(DAY), "part": pl.lit("a-1.parquet")}
    ProjectTable(lake, EVENTS, "shop").append(events().with_columns(**columns).select(EVENTS.schema.names()))

    (file,) = ProjectTable(lake, FIELD_TOTALS, "shop").files()
    cut_short(lake, file)
    (damage,) = damage_of_table(lake, FIELD_TOTALS)
    assert "were taken out; what was in it is made anew" in mend(lake, damage, in_no_backup)
    assert list(damage_of_table(lake, FIELD_TOTALS)) == []
    assert [store.read(lake, FIELD_TOTALS, project).height for project in ("hotel", "shop")] == [2, 0]
    assert ProjectTable(lake, FIELD_TOTALS, "shop").inputs() == 0
    assert [each.reason for each in notes(lake)] == [ANEW]

    cut_short(lake, f"{lake.events_folder('shop', DAY)}/a-1.parquet")
    (damage,) = damage_of_parts(lake)
    assert mend(lake, damage, in_no_backup) == "written again with its 20 events, which the table events has"
    assert list(damage_of_parts(lake)) == []
    assert read_parts(lake, list_parts(lake, "shop")).height == 20

    log = f"{lake.table(EVENTS.name)}/_delta_log"
    files.write(lake, f"{log}/{1:020d}.json", b"no JSON")
    (damage,) = damage_of_table(lake, EVENTS)
    assert "the table was removed" in mend(lake, damage, in_no_backup)
    assert list(damage_of_table(lake, EVENTS)) == []
    assert ProjectTable(lake, EVENTS, "shop").version == 0


def cut_short(lake: Lake, address: str) -> None:
    content = files.read(lake, address)
    files.write(lake, address, content[: len(content) // 2])


def in_no_backup(name: str) -> None:
    return None
