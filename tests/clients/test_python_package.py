"""The Python client as a distribution: what is built needs urllib3 alone, and says which version it is."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import turret_client
import urllib3
from turret_client import Client

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "clients" / "python"
USE = """
import sys
sys.path[:0] = sys.argv[1:]
import turret_client
with turret_client.Client("http://127.0.0.1:1", "tw_any", exit_s=0) as client:
    client.track("n", {"a": 1})
    client.close(0)
print(turret_client.__version__, turret_client.__file__, client.stats().n_lost + client.stats().n_waiting)
"""


def test_the_wheel_works_with_urllib3_and_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(SOURCE, tmp_path / "source", ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(tmp_path / "source")], check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "urllib3").symlink_to(Path(urllib3.__file__).parent)

    # Neither the environment's packages nor the folder of the sources are there.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", USE, str(wheel), str(tmp_path / "beside")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [turret_client.__version__, f"{wheel}/turret_client/__init__.py", "1"]
    assert wheel.name == f"turret_client-{turret_client.__version__}-py3-none-any.whl"


def test_imports_point_down_the_list_in_the_packages_docstring() -> None:
    rooms = re.findall(r"^    (\w+)  ", turret_client.__doc__ or "", re.MULTILINE)
    files = {file.stem: file for file in SOURCE.glob("turret_client/*.py")}

    assert set(rooms) == set(files) - {"__init__", "version"}
    for place, room in enumerate(rooms):
        entered = set(
            re.findall(r"^from turret_client\.(\w+)|^from turret_client import (\w+)", files[room].read_text(), re.M)
        )
        entered = {name for pair in entered for name in pair if name}
        assert entered <= {*rooms[place + 1 :], "version"}, room


def test_the_page_has_every_argument_with_its_default() -> None:
    page = (ROOT / "docs" / "client.md").read_text()
    table = page[page.index("| argument | default | |") :].partition("\n\n")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE))

    parameters = inspect.signature(Client).parameters
    assert list(told) == list(parameters)
    for name, parameter in parameters.items():
        if isinstance(parameter.default, int | float):
            value = float(told[name].replace(",", "").replace(" MiB", "e6"))
            assert value == (parameter.default / 2**20 * 1e6 if "MiB" in told[name] else parameter.default), name
