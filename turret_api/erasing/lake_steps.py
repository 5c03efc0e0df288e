"""What is done in the lake, in processes of `turret_pipeline`, which this package does not know.

What is erased goes to `orchestration.erase` on stdin, never on a command line, which all can see.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from turret_api.accounts import Accounts
from turret_api.home.dagster_home import dagster_environment
from turret_pipeline.settings import Settings

_CANNOT = 4
"""Exit status of a step where the lake is damaged or away (`turret_pipeline.orchestration.erase`)."""

Say = Callable[[str], None]


class ErasureError(Exception):
    """An erasure could not be done; the message says why, without what was to be erased. The same call may do it.

    ErasureError
     └─ UnforeseenError  it may lie in one of those that were performed together
    """


class UnforeseenError(ErasureError):
    """A step ended in a way that it does not know of."""


@dataclass(frozen=True)
class Workplace:
    """What an erasure is performed with. url: of the database. say: told how it goes, in lines without any value."""

    settings: Settings
    accounts: Accounts
    url: str
    say: Say


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What one erasure is to take away. value: "": the list in the lake says it. forms: of an id, where it is masked.

    keep_totals: whether the events go on to count.
    """

    erasure_id: str
    kind: str
    value: str
    forms: tuple[str, ...] = ()
    keep_totals: bool = False


def run_step(place: Workplace, step: str, project_id: str, named: list[Named]) -> dict[str, Any]:
    """Run a step of `turret_pipeline.orchestration.erase`; return what it says, or raise `ErasureError`."""
    command = [sys.executable, "-m", "turret_pipeline.orchestration.erase", step]
    environment = dagster_environment(place.settings, place.url)
    asked = msgspec.json.encode({"project_id": project_id, "erasures": named})
    done = subprocess.run(command, input=asked, env=environment, stdout=subprocess.PIPE, stderr=None, check=False)
    if done.returncode:
        error = ErasureError if done.returncode == _CANNOT else UnforeseenError
        raise error(f"the step {step!r} in the lake ended with status {done.returncode}")
    found: dict[str, Any] = msgspec.json.decode(done.stdout)
    return found


def build(place: Workplace, project_id: str) -> None:
    """Bring the project's tables up to date, as far as can be; whether that was far enough is looked at afterwards."""
    command = [sys.executable, "-m", "turret_pipeline.orchestration.build", f"--project={project_id}"]
    environment = dagster_environment(place.settings, place.url)
    # Its lines are for people, and stdout is for the receipt.
    done = subprocess.run(command, env=environment, stdout=sys.stderr, check=False)
    if done.returncode:
        place.say(f"the build ended with status {done.returncode}")
