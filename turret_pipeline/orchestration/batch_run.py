"""A run over many small projects: its steps share the open tables, and leave out the projects that failed.

    every project ── a step fails on it, or a blocking check finds it wrong ──▶ left out of the steps that follow
          └── another process has it, or it was deleted ──▶ left out of this run

A project that fails fails alone. The run ends as failed with its last step, so that in Dagster just the partitions that
are not there count as failed; it is not tried again as a whole, for the sensor asks for what is left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import dagster as dg

from turret_pipeline.embedder.embed import Embedder
from turret_pipeline.lake.batch import Batch
from turret_pipeline.lake.layout import refuse_newer
from turret_pipeline.lake.locks import sole_writers
from turret_pipeline.lake.parts import deleted_projects
from turret_pipeline.lake.paths import Lake
from turret_pipeline.orchestration.attempts import named

PATIENCE_S = 2.0
"""Seconds for which a project that another process builds is waited for: all others of the batch wait too."""


class BatchRun:
    """What the steps of one run share.

    Args:
        lake: where the projects lie.
        open_embedder: opens the embedding model.
        steps: names of the steps that are to run.
    """

    def __init__(self, lake: Lake, open_embedder: Callable[[], Embedder], steps: Sequence[str]) -> None:
        self.batch = Batch(lake)
        self.embedder = cache(open_embedder)
        """Returns the embedding model, open for all projects once the first needs it."""
        self.failed: dict[str, str] = {}
        self.left_out: set[str] = set()
        self._steps = set(steps)

    @property
    def lake(self) -> Lake:
        """The lake with what is held of the projects."""
        return self.batch.lake

    @contextlib.contextmanager
    def sole_writer(
        self, database_url: str, projects: Sequence[str], say: Callable[[str], None]
    ) -> Iterator[list[str]]:
        """Yield those of `projects` that are ours to work on for the block, at their newest state."""
        refuse_newer(self.lake)
        wanted = [project for project in projects if project not in self.failed and project not in self.left_out]
        with sole_writers(database_url, self.lake, wanted, PATIENCE_S) as taken:
            gone = deleted_projects(self.lake)
            for project in wanted:
                if project in gone or project not in taken:
                    self.left_out.add(project)
                    say(f"{project} {'was deleted' if project in gone else 'is built by another process'}: left out")
            self.batch.refresh()
            yield [project for project in wanted if project not in self.left_out]

    def fail(self, project: str, reason: str) -> None:
        """After this call the project is left out of what follows, and the run will fail."""
        self.batch.drop(project)
        self.failed.setdefault(project, " ".join(reason.split()))

    @contextlib.contextmanager
    def failing(self, project: str) -> Iterator[None]:
        """An error in the block is one of the project alone, and goes no further."""
        try:
            yield
        except Exception as error:
            self.fail(project, f"{type(error).__name__}: {error}")

    def end_step(self, step: str) -> None:
        """Note that a step has ended; raise `Failure` with the last one if projects failed."""
        self._steps.discard(step)
        if self._steps or not self.failed:
            return
        raise dg.Failure(f"{len(self.failed)} projects failed: {named(self.failed)}", metadata=self.failed)
