"""The thread that sends: batches, tries, waits, the end.

             put                take                 settle
    track ────────▶ waiting ────────▶ under way ────────────▶ stored, or lost
                                        ▲    │ no answer, or "later"
                                        └────┘ after a wait

There is one batch under way at a time, so events arrive in order. An event has its id from the start: a batch whose
answer never came is sent again, and the server stores what it has not. The wait doubles with each failure, up to
`MOST_PAUSE_S`, and is drawn at random, so that many processes do not come back at once. Where the server says how long
to wait, that holds.

The thread starts with the first event. Between batches it waits for a bell, and takes no time.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
import threading
import time
import zlib
from collections.abc import Callable

import urllib3

from turret_client import processes
from turret_client.answers import Verdict, judge
from turret_client.queue import Bell, Queue
from turret_client.tally import Cause, Stats, Tally
from turret_client.version import __version__

FIRST_PAUSE_S = 0.25
MOST_PAUSE_S = 30.0
LAST_PAUSE_S = 0.5
"""Longest pause between tries while the client is being closed."""
CONNECT_S = 5.0
_PACK_FROM_BYTES = 1024

# Python loads this codec at the first connection. A process that is forked meanwhile would never have it.
"".encode("idna")


@dataclasses.dataclass(frozen=True)
class Options:
    """How events are kept and sent; `Client` says what each means."""

    url: str
    key: str = dataclasses.field(repr=False)
    most_events: int
    most_bytes: int
    batch_events: int
    batch_bytes: int
    linger_s: float
    timeout_s: float
    exit_s: float
    make_pool: Callable[[], urllib3.PoolManager]


class Sender:
    """Takes events at any time, and sends them from a thread of its own."""

    def __init__(self, options: Options, make_tally: Callable[[], Tally]) -> None:
        self._options = options
        self._make_tally = make_tally
        self._begin()
        processes.register(self)

    def _begin(self) -> None:
        self._random = random.Random()
        self.tally = self._make_tally()
        self._queue = Queue(
            self._options.most_events,
            self._options.most_bytes,
            self._options.batch_events,
            self._options.batch_bytes,
            self._options.linger_s,
        )
        self._nudge = Bell()
        self._start_lock = threading.RLock()
        self._is_starting = False
        self._thread: threading.Thread | None = None
        self._pool: urllib3.PoolManager | None = None
        self._ends_at_s: float | None = None

    def after_fork(self) -> None:
        """Begin anew in a child process: what waits is the parent's to send, and its threads are not there."""
        if self._pool is not None:
            _leave(self._pool)
        was_closed = self._queue.is_closed
        self._begin()
        if was_closed:
            self._queue.close()

    def put(self, event: bytes) -> None:
        """Take an event, or count it as lost."""
        if self._queue.put(event):
            if self._thread is None:
                self._start()
        elif self._queue.is_closed:
            self.tally.lost("closed", "The client is closed", (event,))
        else:
            self.tally.lost("full", "The queue is full", (event,))

    def flush(self, timeout_s: float | None) -> bool:
        """Return True once all events of before the call are stored or lost, or False after `timeout_s`."""
        to = self._queue.hurry()
        self._nudge.ring()
        if self._thread is None and self._queue.n_waiting:
            self._start()
        return self._queue.wait_settled(to, timeout_s)

    def retire(self) -> None:
        """Let the thread end once nothing waits any more. Never blocks."""
        self._queue.close()

    def close(self, timeout_s: float | None) -> bool:
        """Send what waits, and give up what is left after `timeout_s`. Return True if nothing was given up here."""
        self._ends_at_s = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        self._queue.close()
        self._nudge.ring()
        if self._thread is None and self._queue.n_waiting and not self._start():
            self._run()  # Python starts no thread at its end
        is_done = self._queue.wait_settled(self._queue.hurry(), timeout_s)
        if not is_done:
            self.tally.say("end", f"The time to send what waits is over; {self._queue.n_waiting:,} still wait")
        return is_done and not self._queue.n_waiting and not self.tally.n_lost.get("closed")

    @property
    def exit_s(self) -> float:
        """How long the end of the process waits."""
        return self._options.exit_s

    def stats(self) -> Stats:
        """Return what has become of all events."""
        by_cause = dict(self.tally.n_lost)
        lost = sum(by_cause.values())
        return Stats(self.tally.n_sent, lost, self._queue.n_waiting, self.tally.n_failures, by_cause)

    def _start(self) -> bool:
        with self._start_lock:
            if self._thread is not None or self._is_starting:
                return True
            self._is_starting = True
            try:
                thread = threading.Thread(target=self._run, name="turret-client", daemon=True)
                thread.start()
            except RuntimeError as error:  # no more threads; the next event tries again
                self.tally.say("thread", f"The thread that sends cannot start: {error}")
                return False
            finally:
                self._is_starting = False
            self._thread = thread
        processes.end_with_child()
        return True

    def _run(self) -> None:
        while batch := self._queue.take():
            self._deliver(batch)
        if self._pool is not None:
            for host in self._pool.pools.keys():  # noqa: SIM118 (it is no mapping that may be iterated)
                self._pool.pools[host].close()

    def _deliver(self, batch: list[bytes]) -> None:
        """Bring each event of `batch` to its end."""
        parts, n_failures, message = [batch], 0, "There was no time to send it"
        while parts:
            if self._is_over():
                self._lose("closed", f"{message}, and the client is closed", list(itertools.chain(*parts)))
                return
            verdict = self._try(parts.pop())
            if verdict.stored:
                n_failures = 0
                self.tally.sent(len(verdict.stored))
                self._queue.settle(verdict.stored)
            for reason, events in verdict.refused.items():
                self._lose("refused", reason, events)
            if verdict.halves:
                middle = len(verdict.halves) // 2
                parts += [verdict.halves[middle:], verdict.halves[:middle]]
            if verdict.again:
                parts.append(verdict.again)
                n_failures += 1
                message = verdict.message
                if not self._pause(n_failures, verdict.wait_s):
                    self._lose("closed", f"{message}, and the client is closed", list(itertools.chain(*parts)))
                    return

    def _lose(self, cause: Cause, message: str, events: list[bytes]) -> None:
        self.tally.lost(cause, message, tuple(events), n_events=len(events))
        self._queue.settle(events)

    def _is_over(self) -> bool:
        return self._ends_at_s is not None and time.monotonic() >= self._ends_at_s

    def _try(self, batch: list[bytes]) -> Verdict:
        try:
            verdict = self._post(batch)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            verdict = Verdict(again=batch, message=f"No answer from {self._options.url} ({_reason(error)})")
        except Exception as error:
            self.tally.failed(f"An error that was not expected: {error!r}", with_traceback=True)
            return Verdict(again=batch, message=str(error))
        if verdict.again:
            self.tally.failed(verdict.message)
        return verdict

    def _post(self, batch: list[bytes]) -> Verdict:
        body = b"[" + b",".join(batch) + b"]"
        headers = {
            "X-API-Key": self._options.key,
            "Content-Type": "application/json",
            "User-Agent": f"turret-client-python/{__version__}",
        }
        if len(body) >= _PACK_FROM_BYTES:
            packer = zlib.compressobj(1, wbits=31)
            body = packer.compress(body) + packer.flush()
            headers["Content-Encoding"] = "gzip"
        if self._pool is None:
            self._pool = self._options.make_pool()
        read_s = self._options.timeout_s
        if self._ends_at_s is not None:
            read_s = max(0.1, min(read_s, self._ends_at_s - time.monotonic()))
        answer = self._pool.request(
            "POST",
            self._options.url,
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(connect=min(CONNECT_S, read_s), read=read_s),
            retries=False,
            redirect=False,
        )
        return judge(answer.status, answer.headers, answer.data, batch)

    def _pause(self, n_failures: int, wait_s: float | None) -> bool:
        """Return True when it is time to try again; False if the client ends before."""
        pause_s = min(MOST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(n_failures - 1, 16)) * self._random.uniform(0.5, 1.0)
        until_s = time.monotonic() + (pause_s if wait_s is None else wait_s + pause_s / 10)
        while (left_s := until_s - time.monotonic()) > 0:
            if self._ends_at_s is not None:
                if wait_s is None:
                    left_s = min(left_s, LAST_PAUSE_S)
                if time.monotonic() + left_s >= self._ends_at_s:
                    return False
            is_nudged = self._nudge.wait(left_s)
            if wait_s is None and (is_nudged or self._ends_at_s is not None):
                break  # someone waits for what is to be sent
        return not self._is_over()


def _leave(pool: urllib3.PoolManager) -> None:
    """Close the connections that a child process has of its parent's pool, for the child alone.

    urllib3 would do so at the end of the child, but with locks that a thread of the parent may have held at the fork.
    """
    for of_host in list(getattr(pool.pools, "_container", {}).values()):
        connections = of_host.pool
        if connections is not None:
            for connection in connections.queue:
                if connection is not None:
                    connection.close()
            connections.queue.clear()
            connections.not_empty = threading.Condition()


def _reason(error: BaseException) -> str:
    """Return what the operating system says, without the layers around it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__
