"""A new table is a declaration and a file of `stages`: pending work, assets, lineage, checks and docs follow.

The test puts both into a copy of the package, as they would land, and asks the copy.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.small_lake import PROJECT
from turret_pipeline.lake.paths import Lake

ROOT = Path(__file__).parents[2]
STAGE_FILE = Path(__file__).parent / "new_table" / "topic_users.py"
DECLARATION = """

TOPIC_USERS = Table(
    "topic_users",
    "One user who wrote about one topic in sessions that began on one day of receipt.",
    ("project_id", "received_date", "field", "topic_id", "user_id"),
    (
        PROJECT,
        Column("received_date", pl.Date, "UTC day of receipt of the sessions' first messages"),
        FIELD,
        Column("topic_id", pl.String, "the topic, or `unassigned`"),
        Column("user_id", pl.String, "who wrote"),
        Column("n_messages", pl.Int64, "messages"),
    ),
    ("project_id", "received_date"),
)
"""
IMPORTED, LISTED = "    JOURNEY_STEPS,\n", "        JOURNEY_EDGES,\n"
"""What the new table stands beside where the tables are imported and listed."""

SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
import dagster as dg
from tests.test_docs import tables
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TOPIC_USERS
from turret_pipeline.orchestration.definitions import build_definitions
from turret_pipeline.orchestration.scope import Scope
from turret_pipeline.orchestration.sensor import MODELS_JOB
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings
from turret_pipeline.stages import CHECKS, STAGE_OF
from turret_pipeline.stages.pending import pending_stages, stopped
from turret_pipeline.stages.work import Work

lake, project = Lake(sys.argv[1]), sys.argv[2]
definitions = build_definitions(Workshop(Settings(Path(lake.root).parent, lake.root)))
asset = definitions.resolve_asset_graph().get(dg.AssetKey("topic_users"))
said = {
    "pending": list(pending_stages(lake, None)[project]),
    "stopped": "topic_users" in stopped(["messages"]),
    "contradiction": Scope(tables=frozenset({"topic_users"})).contradiction(),
    "in the job": "topic_users" in [each.path[0] for each in
        definitions.resolve_job_def(MODELS_JOB).asset_layer.executable_asset_keys],
    "reads": [key.path[0] for key in asset.parent_keys],
    "words": [asset.description, asset.group_name, asset.code_version],
    "lineage": {column: [f"{each.asset_key.path[0]}.{each.column_name}" for each in of] for column, of
        in asset.metadata["dagster/column_lineage"].deps_by_column.items()},
    "checks": sorted(key.name for key in asset.check_keys),
    "docs": [row for row in tables() if "`topic_users`" in row],
}
(outcome,) = STAGE_OF["topic_users"].bring(Work(lake, project))
rows = store.read(lake, TOPIC_USERS, project)
said |= {
    "rows": outcome.n_rows,
    "messages": rows["n_messages"].sum(),
    "users": rows["user_id"].n_unique(),
    "wrong": [name for name, check in CHECKS["topic_users"].items() if check.find(lake, project, None).n_wrong],
    "left": list(pending_stages(lake, None)[project]),
}
print(json.dumps(said))
"""


@pytest.mark.slow
def test_a_declaration_and_a_stage_file_are_all_that_a_new_table_takes(
    lake_before: Callable[[str], Lake], tmp_path: Path
) -> None:
    lake, package = lake_before("end"), tmp_path / "landed" / "turret_pipeline"
    shutil.copytree(ROOT / "turret_pipeline", package, ignore=shutil.ignore_patterns("__pycache__"))
    declared, listed = (package / "lake" / "tables" / name for name in ("journeys.py", "__init__.py"))
    declared.write_text(declared.read_text() + DECLARATION)
    content = listed.read_text()
    for beside in (IMPORTED, LISTED):
        assert content.count(beside) - content.count("    " + beside) == 1
        name = beside.strip(" ,\n")
        content = content.replace("\n" + beside, "\n" + beside + beside.replace(name, "TOPIC_USERS"))
    listed.write_text(content)
    shutil.copy(STAGE_FILE, package / "stages")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, lake.root, PROJECT],
        env=os.environ | {"PYTHONPATH": f"{package.parent}{os.pathsep}{ROOT}"},
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["pending"] == ["topic_users"] and said["left"] == []
    assert said["stopped"] and said["in the job"] and said["contradiction"] is None
    assert said["reads"] == ["journey_steps"]
    words = "Who wrote about each topic on each day, so that topics can be told by whether their users come back."
    assert said["words"] == [words, "topics", "1"]
    assert said["lineage"]["user_id"] == ["journey_steps.user_id"]
    assert said["lineage"]["n_messages"] == ["journey_steps.event_id"]
    assert said["checks"] == ["declared_types", "messages_add_up", "unique_key"]
    assert len(said["docs"]) == 1 and "`journey_steps`" in said["docs"][0]
    assert said["messages"] == 240 and said["users"] == 24 and said["rows"] > 24
    assert said["wrong"] == []
