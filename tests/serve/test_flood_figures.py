"""What floods and other tenants may cost, measured as anyone can: `benchmarks/floods.py` and `benchmarks/tenants.py`.

A machine that has other work to do is slower for everybody: so each bound is also held against a yardstick of the run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.long


def figures(script: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, f"benchmarks/{script}.py", "--json", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_in_each_flood_the_server_answers_in_time_and_holds_little_memory() -> None:
    found = figures("floods", "--seconds", "1")

    assert found["healthz_flooded_p99_ms"] < max(50.0, 3 * found["bare_busy_p99_ms"]), found["slowest_flood"]
    assert found["memory_mib"] < 400, found["largest_flood"]
    assert found["memory_stored_mib"] < 600


def test_one_tenants_questions_leave_the_events_of_another_their_time() -> None:
    found = figures("tenants", "--rounds", "5", "--seconds", "4")

    assert found["p99_ratio"] <= 1.5 or found["track_asked_p99_ms"] <= found["track_alone_worst_p99_ms"], found
