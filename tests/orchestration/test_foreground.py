"""`turret build` over many small projects: they share runs, and what goes wrong is told as that of one project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_lake import DAYS, event, put
from turret_pipeline.lake import store
from turret_pipeline.lake.locks import sole_writer
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.orchestration.batches import MOST_ALONE
from turret_pipeline.stages.pending import pending_stages

from .test_assets import build
from .test_assets import environment as environment

NAMES = [f"small-{n:02}" for n in range(MOST_ALONE + 2)]
BROKEN, WHOLE = NAMES[2], NAMES[5]


def send(lake: Lake) -> None:
    """Write three events for each project."""
    for name in NAMES:
        put(lake, DAYS[0], "a", [event(n, DAYS[0]) for n in range(3)], name)


@pytest.mark.slow
def test_many_small_projects_share_runs_and_one_that_fails_is_told_of_by_name(
    environment: dict[str, str], lake: Lake
) -> None:
    environment |= {"TURRET_LAKE": lake.root}
    send(lake)
    broken = next(Path(lake.root).glob(f"events/project={BROKEN}/*/a.parquet"))
    content = broken.read_bytes()
    broken.write_bytes(b"not a Parquet file at all")
    done = build(environment)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    n_rows = 3 * (len(NAMES) - 1)
    # On a busy machine there are also lines that tell how far it is.
    told = [line.split() for line in lines if line.startswith(f"{len(NAMES)} projects  events") and " rows " in line]
    assert [words[3] for words in told] == [str(n_rows)]
    assert any(line.startswith(f"{len(NAMES) - 1} projects  journey_edges") for line in lines)
    assert not any(line.startswith(WHOLE) for line in lines)
    assert lines[-1].startswith("build failed: ") and BROKEN in lines[-1]
    assert [name for name, of in pending_stages(lake, None).items() if of] == [BROKEN]

    broken.write_bytes(content)
    assert build(environment).returncode == 0
    assert not any(pending_stages(lake, None).values())
    assert [store.read(lake, EVENTS, name).height for name in NAMES] == [3] * len(NAMES)


@pytest.mark.slow
def test_a_project_that_another_process_has_is_waited_for_after_the_others(
    environment: dict[str, str], lake: Lake, dagster_url: str
) -> None:
    environment |= {"TURRET_LAKE": lake.root}
    send(lake)

    def lacking() -> list[str]:
        return [name for name, of in pending_stages(lake, None).items() if "events" in of]

    command = [sys.executable, "-m", "turret_pipeline.orchestration.build", "--asset", "events"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as building:
        with sole_writer(dagster_url, lake, WHOLE):
            assert building.stdout is not None
            while "waiting" not in (line := building.stdout.readline()):
                assert line
            assert lacking() == [WHOLE]
        said, _ = building.communicate(timeout=60)
    assert (building.returncode, lacking()) == (0, []), said
    assert any(line.startswith(f"{WHOLE}  events") for line in said.splitlines())
