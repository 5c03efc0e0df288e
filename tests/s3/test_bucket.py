"""What is told of a bucket that cannot be used, by each command; and the lake's id, by which its locks are named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.s3_server import Store
from turret_api.accounts import Accounts
from turret_pipeline.lake import bucket as checked
from turret_pipeline.lake import files
from turret_pipeline.lake.bucket import UnsuitableError, name_of
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings

COMMANDS = {
    "up": ["up"],
    "build": ["build"],
    "status": ["status"],
    "import": ["import", "events.ndjson", "--project", "shop"],
    "export": ["export", "events", "--project", "shop", "--out", "out.csv"],
}
WRONG = {
    "another bucket": ({"TURRET_LAKE": "s3://no-such-bucket/lake"}, "there is no such bucket"),
    "another key": ({"AWS_ACCESS_KEY_ID": "another"}, "AWS_ACCESS_KEY_ID is not known there"),
    "http without leave": ({"AWS_ALLOW_HTTP": ""}, "set AWS_ALLOW_HTTP=true"),
    "nobody there": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "it does not answer"),
}


CASES = [*(("build", wrong) for wrong in WRONG), *((command, "another bucket") for command in COMMANDS)]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "wrong"), dict.fromkeys(CASES))
def test_each_command_says_in_a_line_why_the_bucket_cannot_be_used(
    bucket: Store, database_url: str, project: str, tmp_path: Path, command: str, wrong: str
) -> None:
    changed, reason = WRONG[wrong]
    (tmp_path / "events.ndjson").write_text('{"name": "a", "session_id": "s", "timestamp": "2026-03-01T00:00:00Z"}\n')
    words = [project if word == "shop" else word for word in COMMANDS[command]]
    code, said = turret(bucket, database_url, tmp_path, *words, **changed)
    assert code != 0
    told = said.strip().splitlines()[-1]
    assert "cannot be reached" in told and reason in told, said
    assert "Traceback" not in said


def test_a_store_without_conditional_writes_is_refused_and_one_with_them_tried_once(bucket: Store) -> None:
    lake = Lake(f"s3://{bucket.bucket}/tried")
    bucket.lacks_conditions = True
    try:
        with pytest.raises(UnsuitableError, match="takes no notice of conditional writes"):
            checked.check(lake)
    finally:
        bucket.lacks_conditions = False
    assert bucket.keys("tried") == []
    checked.check(lake)
    assert bucket.keys("tried") == ["tried/lake.json"]
    with bucket.counting() as found:
        checked.check(lake)
    assert [each.words for each in found] == ["GET tried/lake.json"]


def test_two_spellings_of_a_lake_have_one_name(bucket: Store) -> None:
    spelled = [f"s3://{bucket.bucket}/named", f"s3://{bucket.bucket}//named/"]
    lakes = [Settings.from_environment({"TURRET_LAKE": each}).open_lake() for each in spelled]
    assert name_of(lakes[0]) == lakes[0].root
    checked.check(lakes[0])
    copied = Lake(f"s3://{bucket.bucket}/alias")  # as an alias of the bucket's name would show it
    files.write(copied, copied.about_file, files.read(lakes[0], lakes[0].about_file))
    assert name_of(lakes[0]) == name_of(lakes[1]) == name_of(copied) != lakes[0].root


@pytest.fixture(scope="module")
def project(database_url: str) -> str:
    accounts = Accounts(database_url)
    accounts.migrate()
    made = accounts.create_project("bucket").project_id
    accounts.close()
    return made


def turret(bucket: Store, database_url: str, home: Path, *words: str, **changed: str) -> tuple[int, str]:
    lake = f"s3://{bucket.bucket}/lake"
    env = {**os.environ, "TURRET_HOME": str(home), "TURRET_LAKE": lake, "TURRET_DATABASE_URL": database_url, **changed}
    command = [sys.executable, "-m", "turret_api", *words]
    done = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr
