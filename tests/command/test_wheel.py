"""A wheel of the package: what `pip install` brings to a machine without a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.command.test_up import START_S
from tests.ports import free_ports
from tests.processes.conftest import until

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder that holds what a wheel of this checkout installs."""
    source, folder = tmp_path / "source", tmp_path / "installed"
    source.mkdir()
    for name in ("turret_api", "turret_pipeline", "dagster_home"):
        shutil.copytree(CHECKOUT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "workspace.yaml"):
        shutil.copy(CHECKOUT / name, source)
    build = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path)]
    subprocess.run([sys.executable, "-m", *build, str(source)], check=True)
    (wheel,) = tmp_path.glob("turret-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)
    shutil.rmtree(source)
    return folder


@pytest.mark.slow
def test_a_wheel_runs_up_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    empty, output = tmp_path / "empty", tmp_path / "said"
    empty.mkdir()
    port, dagster_port = free_ports(2)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TURRET_")}
    environment |= {
        "PYTHONPATH": str(installed),
        "TURRET_PORT": str(port),
        "TURRET_DAGSTER_PORT": str(dagster_port),
    }
    found = [sys.executable, "-c", "import turret_api, turret_pipeline as p; print(turret_api.__file__, p.__file__)"]
    files = subprocess.run(found, cwd=empty, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert all(Path(file).is_relative_to(installed) for file in files), files
    with output.open("wb") as out:
        up = subprocess.Popen(
            [sys.executable, "-m", "turret_api", "up"], cwd=empty, env=environment, stdout=out, stderr=out
        )
    try:
        until(lambda: "Turret is up" in output.read_text() or up.poll() is not None, START_S)
        assert up.poll() is None, output.read_text()
        assert httpx.get(f"http://127.0.0.1:{port}/sign-in", timeout=20).status_code == 200
        assert httpx.get(f"http://127.0.0.1:{dagster_port}/server_info", timeout=20).status_code == 200
        assert [each.name for each in empty.iterdir()] == [".turret"]
    finally:
        up.terminate()
        up.wait(60)
    assert up.returncode == 0, output.read_text()
