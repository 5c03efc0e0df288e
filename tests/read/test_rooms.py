"""The rooms of the read API: each imports those below it only, and what works out questions knows no HTTP."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.test_imports import MODULES, circles, imports, within

READ = "turret_api.read"
FLOORS = ("engine", "views", "sql", "questions", "changes", "notebook", "keeping", "http")
"""The rooms, from the ground up."""

HTTP = ("fastapi", "starlette", "uvicorn", "pydantic")

of_read = [name for name in MODULES if within(name, READ)]


def room_of(name: str) -> str:
    return [*name.removeprefix(READ).removeprefix(".").split("."), ""][0]


def test_no_modules_of_the_read_api_import_one_another_in_a_circle() -> None:
    assert [group for group in circles() if any(within(name, READ) for name in group)] == []


@pytest.mark.parametrize("name", of_read)
def test_a_room_imports_only_rooms_below_it(name: str) -> None:
    if (room := room_of(name)) in FLOORS:
        for other in imports(MODULES[name]):
            if within(other, READ) and (there := room_of(other)):
                assert FLOORS.index(there) <= FLOORS.index(room), other


@pytest.mark.parametrize("name", [name for name in of_read if room_of(name) != "http"])
def test_only_the_room_of_http_knows_a_framework(name: str) -> None:
    assert [other for other in imports(MODULES[name]) if within(other, *HTTP)] == []


def test_the_process_that_works_out_questions_loads_no_framework() -> None:
    script = "import sys, turret_api.read.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "turret_api.read.questions.journeys.graph" in loaded
    assert not set(loaded) & set(HTTP)


def test_polars_knows_numpy_before_threads_work_on_questions() -> None:
    script = "import turret_api.read.__main__, numpy, polars._dependencies as known; print(known.numpy is numpy)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n", "of two first questions at once one may fail"
