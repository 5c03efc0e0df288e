"""Helm on Turret's chart, each call in a process of its own.

The package's library brings Go's runtime into the process that loads it, with threads and signal handlers that stay for
good. Workers of the tests, which load much else, died of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CHART = Path(__file__).parents[1] / "deploy" / "helm" / "turret"


class HelmError(Exception):
    """Helm refuses the values: the text says why."""


def lint(values: dict[str, Any]) -> dict[str, Any]:
    """Return the report of `helm lint --strict`: `errors`, and `messages`, each with its `severity` and its `error`."""
    return dict(_ask("lint", values))


def render(values: dict[str, Any]) -> dict[str, str]:
    """Return the chart's rendered files, by their path; raise `HelmError` where the chart refuses the values."""
    return dict(_ask("render", values))


def _ask(what: str, values: dict[str, Any]) -> Any:
    done = subprocess.run(
        [sys.executable, __file__, what], input=json.dumps(values), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise HelmError(done.stderr.strip())
    return json.loads(done.stdout)


def _answer(what: str, values: dict[str, Any]) -> Any:
    import helm_python

    try:
        if what == "lint":
            return helm_python.lint(str(CHART), values, strict=True)
        with helm_python.Chart.load(str(CHART)) as chart:
            return chart.render(values, name="turret", namespace="default")
    except helm_python.HelmError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    json.dump(_answer(sys.argv[1], json.load(sys.stdin)), sys.stdout)
