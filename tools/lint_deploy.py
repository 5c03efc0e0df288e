"""Lints what deploys Turret: Dockerfile, compose files, Helm chart, systemd unit, scripts. Part of `make lint`.

Each file is looked at by a tool made for it, from PyPI; only `systemd-analyze` is the system's own. No container engine
and no cluster is needed, or asked.

    python -m tools.lint_deploy
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tools import helm
from tools.helm import CHART

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "deploy" / "systemd" / "turret.service"
COMPOSE = ["compose.yaml", "compose.split.yaml"]
SPLIT = {"mode": "split", "database": {"url": "postgresql://turret@db/turret"}, "lake": {"url": "s3://bucket/lake"}}
VALUES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "split": SPLIT,
    "everything": {
        **SPLIT,
        "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls"},
        "serviceMonitor": {"enabled": True},
        "settings": {"TURRET_LATE_SECONDS": "300"},
        "storageClass": "fast",
    },
}
"""Values that the chart is rendered with, by name."""
KUBERNETES = ("1.27", "1.37")
"""The oldest and the newest version that manifests are held against."""
UNKNOWN = ("ServiceMonitor",)
"""Kinds that are the Prometheus operator's, not Kubernetes' own."""
MOST_EXPOSED = 20
"""Of 100, by `systemd-analyze security`: 17 is what the unit has."""


def run(*command: str) -> Iterator[str]:
    """Yield what a linter says, if it is not satisfied."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"{Path(command[0]).name}: {(done.stdout + done.stderr).strip()}"


def tool(name: str) -> str:
    """Return the program of a package that is installed beside this Python."""
    return str(Path(sys.executable).parent / name)


def manifests(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the Kubernetes objects that the chart makes of some values."""
    texts = [text for path, text in sorted(helm.render(values).items()) if path.endswith(".yaml")]
    return [found for text in texts for found in yaml.safe_load_all(text) if found]


def chart_faults() -> Iterator[str]:
    """Yield what Helm and the schemas of Kubernetes have against the chart."""
    for name, values in VALUES.items():
        report = helm.lint(values)
        yield from (f"helm lint, {name}: {each}" for each in report["errors"])
        yield from (f"helm lint, {name}: {each['error']}" for each in report["messages"] if each["severity"] > 1)
        for manifest in manifests(values):
            if manifest["kind"] in UNKNOWN:
                continue
            for version in KUBERNETES:
                try:
                    kubernetes_validate.validate(manifest, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    where = f"{manifest['kind']} {manifest['metadata']['name']}, {name}, Kubernetes {version}"
                    yield f"{where}: {error.message}"


def unit_faults() -> Iterator[str]:
    """Yield what systemd has against the unit, where the program is there."""
    if shutil.which("systemd-analyze") is None:
        print("systemd-analyze is not there: the unit is not looked at", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        # It is wrong for `verify` that a program is not installed.
        copy = Path(folder) / UNIT.name
        copy.write_text(UNIT.read_text().replace("/opt/turret/bin/turret", shutil.which("true") or "/bin/true"))
        yield from run("systemd-analyze", "verify", "--man=no", str(copy))
        yield from run("systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(copy))


def faults() -> Iterator[str]:
    """Yield everything that is wrong, a text each."""
    yield from run(tool("hadolint"), "Dockerfile")
    yield from run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", *COMPOSE)
    yield from run(tool("compose-lint"), "check", "--fail-on", "high", *COMPOSE)
    of_chart = [str(CHART / name) for name in ("Chart.yaml", "values.yaml")]
    yield from run(tool("yamllint"), "--strict", "--config-file", ".yamllint.yaml", *COMPOSE, *of_chart)
    yield from run(tool("shellcheck"), ".ci/run")
    yield from chart_faults()
    yield from unit_faults()


def main() -> None:
    """Print what is wrong; exit with 1 if anything is."""
    found = list(faults())
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
