"""Small projects share runs: one that fails fails alone, and what each is left with is what a run of its own leaves."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.small_lake import DAYS, bring, event, put, tables
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.locks import sole_writer
from turret_pipeline.lake.parts import delete_project
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.orchestration import batches, wishes
from turret_pipeline.orchestration.batches import BATCH_TAG, LARGE, MOST_BATCHES, SIZE_TAG, SMALL, keys_of
from turret_pipeline.orchestration.definitions import build_definitions
from turret_pipeline.orchestration.executor import leased_executor
from turret_pipeline.orchestration.leases import Leases
from turret_pipeline.orchestration.partitions import DAYS_BY_PROJECT, PROJECT, PROJECTS, day_key
from turret_pipeline.orchestration.sensor import EVENTS_JOB, MODELS_JOB, PROJECT_TAG, look, under_way
from turret_pipeline.orchestration.wishes import RETRY_S, LastRequests
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings
from turret_pipeline.stages.pending import pending_stages

from .test_assets import QUIET

NOW = 1_800_000_000.0
NAMES = [f"small-{n}" for n in range(5)]


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job(executor_def=leased_executor(Leases(None)), tags={SIZE_TAG: SMALL})
def small_job() -> None:
    """Run as one over small projects."""
    nothing()


def sent(lake: Lake, project: str, day: dt.date = DAYS[0], part: str = "a", n: int = 3, first: int = 0) -> None:
    rows = [event(number, day, f"how do I get my money back for {project}, {number}") for number in range(first, n)]
    put(lake, day, part, rows, project)


@dataclasses.dataclass
class Scene:
    """The sensor and the jobs over one lake, and a Dagster that remembers nothing."""

    settings: Settings
    instance: dg.DagsterInstance
    memory: LastRequests = dataclasses.field(default_factory=dict)

    @property
    def lake(self) -> Lake:
        return self.settings.open_lake()

    def asked(self, now: float = NOW) -> list[dg.RunRequest]:
        """Return the runs that the sensor asks for; new projects are partitions after it."""
        found = look(self.instance, self.settings, self.memory, now)
        for request in found.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions(PROJECT, list(request.partition_keys or []))
        return list(found.run_requests or [])

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Do what a request asks for."""
        job = build_definitions(Workshop(self.settings)).resolve_job_def(str(request.job_name))
        return job.execute_in_process(
            QUIET | dict(request.run_config),
            self.instance,
            request.partition_key,
            tags=dict(request.tags),
            asset_selection=list(request.asset_selection) if request.asset_selection else None,
            raise_on_error=False,
        )

    def status(self, asset: str, day: dt.date | None = None) -> dict[str, str | None]:
        """Return by project what Dagster says of its partition."""
        keys = {
            str(name if day is None else day_key(day, name)): name
            for name in self.instance.get_dynamic_partitions(PROJECT)
        }
        of = PROJECTS if day is None else DAYS_BY_PROJECT
        found = self.instance.get_status_by_partition(dg.AssetKey(asset), list(keys), of)
        return {keys[key]: status and status.value for key, status in (found or {}).items()}


@pytest.fixture
def scene(lake: Lake, database_url: str) -> Iterator[Scene]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Scene(Settings(Path(lake.root).parent, lake.root, database_url), instance)


def projects_of(request: dg.RunRequest) -> list[str]:
    run = dg.DagsterRun("job", run_config=request.run_config, tags=request.tags)
    return [key.rpartition("|")[2] for key in keys_of(run)] or [request.tags[PROJECT_TAG]]


def test_small_projects_share_a_run_and_a_large_one_has_its_own(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        sent(scene.lake, name)
    sent(scene.lake, "large", n=300)
    monkeypatch.setattr(wishes, "SMALL_BYTES", 8_000)
    alone, shared = scene.asked()
    assert (projects_of(alone), alone.tags[SIZE_TAG]) == (["large"], LARGE)
    assert (projects_of(shared), shared.tags[SIZE_TAG]) == (NAMES, SMALL)
    assert shared.job_name == EVENTS_JOB and shared.tags[BATCH_TAG] == "5 projects"


def test_a_run_takes_a_bounded_amount_of_work_and_few_are_asked_for_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wishes, "MOST_BYTES", 2 * batches.PARTITION_BYTES + 20_000)
    names = [f"small-{n:02}" for n in range(2 * MOST_BATCHES + 2)]
    for name in names:
        sent(scene.lake, name)
    first = scene.asked()
    assert [len(projects_of(request)) for request in first] == [2] * MOST_BATCHES
    for n, request in enumerate(first):
        run = dg.DagsterRun(EVENTS_JOB, f"r{n}", dict(request.run_config), tags=dict(request.tags))
        scene.instance.add_run(run.with_status(dg.DagsterRunStatus.STARTED))
    busy = under_way(scene.instance, Leases(None))
    assert busy.projects == set(names[: 2 * MOST_BATCHES]) and busy.n_small == MOST_BATCHES
    assert scene.asked(NOW + 5) == []
    scene.instance.delete_run("r0")
    assert [projects_of(request) for request in scene.asked(NOW + 10)] == [names[2 * MOST_BATCHES :]]


@pytest.mark.slow
def test_runs_over_many_projects_leave_what_runs_of_their_own_leave(scene: Scene, tmp_path: Path) -> None:
    alone = Lake(str(tmp_path / "alone"))
    alone.make()
    (Path(alone.root) / "models").symlink_to(Path(scene.lake.root) / "models")
    names = NAMES[:3]
    for turn in range(2):
        for name in names[: 2 + turn]:  # new ones, and such that have something already
            for lake in (scene.lake, alone):
                # The session that ends the first day goes on on the second, on which others begin.
                sent(lake, name, DAYS[turn], f"p{turn}", first=3 * turn, n=3 + 3 * turn)
        for job in (EVENTS_JOB, MODELS_JOB):
            (request,) = scene.asked(NOW + 1000 * turn)
            assert request.job_name == job and projects_of(request) == names[: 2 + turn]
            assert scene.run(request).success
        assert not any(pending_stages(scene.lake, None).values())
    for name in names:
        bring(alone, name)
        ours, theirs = tables(scene.lake, name), tables(alone, name)
        # How often topics were fitted depends on how often there were builds, and with it only what tells of fits.
        for table in ("events", "field_profiles", "field_types", "messages", "topic_days", "journey_edges"):
            assert ours[table].equals(theirs[table]), (name, table)
        assert ours["embeddings"].drop("vector", "quantized").equals(theirs["embeddings"].drop("vector", "quantized"))
    assert set(scene.status("topics").values()) == {"MATERIALIZED"}
    assert scene.status("raw_events", DAYS[0]) == dict.fromkeys(names[:2], "MATERIALIZED") | {"small-2": None}


@pytest.mark.slow
def test_a_project_that_fails_fails_alone_and_is_tried_again_alone(scene: Scene) -> None:
    for name in NAMES:
        sent(scene.lake, name)
    broken = next(Path(scene.lake.root).glob("events/project=small-2/*/a.parquet"))
    whole = broken.read_bytes()
    broken.write_bytes(b"not a Parquet file at all")
    (request,) = scene.asked()
    result = scene.run(request)
    assert not result.success
    good = [name for name in NAMES if name != "small-2"]
    wanted = dict.fromkeys(good, "MATERIALIZED") | {"small-2": "FAILED"}
    for asset in ("events", "field_profiles"):
        assert scene.status(asset, DAYS[0]) == wanted
    failure = result.failure_data_for_node("field_profiles")
    assert failure is not None and failure.error is not None
    assert "small-2: " in failure.error.to_string() and "small-1: " not in failure.error.to_string()

    (request,) = scene.asked(NOW + 5)
    assert (request.job_name, projects_of(request)) == (MODELS_JOB, NAMES)
    assert scene.run(request).success
    pending = {name: list(tables) for name, tables in pending_stages(scene.lake, None).items() if tables}
    assert pending == {"small-2": ["events", "field_profiles"]}

    broken.write_bytes(whole)
    (request,) = scene.asked(NOW + RETRY_S)
    assert request.partition_key == f"{DAYS[0]}|small-2" and BATCH_TAG not in request.tags
    assert scene.run(request).success


def test_many_projects_that_were_not_done_are_tried_again_in_smaller_runs(scene: Scene) -> None:
    for n in range(20):
        sent(scene.lake, f"small-{n:02}")
    sizes = []
    for turn in (0, 1, 3):
        asked = [each for each in scene.asked(NOW + turn * RETRY_S) if each.job_name == EVENTS_JOB]
        sizes.append([len(projects_of(request)) for request in asked])
    assert sizes == [[20], [20], [3] * MOST_BATCHES]


@pytest.mark.slow
def test_a_project_that_a_check_finds_wrong_stops_itself_and_no_other(scene: Scene) -> None:
    for name in NAMES:
        sent(scene.lake, name)
        bring(scene.lake, name, until="events")
        sent(scene.lake, name, part="b", first=3, n=6)
    spoilt = ProjectTable(scene.lake, EVENTS, "small-1")
    rows = spoilt.scan().collect()
    spoilt.append(rows, days={DAYS[0]: spoilt.inputs(DAYS[0]) or 0})  # each event twice
    (request,) = scene.asked()
    assert not scene.run(request).success
    assert scene.status("field_profiles", DAYS[0])["small-1"] == "FAILED"
    later = scene.asked(NOW + 1000)
    assert [projects_of(request) for request in later] == [[name for name in NAMES if name != "small-1"]]


@pytest.mark.slow
def test_projects_that_are_deleted_or_built_elsewhere_meanwhile_are_left_out(scene: Scene, database_url: str) -> None:
    for name in NAMES:
        sent(scene.lake, name)
    (request,) = scene.asked()
    delete_project(scene.lake, "small-0", b"{}")
    with sole_writer(database_url, scene.lake, "small-4"):
        assert scene.run(request).success
    left = pending_stages(scene.lake, None)
    assert "small-0" not in left and "events" in left["small-4"]
    assert all("events" not in left[name] for name in NAMES[1:4])
    assert scene.status("events", DAYS[0])["small-4"] is None


def test_the_executor_of_the_daemon_runs_what_is_small() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.execute_job(dg.reconstructable(small_job), instance, raise_on_error=True).success
