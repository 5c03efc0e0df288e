"""A run that calls a part of the other package: what it hears, and how it ends."""

from pathlib import Path

import dagster as dg
import pytest

from turret_pipeline.orchestration.other_package import call
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings

PART = """
import sys
print("it begins", file=sys.stderr)
print("noise of a library")
print('{"done": 2}')
print("it ends", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """What runs work with; there is no database behind it."""
    database = {"TURRET_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    return Workshop(Settings.from_environment({"TURRET_HOME": str(tmp_path), **database}))


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module that says something, and ends with the status that it is given."""
    (tmp_path / "some_part.py").write_text(PART)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "some_part"


def test_what_a_part_says_last_on_stdout_comes_of_it_and_the_rest_is_log(part: str, workshop: Workshop) -> None:
    said: list[str] = []
    assert call(part, ["0"], workshop, said.append) == {"done": 2}
    assert said == ["it begins", "it ends"]


def test_a_part_that_fails_fails_the_run(part: str, workshop: Workshop) -> None:
    said: list[str] = []
    with pytest.raises(dg.Failure, match="some_part ended with status 3; its last lines are in the log"):
        call(part, ["3"], workshop, said.append)
    assert said == ["it begins", "it ends"]
