"""The tables are open to other engines, DuckDB and polars here, also while they are being written."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from turret_pipeline.lake.parts import PART_SCHEMA, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.stages import STAGE_OF
from turret_pipeline.stages.work import Work

PROJECT = "shop"
DAYS = [dt.date(2026, 10, 1) + dt.timedelta(days=number) for number in range(3)]
A_DAY = 50

READER = """
import json, sys
import deltalake, duckdb, polars as pl

# As a user would, with none of Turret's code. DuckDB alone: its extension `delta` must be fetched, this need not.
def by_duckdb(address):
    events = deltalake.DeltaTable(address).to_pyarrow_dataset()
    query = "select received_date::varchar, count(*), count(distinct event_id) from events group by all order by all"
    return duckdb.sql(query).fetchall()

def by_duckdb_files(address):
    files = deltalake.DeltaTable(address).file_uris()
    if not files:
        return []
    query = "select received_date::varchar, count(*), count(distinct event_id)"
    source = " from read_parquet($files, hive_partitioning=true) group by all order by all"
    return duckdb.execute(query + source, {"files": files}).fetchall()

def by_polars(address):
    days = pl.scan_delta(address).group_by(pl.col("received_date").cast(pl.String))
    return days.agg(pl.len(), pl.col("event_id").n_unique().alias("n")).sort("received_date").collect().rows()

print("ready", flush=True)
for address in sys.stdin:
    print(json.dumps([read(address.strip()) for read in (by_duckdb, by_duckdb_files, by_polars)]), flush=True)
"""


@pytest.fixture
def reader() -> Iterator[subprocess.Popen[str]]:
    """Another process, which reads the table that it is told of, three ways."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


def put(lake: Lake, day: dt.date) -> None:
    at = dt.datetime.combine(day, dt.time(), dt.UTC)
    rows = [
        {"event_id": f"{day}-{number}", "session_id": "s", "user_id": "u", "name": "n", "timestamp": at}
        | {"received_at": at, "seq": number, "metadata": json.dumps({"plan": "free", "n": number})}
        for number in range(A_DAY)
    ]
    write_part(lake, PROJECT, day, "a.parquet", pl.DataFrame(rows, schema=PART_SCHEMA))


@pytest.mark.slow
def test_duckdb_and_polars_see_whole_days_and_each_event_once_while_the_table_is_written(
    tmp_path: Path, reader: subprocess.Popen[str]
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    assert reader.stdin is not None
    assert reader.stdout is not None
    put(lake, DAYS[0])
    STAGE_OF["events"].bring(Work(lake, PROJECT))
    seen = []
    for number in range(3 * len(DAYS)):
        # Written and read at the same moment: by turns new days, and all days anew.
        reader.stdin.write(lake.table(EVENTS.name) + "\n")
        reader.stdin.flush()
        if number % 3 == 0:
            put(lake, DAYS[number // 3])
        STAGE_OF["events"].bring(Work(lake, PROJECT, full_refresh=number % 3 == 2))
        STAGE_OF["field_profiles"].bring(Work(lake, PROJECT))
        seen += json.loads(reader.stdout.readline())
    reader.stdin.write(lake.table(EVENTS.name) + "\n")
    reader.stdin.flush()
    last = json.loads(reader.stdout.readline())
    assert last == [[[day.isoformat(), A_DAY, A_DAY] for day in DAYS]] * 3
    assert all(row[1:] == [A_DAY, A_DAY] for rows in seen for row in rows)
    assert {len(rows) for rows in seen} >= {1, 2, 3}
