"""The rooms of the house and the doors between them (see ARCHITECTURE.md): imports point down, never in a circle."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "bertopic", "dagster", "sentence_transformers", "numba", "umap", "hdbscan")

PIPELINE_FLOORS = (
    ("failpoint", "semantics"),
    ("fanout", "lake"),
    ("settings", "embedder", "analysis"),
    ("stages",),
    ("retention",),
    ("orchestration",),
    ("definitions",),
)
"""The rooms of `turret_pipeline`, from the ground up: each imports those below it, and itself, only."""

SHARED = ("settings", "failpoint", "semantics", "lake", "embedder")
"""The rooms of the pipeline that the API may enter: what both sides count by, store, and embed a query with."""


API_DOORS = {
    "alerts": ("accounts", "auth", "errors", "freshness", "read", "roles", "serve"),
    "processes": (),
    "accounts": ("auth", "roles"),
    "assistants": ("accounts", "auth", "error_answers", "errors", "roles"),
    "collector": ("accounts", "auth", "errors", "masking", "roles"),
    "erasing": (
        "accounts",
        "auth",
        "collector",
        "errors",
        "freshness",
        "home",
        "masking",
        "otlp",
        "processes",
        "read",
        "serve",
    ),
    "home": ("accounts", "collector", "freshness", "processes"),
    "masking": (),
    "otlp": ("accounts", "auth", "collector", "errors", "masking"),
    "people": ("accounts", "auth", "errors", "read", "roles"),
    "serve": ("collector", "errors", "freshness", "otlp", "processes"),
}
"""By room of `turret_api`, the others that it may enter."""


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for package in ("turret_pipeline", "turret_api") for path in modules(package)}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def room_of(name: str) -> str:
    """Return the second part of a module's name: `turret_pipeline.lake.store` is in the room `lake`."""
    return [*name.split("."), ""][1]


def uses(name: str) -> set[str]:
    """Return the modules of this repository that a module imports, inside functions too."""
    found = {each for each in imports(MODULES[name]) if each in MODULES}
    # `from package import module` names the package as well, which is a door to its face only where it has one.
    return {each for each in found if not any(other.startswith(each + ".") for other in found)} - {name}


def circles() -> Iterator[list[str]]:
    """Yield each group of modules that reach one another (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(uses(name)):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(group)

    for name in sorted(MODULES):
        if name not in index:
            visit(name)
    yield from found


def test_no_modules_import_one_another_in_a_circle() -> None:
    assert list(circles()) == []


@pytest.mark.parametrize("path", modules("turret_pipeline"), ids=str)
def test_a_room_of_the_pipeline_imports_only_rooms_below_it(path: Path) -> None:
    floor = {room: number for number, rooms in enumerate(PIPELINE_FLOORS) for room in rooms}
    room = room_of(name_of(path))
    for name in imports(path):
        assert not within(name, "turret_api", "fastapi"), name
        other = room_of(name) if within(name, "turret_pipeline") else ""
        if room and other and other != room:
            assert floor[other] < floor[room], name


@pytest.mark.parametrize("room", ["lake", "semantics", "analysis", "embedder", "stages"])
def test_only_the_orchestration_knows_dagster(room: str) -> None:
    for path in modules(f"turret_pipeline/{room}"):
        assert not any(within(name, "dagster") for name in imports(path)), path


@pytest.mark.parametrize("path", modules("turret_pipeline/semantics"), ids=str)
def test_what_both_sides_count_by_is_pure(path: Path) -> None:
    for name in imports(path):
        assert not within(name, "deltalake", *HEAVY), name
        assert not within(name, "turret_pipeline") or room_of(name) in ("", "semantics"), name


@pytest.mark.parametrize("path", modules("turret_pipeline/lake"), ids=str)
def test_the_lake_is_storage_only(path: Path) -> None:
    for name in imports(path):
        assert not within(name, *HEAVY), name
        assert room_of(name) in ("", "lake", "failpoint") or not within(name, "turret_pipeline"), name


@pytest.mark.parametrize("path", modules("turret_pipeline/analysis"), ids=str)
def test_the_analysis_knows_no_paths_and_no_settings(path: Path) -> None:
    for name in imports(path):
        assert not within(name, "deltalake"), name
        assert (
            not within(name, "turret_pipeline.lake")
            or within(name, "turret_pipeline.lake.tables")
            or (name == "turret_pipeline.lake")
        ), name
        assert not within(name, "turret_pipeline.settings"), name


@pytest.mark.parametrize("room", API_DOORS)
def test_a_room_of_the_api_enters_only_those_that_it_needs(room: str) -> None:
    for path in modules(f"turret_api/{room}"):
        entered = {room_of(name) for name in imports(path) if within(name, "turret_api")} - {room}
        assert entered <= {"", *API_DOORS[room]}, path


def test_the_keeper_of_the_embedded_postgres_stays_small() -> None:
    room = ROOT / "turret_api" / "processes"
    names = {name for file in ("postgres_keeper", "kept", "log_lines") for name in imports(room / f"{file}.py")}
    foreign = {name.split(".")[0] for name in names} - sys.stdlib_module_names
    assert foreign == {"psutil", "turret_api"}
    assert {name for name in names if name in MODULES} == {
        "turret_api.processes.kept",
        "turret_api.processes.log_lines",
    }


@pytest.mark.parametrize("path", modules("turret_api"), ids=str)
def test_the_api_enters_only_the_rooms_of_the_pipeline_that_both_share(path: Path) -> None:
    for name in imports(path):
        assert not within(name, *HEAVY), name
        if within(name, "turret_pipeline"):
            assert room_of(name) in ("", *SHARED), name


def test_a_fresh_interpreter_that_imports_the_api_loads_no_model_and_no_dagster() -> None:
    names = [name for name, path in MODULES.items() if within(name, "turret_api") and path.name != "__main__.py"]
    script = f"import importlib, sys\nfor n in {names!r}: importlib.import_module(n)\nprint(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & set(HEAVY)


def test_a_code_server_that_waits_for_work_loads_neither_the_analysis_nor_ray() -> None:
    script = "import sys, turret_pipeline.definitions as found\nfound.defs()\nprint(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "dagster" in loaded
    assert not {"ray", "dagster_ray", "sklearn", "scipy", "pandas", "torch", "bertopic", "openvino"} & set(loaded)


def test_an_import_of_all_stages_starts_no_threads_of_polars() -> None:
    """A process may fork once it has imported them; a child would wait for ever for threads that it does not have."""
    code = """
import os, turret_pipeline.orchestration.definitions
print([open(f"/proc/self/task/{each}/comm").read().strip() for each in os.listdir("/proc/self/task")])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not re.search(r"polars-\d", run.stdout)  # as its workers are called
    assert "python" in run.stdout
