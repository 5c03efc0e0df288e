"""The rooms of the house and the doors between them (see the picture in the README)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "bertopic", "dagster", "sentence_transformers", "numba", "umap", "hdbscan", "evoc")


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


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


@pytest.mark.parametrize("path", modules("turret_pipeline/lake"), ids=str)
def test_the_lake_knows_nothing_of_the_rest(path: Path) -> None:
    for name in imports(path):
        assert not within(name, "turret_api", "dagster", "fastapi", *HEAVY), name
        assert (
            not name.startswith("turret_pipeline") or within(name, "turret_pipeline.lake") or name == "turret_pipeline"
        )


@pytest.mark.parametrize("path", modules("turret_pipeline/analysis"), ids=str)
def test_the_analysis_knows_no_paths_and_no_dagster(path: Path) -> None:
    for name in imports(path):
        assert not within(name, "turret_api", "dagster", "deltalake", "fastapi"), name
        assert not within(
            name, "turret_pipeline.lake.paths", "turret_pipeline.lake.store", "turret_pipeline.lake.parts"
        )
        assert not within(name, "turret_pipeline.lake.settings"), name


@pytest.mark.parametrize("path", modules("turret_pipeline"), ids=str)
def test_the_pipeline_never_imports_the_api(path: Path) -> None:
    assert not any(within(name, "turret_api", "fastapi") for name in imports(path))


@pytest.mark.parametrize("path", modules("turret_api"), ids=str)
def test_the_api_meets_the_pipeline_in_the_lake_alone(path: Path) -> None:
    for name in imports(path):
        assert not within(name, *HEAVY), name
        if name.startswith("turret_pipeline"):
            assert within(name, "turret_pipeline.lake") or name == "turret_pipeline", name


def test_a_fresh_interpreter_that_imports_the_api_loads_no_model_and_no_dagster() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in modules("turret_api")
        if path.name not in ("__main__.py", "__init__.py")
    ]
    script = f"import importlib, sys\nfor n in {names!r}: importlib.import_module(n)\nprint(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & set(HEAVY)
