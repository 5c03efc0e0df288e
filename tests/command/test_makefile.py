"""When `make` sets up: which steps it regards as done, asked without doing any."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
# Without the variables that `make test` passes on to this process.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "a check out"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / "clients" / "python").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "clients/python/pyproject.toml"):
        shutil.copy(CHECKOUT / name, folder / name)
        os.utime(folder / name, (1000, 1000))
    return folder


def is_set_up(folder: Path, target: str = "setup") -> bool:
    """Whether `make` would do nothing for the target."""
    done = subprocess.run(["make", "--question", target], cwd=folder, env=ENVIRONMENT, capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


def test_a_set_up_counts_once_its_stamp_is_there_and_newer_than_what_it_was_made_from(checkout: Path) -> None:
    assert not is_set_up(checkout), "an interrupted one has a .venv, but no stamp"
    (checkout / ".venv" / ".ready").touch()
    assert is_set_up(checkout)
    for name in ("pyproject.toml", "constraints.txt"):
        now = (checkout / ".venv" / ".ready").stat().st_mtime
        os.utime(checkout / name, (now + 10, now + 10))
        assert not is_set_up(checkout)
        os.utime(checkout / name, (1000, 1000))


def test_tests_need_a_set_up_of_their_own(checkout: Path) -> None:
    (checkout / ".venv" / ".ready").touch()
    assert not is_set_up(checkout, ".venv/.ready-dev")


def test_every_command_of_the_contract_is_there() -> None:
    for target in ("setup", "demo", "up", "test", "test-slow", "test-long", "bench", "lint", "docs"):
        done = subprocess.run(
            ["make", "--dry-run", target], cwd=CHECKOUT, env=ENVIRONMENT, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_the_hooks_of_commits_call_every_tool_of_lint_and_fetch_nothing() -> None:
    lint = subprocess.run(
        ["make", "--dry-run", "lint"], cwd=CHECKOUT, env=ENVIRONMENT, capture_output=True, text=True, check=True
    ).stdout
    (local,) = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = {hook["entry"].split()[0] for hook in local["hooks"] if hook["language"] == "system"}
    assert (local["repo"], len(local["hooks"])) == ("local", 8)
    assert entries - {".venv/bin/python"} == set(re.findall(r"\.venv/bin/(?!python)[a-z]+", lint))
