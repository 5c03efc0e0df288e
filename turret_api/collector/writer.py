"""The one thread that writes the spool: many requests, one commit.

All that waits when a commit ends goes into the next one (group commit), so requests that arrive together share the cost
of an fsync. Ids seen, quota used and events are one transaction; answers are given after its fsync.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from turret_api.accounts.erased_ids import KNOWN_FOR, ErasedIds
from turret_api.accounts.suppression import Suppressed
from turret_api.collector.event import Checked
from turret_api.collector.ledger import Ledger, Quota
from turret_api.collector.metrics import Metrics
from turret_api.collector.neighbours import Neighbours
from turret_api.collector.rows import Row, Seen
from turret_api.collector.spool import Spool, SpoolBrokenError, SpoolFullError
from turret_api.collector.submission import Parked, Stored, Submission, resolve
from turret_api.collector.suppression import began_before, ids_of, refusal
from turret_api.errors import UnavailableError
from turret_pipeline import failpoint

log = logging.getLogger(__name__)

MOST_EVENTS_A_COMMIT = 5_000
MOST_BYTES_A_COMMIT = 8 * 1024 * 1024
_KNOWN_FOR_US = round(KNOWN_FOR.total_seconds() * 1e6)

T = TypeVar("T")


class _Batch:
    """What one transaction will hold."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us
        self.rows: list[Row] = []
        self.names: dict[tuple[str, str], Seen] = {}
        self.taken: dict[Quota, int] = {}
        self.done: list[Submission] = []


_Command = tuple[Callable[[Spool], Any], Future[Any]]


class Writer:
    """The writer over `spool`.

    Args:
        spool: the open spool; it belongs to the writer's thread from `start` on.
        ledger: who may store how much.
        metrics: what is counted.
        park: takes a submission that needs more than is granted here; the broker submits it again, or refuses it.
        on_full: is called when the disk had no room.
        on_broken: is called when a write or an fsync failed; must end the process.
        neighbours: the other collectors of this host; None: there are none.
        suppressed: returns whose events a project does not take; None: it takes all.
        erased: returns what was erased lately, the same object as long as nothing changes; None: nothing was.
    """

    def __init__(
        self,
        spool: Spool,
        ledger: Ledger,
        metrics: Metrics,
        park: Callable[[Parked], None],
        on_full: Callable[[], None],
        on_broken: Callable[[Exception], None],
        neighbours: Neighbours | None = None,
        suppressed: Callable[[str], Suppressed | None] = lambda project_id: None,
        erased: Callable[[], ErasedIds | None] = lambda: None,
    ) -> None:
        self._spool = spool
        self._ledger = ledger
        self._metrics = metrics
        self._park = park
        self._on_full = on_full
        self._on_broken = on_broken
        self._neighbours = neighbours
        self._suppressed = suppressed
        self._erased = erased
        self._heard: ErasedIds | None = None
        self._queue: queue.SimpleQueue[Submission | _Command | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._clock_us = 0
        self._ended = threading.Event()

    def start(self) -> None:
        """From this call on what is submitted is written."""
        self._thread.start()

    def stop(self) -> None:
        """After this call everything submitted before it is written and the thread has ended."""
        self._queue.put(None)
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs, and so writes what is submitted."""
        return self._thread.is_alive()

    def submit(self, submission: Submission) -> None:
        """Queue a request's events; `submission.future` is resolved when they are stored or refused."""
        self._queue.put(submission)

    def call(self, function: Callable[[Spool], T]) -> T:
        """Return what `function` returns, run on the writer's thread in a transaction of its own. Blocks."""
        future: Future[T] = Future()
        self._queue.put((function, future))
        while not wait([future], timeout=0.5).done:
            if self._ended.is_set() and not future.done():
                raise SpoolBrokenError("the writer has ended; nothing more is written")
        return future.result()

    def forget_project(self, project_id: str) -> int:
        """Forget the project's quotas, and some of the ids seen of it; return how many of these. Blocks."""

        def forget(spool: Spool) -> int:
            self._ledger.forget(project_id)
            return spool.forget_project(project_id)

        return self.call(forget)

    def _run(self) -> None:
        try:
            running = True
            while running:
                running = self._turn(self._queue.get())
        except SpoolBrokenError as error:
            self._on_broken(error)
        except BaseException as error:
            log.critical("the writer failed", exc_info=error)
            self._on_broken(SpoolBrokenError(f"the writer failed: {error!r}"))
        finally:
            self._ended.set()

    def _turn(self, first: Submission | _Command | None) -> bool:
        """Do `first` and what waits behind it; tell whether to go on."""
        waiting: list[Submission] = []
        n = size = 0
        item = first
        while True:
            if type(item) is Submission:
                waiting.append(item)
                n += len(item.events)
                size += item.size_bytes
            else:
                if waiting:
                    self._write(waiting)
                    waiting, n, size = [], 0, 0
                if item is None:
                    return False
                self._do(item)  # type: ignore[arg-type]
            if n >= MOST_EVENTS_A_COMMIT or size >= MOST_BYTES_A_COMMIT:
                break
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
        if waiting:
            self._write(waiting)
        return True

    def _do(self, command: _Command) -> None:
        function, future = command
        try:
            self._spool.begin()
            result = function(self._spool)
            self._spool.commit()
        except SpoolBrokenError as error:
            future.set_exception(error)
            raise
        except Exception as error:
            # Before the rollback, which fails too if the file is damaged; the caller must not wait without end.
            future.set_exception(error)
            self._spool.rollback()
        else:
            future.set_result(result)

    def _write(self, waiting: list[Submission]) -> None:
        names = [
            (each.project_id, event.event_id)
            for each in waiting
            for event in each.events
            if type(event) is Checked and event.is_named
        ]
        if names and self._neighbours is not None:
            with self._neighbours:
                self._write_knowing(waiting, names, self._neighbours.seen(names))
        else:
            self._write_knowing(waiting, names, {})

    def _write_knowing(
        self, waiting: list[Submission], names: list[tuple[str, str]], elsewhere: dict[tuple[str, str], Seen]
    ) -> None:
        """Write `waiting`, whose clients' ids are `names`, of which other collectors have stored those `elsewhere`."""
        started = time.perf_counter()
        spool = self._spool
        first_seq = spool.next_seq
        batch = _Batch(time.time_ns() // 1000)
        erased = self._erased()  # before events are judged: what is known then is known to them
        try:
            spool.begin()
            if erased is not None and erased is not self._heard:
                spool.hear(erased.by_project, batch.now_us - _KNOWN_FOR_US)
            self._judge(waiting, batch, (elsewhere | spool.seen(names)) if names else {}, erased)
            if batch.rows:
                spool.add(batch.rows, batch.now_us)
                if batch.names:
                    spool.remember(list(batch.names.values()), batch.now_us)
                for quota, n in batch.taken.items():
                    spool.set_quota(quota.project_id, quota.period, quota.granted, quota.used + n)
                failpoint.reached("spool.before_commit")
                spool.commit()
                self._heard = erased
                failpoint.reached("spool.after_commit")
            else:
                spool.rollback()
        except SpoolFullError as error:
            spool.rollback()
            spool.next_seq = first_seq
            self._on_full()
            log.warning("the disk is full; nothing is taken until there is room", extra={"reason": str(error)})
            refusal = UnavailableError(
                "The server's disk is full; nothing was stored. Try again later.", retry_after_s=5
            )
            resolve(waiting, refusal)
            return
        for quota, n in batch.taken.items():
            quota.used += n
        if batch.rows:
            self._metrics.committed(len(batch.rows), time.perf_counter() - started)
        resolve(batch.done, None)

    def _judge(
        self,
        waiting: list[Submission],
        batch: _Batch,
        seen: dict[tuple[str, str], Seen],
        erased: ErasedIds | None,
    ) -> None:
        """Fill `batch` with what may be stored, and give every submission but the parked ones its results."""
        now_us, rows = batch.now_us, batch.rows
        now_s = now_us / 1e6
        for submission in waiting:
            project_id = submission.project_id
            suppressed = self._suppressed(project_id)
            quota = self._ledger.quota(project_id, now_s)
            n_free = quota.n_free(now_s) - batch.taken.get(quota, 0)
            if n_free < len(submission.events) and not submission.is_final and not quota.is_closed(now_s):
                needed = sum(
                    1
                    for event in submission.events
                    if type(event) is Checked and not (event.is_named and (project_id, event.event_id) in seen)
                )
                if n_free < needed:
                    # Too little is granted to this collector, but there may be more to be had.
                    self._park(Parked(quota, submission, needed))
                    continue
            results = submission.results = []
            taken = 0
            for event in submission.events:
                if type(event) is not Checked:
                    results.append(event)  # type: ignore[arg-type]
                    continue
                if suppressed is not None and (error := refusal(suppressed, ids_of(event))) is not None:
                    results.append(error)
                    continue
                if event.since is not None and (error := began_before(erased, project_id, event)) is not None:
                    results.append(error)
                    continue
                if event.is_named:
                    key = (project_id, event.event_id)
                    first = seen.get(key) or batch.names.get(key)
                    if first is not None:
                        results.append(Stored(first.event_id, first.session_id, first.user_id, True))
                        continue
                if taken >= n_free:
                    results.append(quota.refusal(now_s))
                    continue
                taken += 1
                event_id, session_id, user_id = event.event_id, event.session_id, event.user_id
                at = now_us if event.timestamp_us is None else event.timestamp_us
                rows.append(Row(project_id, event_id, session_id, user_id, event.name, at, now_us, event.metadata))
                if event.is_named:
                    batch.names[key] = Seen(project_id, event_id, session_id, user_id)
                results.append(Stored(event_id, session_id, user_id, False))
            if taken:
                batch.taken[quota] = batch.taken.get(quota, 0) + taken
            batch.done.append(submission)
