"""What the assets work with: settings, listeners, and the lock around the work on a project."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import dagster as dg

from turret_pipeline.analysis.labels.language_model import LanguageModel
from turret_pipeline.embedder.embed import Embedder, model_key
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.fanout import Fanout, OnRay, in_process
from turret_pipeline.lake import heads
from turret_pipeline.lake.damage import DamageError, note
from turret_pipeline.lake.inspection import blamed
from turret_pipeline.lake.layout import refuse_newer
from turret_pipeline.lake.locks import in_turn, sole_writer
from turret_pipeline.lake.parts import deleted_projects
from turret_pipeline.lake.paths import Lake, Versions
from turret_pipeline.lake.tables import TABLES
from turret_pipeline.orchestration.batch_run import BatchRun
from turret_pipeline.settings import Settings
from turret_pipeline.stages.work import Outcome, Work

CONVERSION_S = 300.0
"""Seconds for which a process waits for another that converts the embedding model, before it does so itself."""


def _untold(*args: object) -> None:
    """Do nothing with what is told."""


class RefreshResource(dg.ConfigurableResource[Any]):
    """Whether to compute again what is up to date; to be set at the launch of a run or a backfill."""

    full: bool = False


class _Left:
    """What the process knows of a lake on S3 from one hold of a project's lock to the next.

    Each hold looks at the heads: tables whose head has not moved since are as this process left them. Heads are trusted
    for as long as everywhere (`heads.TRUSTED_S`), then each table is looked at.
    """

    def __init__(self) -> None:
        self.lake: Lake | None = None
        self._versions, self._since = Versions(), time.monotonic()

    def locked(self, seen: Lake) -> Lake:
        """Return the lake for the holder of a lock, who took the look that it bears."""
        if seen.look is None:
            return seen
        if time.monotonic() - self._since > heads.TRUSTED_S:
            self._versions, self._since = Versions(), time.monotonic()
        self._versions.keep(seen.look.tags)
        self.lake = replace(seen, versions=self._versions)
        return self.lake


@dataclass(frozen=True)
class Workshop:
    """What assets work with: the settings, and what is called as the work goes on.

    Args:
        tell: called with (project_id, name of the table, done, total) as a long stage goes on.
        done: called with (project_id, outcome) after each stage.
        waits: called with a sentence when another process has the project.
        fanout: what executes work in chunks.
        left: the lake as the work on the project that was locked last has left it.
    """

    settings: Settings
    tell: Callable[[str, str, int, int], None] = _untold
    done: Callable[[str, Outcome], None] = _untold
    waits: Callable[[str], None] = _untold
    fanout: Fanout = in_process
    left: _Left = field(default_factory=_Left, compare=False)
    _batch_runs: dict[str, BatchRun] = field(default_factory=dict, compare=False)

    @property
    def lake(self) -> Lake:
        """The lake of the settings."""
        return self.settings.open_lake()

    def _suggest(self) -> LanguageModel | None:
        found = self.settings
        if found.llm_url is None or found.llm_model is None:
            return None
        return LanguageModel(found.llm_url, found.llm_model, found.llm_key)

    @property
    def database_url(self) -> str:
        """Where the locks are; raise `Failure` if the settings do not say."""
        if self.settings.database_url is None:
            raise dg.Failure("TURRET_DATABASE_URL is not set; the lock that keeps two builds apart is there")
        return self.settings.database_url

    def batch_run(self, context: dg.AssetExecutionContext) -> BatchRun:
        """Return what the steps of the run share, which is over many projects."""
        if context.run.run_id not in self._batch_runs:
            self._batch_runs.clear()  # that of a run before, in the same process
            steps = context.op_execution_context.get_step_execution_context().execution_plan.step_keys_to_execute
            self._batch_runs[context.run.run_id] = BatchRun(self.lake, self.open_embedder, steps)
        return self._batch_runs[context.run.run_id]

    def open_embedder(self) -> Embedder:
        """Return the loaded embedding model; of several processes that need it converted first, one does that."""
        lake, model = self.lake, self.settings.model
        turn = partial(in_turn, self.database_url, lake, f"model {model_key(model)}", CONVERSION_S)
        return open_lake_embedder(lake, model, turn)

    def work_of(self, project_id: str, refresh: bool, run: BatchRun | None = None) -> Work:
        """Return the project's work, within a run over many projects or by itself."""
        return Work(
            self.lake if run is None else run.lake,
            project_id,
            self.settings.model,
            refresh,
            suggest=self._suggest(),
            embedder=self.open_embedder if run is None else run.embedder,
            tell=partial(self.tell, project_id) if run is None else _untold,  # how far the run is, its steps tell
            clusters=self.settings.clusters,
            fanout=self.fanout,
        )

    @contextmanager
    def work(self, project_id: str, refresh: bool, say: Callable[[str], None]) -> Iterator[Work]:
        """Yield the project's work while no other process brings the project up to date."""
        work = self.work_of(project_id, refresh)

        def wait() -> None:
            for hear in (say, self.waits):
                hear(f"another process is building {project_id}; waiting for it")

        with sole_writer(self.database_url, self.lake, project_id, wait):
            seen = heads.look(self.lake)
            refuse_newer(seen)
            if project_id in deleted_projects(seen):
                raise dg.Failure(f"the project {project_id} was deleted")
            with named_damage(self.lake, project_id):
                yield replace(work, lake=self.left.locked(seen))


def fanout_of(settings: Settings) -> Fanout:
    """Return what executes work in chunks: the Ray cluster of the settings, or this process.

    Ray sets RAY_ADDRESS for its jobs. A person may do so for a build in the foreground, on a node of the cluster.
    """
    return OnRay() if settings.ray_address is not None and os.environ.get("RAY_ADDRESS") else in_process


@contextmanager
def named_damage(lake: Lake, project_id: str) -> Iterator[None]:
    """An error in the block for which a damaged file is to blame is raised as `DamageError`, and the lake notes it."""
    try:
        yield
    except Exception as error:
        damage = None if isinstance(error, dg.Failure) else blamed(lake, error, project_id, TABLES.values())
        if damage is None:
            raise
        note(lake, damage)
        if isinstance(error, DamageError):
            raise
        raise DamageError(damage) from error
