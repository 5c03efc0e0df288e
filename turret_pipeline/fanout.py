"""Work in chunks, done by this process or spread over the nodes of a Ray cluster: the same chunks either way.

The workers compute and return what they found; who called commits it, chunk after chunk, in order. So a worker that
dies leaves nothing behind: its chunk is computed again, on another node if its own is gone, and counts once.

    chunk ──▶ task on some node ──▶ result ──▶ yielded in its turn
                └── its worker or its node dies ──▶ the task is done again, `TRIES` times ──▶ the error is raised

How many tasks run at once on a node its processors say, as Ray counts them. Ray is imported only where there is
something to spread.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from turret_pipeline import failpoint

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

MOST_THREADS = 4
"""Processors of one task: more threads in a task gain less than more tasks do, and each task holds a model."""
TRIES = 4
"""Times that a task is done again when its worker or node has died."""
AHEAD = 2
"""Tasks for each that can run at once: none waits for its chunk, and few results wait for their turn."""

_threads_of_task = 0


class Fanout(Protocol):
    """What takes work in chunks."""

    def __call__(
        self,
        function: Callable[[Chunk], Result],
        chunks: Iterable[Chunk],
        here: Callable[[Chunk], Result] | None = None,
    ) -> Iterator[Result]:
        """Yield what `function` returns of each chunk, in the order of the chunks.

        function: returns the same whenever and wherever it is called; can be pickled, and so can chunks and results.
        here: what is called in its place in this process, which may hold open what a worker has to open first.
        An error that it raises is raised here, and what comes after its chunk is given up.
        """
        ...


def in_process(
    function: Callable[[Chunk], Result],
    chunks: Iterable[Chunk],
    here: Callable[[Chunk], Result] | None = None,
) -> Iterator[Result]:
    """Yield what `here` (default: `function`) returns of each chunk; the `Fanout` of one process."""
    return map(here or function, chunks)


class OnRay:
    """The `Fanout` of the Ray cluster that `RAY_ADDRESS` names; this process is on one of its nodes.

    A single chunk is done in this process.
    """

    def __call__(
        self,
        function: Callable[[Chunk], Result],
        chunks: Iterable[Chunk],
        here: Callable[[Chunk], Result] | None = None,
    ) -> Iterator[Result]:
        """Yield what `function` returns of each chunk, in the order of the chunks."""
        waiting = iter(chunks)
        first = list(itertools.islice(waiting, 2))
        waiting = itertools.chain(first, waiting)
        if len(first) < 2:
            return in_process(function, waiting, here)
        _connect()
        return _spread(function, waiting)


def _connect() -> None:
    """After this call the process is connected to its cluster; raise `ConnectionError` if that does not answer."""
    import ray

    if not ray.is_initialized():
        with _kept_sigterm():
            ray.init(address="auto", log_to_driver=False)


def threads_of_task() -> int:
    """Return how many threads the task that this process executes may use; 0, in any other process: all there are."""
    return _threads_of_task


def _spread(function: Callable[[Chunk], Result], chunks: Iterator[Chunk]) -> Iterator[Result]:
    import ray

    n_threads = _threads()
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    task: Any = ray.remote(_call)
    task = task.options(
        name=getattr(function, "__name__", None) or getattr(getattr(function, "func", None), "__name__", "chunk"),
        num_cpus=n_threads,
        max_retries=TRIES,
        runtime_env={"env_vars": {**environment, "POLARS_MAX_THREADS": str(n_threads)}},
    )
    shared = ray.put(function)  # what it bears goes to each node once
    asked: deque[Any] = deque()
    try:
        while True:
            n_ahead = AHEAD * max(1, sum(_processors()) // n_threads)
            for chunk in itertools.islice(chunks, max(0, n_ahead - len(asked))):
                asked.append(task.remote(shared, chunk, n_threads))
            if not asked:
                return
            yield _result(asked.popleft())
    finally:
        for each in asked:
            ray.cancel(each)


def _result(asked: Any) -> Any:
    """Return the result of a task; raise the very error that was raised there."""
    import ray

    try:
        return ray.get(asked)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error


def _call(function: Callable[[Chunk], Result], chunk: Chunk, n_threads: int) -> Result:
    """Return what the function returns; executed by a worker."""
    global _threads_of_task
    _threads_of_task = n_threads
    failpoint.reached("fanout.in_task")
    return function(chunk)


def _threads() -> int:
    """Return how many processors a task takes, so that every node of the cluster which has any can execute one."""
    return min([n for n in _processors() if n > 0] + [MOST_THREADS])


def _processors() -> list[int]:
    """Return of each node how many processors it has."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [int(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"]]


@contextlib.contextmanager
def _kept_sigterm() -> Iterator[None]:
    """Keep the process's way to end in the block: Ray takes SIGTERM for itself, and a run could not be cancelled."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
