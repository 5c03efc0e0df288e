"""The canary of `tests.erasing` in a lake on S3, with a database of one's own: once it is erased nothing has it.

Every object of the bucket is looked through, every row of the database, and every file of the home.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.erasing.canary import CANARY, USER, System, build_and_copy, canaries, has_canary, holding, send_all
from tests.lake.holding import unpacked
from tests.processes.conftest import until
from tests.s3.conftest import model_of
from tests.s3_server import Store
from turret_pipeline.lake.paths import Lake

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture
def system(
    bucket: Store, make_database: Callable[[], str], tmp_path: Path, keep_model: Callable[[Lake], None]
) -> Iterator[System]:
    """A `turret up` whose lake is in a bucket that keeps versions."""
    bucket.keep_versions()
    root = f"s3://{bucket.bucket}/lake"
    model_of(Lake(root), keep_model, tmp_path / "model")
    made = System(tmp_path / "home", TURRET_LAKE=root, TURRET_DATABASE_URL=make_database())
    made.start()
    made.make_project()
    yield made
    made.end_all()


def objects_with_it(bucket: Store) -> list[str]:
    """Return the keys of the objects that hold the canary, packed or not, and those whose keys do."""
    return [
        key
        for key in bucket.keys("")
        if has_canary(key.encode()) or any(map(has_canary, unpacked(bucket.content(key))))
    ]


def test_no_object_row_or_file_has_it_also_after_a_restart_and_a_rebuild(
    system: System, bucket: Store, tmp_path: Path
) -> None:
    send_all(system, tmp_path)
    exported, _ = build_and_copy(system, tmp_path)
    assert len(objects_with_it(bucket)) > 20 and holding(exported.parent) and has_canary(system.dump())

    system.track(canaries("late", 4))
    receipt = json.loads(system.turret("erase", "--project", "shop", "--user", USER, "--yes", "--json"))
    assert receipt["n_events"] == 55 and (receipt["after"]["events"], receipt["after"]["users"]) == (180, 8)
    assert any("A bucket that keeps versions" in each for each in receipt["not_reached"])
    assert not has_canary(json.dumps(receipt).encode()), receipt
    assert objects_with_it(bucket) == [] and bucket.uploads() == []
    assert holding(exported.parent) == [] and not has_canary(system.dump())
    until(lambda: not holding(system.home), 60)
    assert CANARY not in json.dumps(system.ask("GET", "/v1/topics?field=prompt"))

    system.end()
    assert holding(system.home) == []
    system.start()
    system.turret("build", "--project", "shop", "--full-refresh")
    system.end()
    assert objects_with_it(bucket) == [] and not has_canary(system.dump()) and holding(system.home) == []
