"""What effects on outcomes are found, and that none is where none is: a short run of `benchmarks/outcomes.py`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

STREAMS = 20


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    command = [sys.executable, "benchmarks/outcomes.py", "--json", "--streams", str(STREAMS)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("planted", ["topic", "move", "sign"])
def test_an_effect_of_twelve_points_is_found(figures: dict[str, float], planted: str) -> None:
    assert figures[f"power_{planted}"] >= 0.9
    assert figures[f"power_{planted}_number"] >= 0.9


def test_where_nothing_is_there_hardly_anything_is_found(figures: dict[str, float]) -> None:
    # Of 20 streams at 5% each: three or fewer in 98 of 100 such runs, and this run draws the same streams every time.
    assert figures["null_share"] * STREAMS <= 3 and figures["null_number"] * STREAMS <= 3
    assert figures["naive_null"] >= 0.9


def test_what_follows_from_the_outcome_is_not_taken_for_what_precedes_it(figures: dict[str, float]) -> None:
    assert figures["after"] * STREAMS <= 3
    assert figures["naive_after"] >= 0.9
