"""What a node of a Ray cluster must be like for runs: each thing that it lacks is told by itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from turret_pipeline.lake import files
from turret_pipeline.lake.paths import Lake
from turret_pipeline.orchestration.ray_node import Expected, faults, installed, probe_address


@pytest.fixture
def expected(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, keep_model: Callable[[Lake], None]
) -> Expected:
    """What this process fulfils, as a node."""
    lake = Lake(str(tmp_path / "lake"))
    keep_model(lake)
    files.write(lake, probe_address(lake, "seen"), b"")
    for name, value in {
        "TURRET_LAKE": lake.root,
        "TURRET_DATABASE_URL": database_url,
        "TURRET_DAGSTER_STORAGE": str(tmp_path / "storage"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TURRET_MODEL", raising=False)
    return installed(None, "seen")


def test_a_node_that_has_everything_has_no_fault(expected: Expected) -> None:
    assert list(faults(expected)) == []


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("PATH", "/nowhere", "does not find the command `dagster`"),
        ("TURRET_DATABASE_URL", "postgresql://127.0.0.1:1/x", "does not reach the database"),
        ("TURRET_DATABASE_URL", "postgresql://u@127.0.0.1:1/x", "the embedded one answers on its own host alone"),
        ("TURRET_LAKE", "/nowhere", "does not see the lake /nowhere: set TURRET_LAKE to s3://"),
        ("TURRET_DAGSTER_STORAGE", "/proc/nowhere", "cannot make the folder /proc/nowhere"),
        ("TURRET_MODEL", "/no/model", "has not the model '/no/model'"),
    ],
)
def test_what_a_node_lacks_is_told_in_one_line(
    expected: Expected, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    (fault,) = faults(expected)
    assert told in fault and "\n" not in fault


@pytest.mark.parametrize("what", ["python", "ray", "turret"])
def test_another_version_on_a_node_is_told_with_both(expected: Expected, what: str) -> None:
    (fault,) = faults(msgspec.structs.replace(expected, **{what: "0.0.1"}))
    assert f"{getattr(expected, what)}, and this host 0.0.1" in fault
