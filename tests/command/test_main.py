"""The `turret` command as a whole: what it offers, and how it says that something is wrong."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from turret_api.command.main import COMMANDS, main

ROOT = Path(__file__).parents[2]


def turret(*arguments: str, **environment: str) -> tuple[int, str]:
    """Return exit status and output of a call in this process."""
    done = CliRunner().invoke(main, list(arguments), env=environment)
    return done.exit_code, done.output


def test_help_names_every_command_and_loads_none() -> None:
    script = "import sys; from turret_api.command.main import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert all(f"\n  {name} " in output for name in COMMANDS)
    loaded = output.splitlines()[-1].split()
    assert not {"polars", "sqlalchemy", "fastapi", "psycopg2"} & set(loaded)


def test_the_version_is_that_of_the_package_and_stands_in_the_changelog() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert turret("--version") == (0, f"main, version {declared}\n")
    assert f"\n## [{declared}] - 20" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_a_help(name: str) -> None:
    code, output = turret(name, "--help")
    assert code == 0
    assert output.startswith(f"Usage: main {name} ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["biuld"], {}, "No such command 'biuld'"),
        (["build"], {"TURRET_PORT": "http"}, "Error: TURRET_PORT is 'http'; expected a whole number"),
        (["up"], {"TURRET_PORT": "3000", "TURRET_DAGSTER_PORT": "3000"}, "are both 3000: change one"),
        (["status"], {"TURRET_HOME": "/dev/null/home"}, "Error: cannot "),
        (["up"], {"TURRET_HOME": "/dev/null/home"}, "Error: cannot use the folder /dev/null/home: Not a directory"),
        (["build", "--project", "nobody"], {}, "Error: there is no project 'nobody'"),
        (
            ["build"],
            {"TURRET_MODEL": "/nowhere/model"},
            "Error: there is no folder '/nowhere/model'",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], words: str
) -> None:
    code, output = turret(*arguments, **({"TURRET_HOME": str(tmp_path)} | environment))
    assert code != 0
    assert words in output.splitlines()[-1]
