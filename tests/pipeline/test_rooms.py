"""What the rooms of the pipeline know of each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PIPELINE = Path(__file__).parents[2] / "turret_pipeline"
WITHOUT_DAGSTER = sorted((PIPELINE / "stages").glob("*.py"))


@pytest.mark.parametrize("path", WITHOUT_DAGSTER, ids=lambda path: path.stem)
def test_stages_and_checks_know_no_dagster_and_no_asset(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not any(name.startswith(("dagster", "turret_pipeline.orchestration")) for name in names), names
