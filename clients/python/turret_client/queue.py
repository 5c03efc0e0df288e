"""The events that wait, within bounds.

Who tracks is never blocked: the lock is held for a few steps only. The thread that holds it may take it again, as a
signal handler or a finalizer that tracks an event does. A counter may then miss one step; it is set right when the
queue is empty.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque


class Bell:
    """Wakes the one thread that waits for it; ringing is safe anywhere, also in a signal handler."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        """End the wait that is under way, or else the next one."""
        with contextlib.suppress(RuntimeError):  # it is ringing
            self._lock.release()

    def wait(self, timeout_s: float | None) -> bool:
        """Return True once it rings, or False after `timeout_s`."""
        return self._lock.acquire(timeout=-1 if timeout_s is None else max(0.0, min(timeout_s, threading.TIMEOUT_MAX)))


class Queue:
    """At most so many events and bytes, in order, from any threads to the one that takes them.

    Events that were taken count as waiting until they are settled, so they stay within the bounds.

    Args:
        most_events: how many may wait.
        most_bytes: how many bytes of events may wait.
        batch_events: how many are taken together, at most.
        batch_bytes: how many bytes are taken together, at most, unless a single event is larger.
        linger_s: how long the first event of a batch waits for others.
    """

    def __init__(self, most_events: int, most_bytes: int, batch_events: int, batch_bytes: int, linger_s: float) -> None:
        self._most_events, self._most_bytes = most_events, most_bytes
        self._batch_events, self._batch_bytes = batch_events, batch_bytes
        self._linger_s = linger_s
        self._lock = threading.RLock()
        self._events: deque[bytes] = deque()
        self._bell = Bell()
        self._settled = threading.Condition()
        self._first_at_s = 0.0
        self._n_put = self._n_taken = self._n_settled = self._n_bytes = 0
        self._hurry_to = 0
        self.is_closed = False

    def put(self, event: bytes) -> bool:
        """Return True if the event waits now, False if there is no room for it, or the queue is closed."""
        with self._lock:
            if self.is_closed or self.n_waiting >= self._most_events or self._n_bytes + len(event) > self._most_bytes:
                return False
            self._events.append(event)
            self._n_put += 1
            self._n_bytes += len(event)
            n = len(self._events)
            if n == 1:
                self._first_at_s = time.monotonic()
        if n == 1 or n == self._batch_events:
            self._bell.ring()
        return True

    @property
    def n_waiting(self) -> int:
        """Events that are not settled."""
        return self._n_put - self._n_settled

    def take(self) -> list[bytes]:
        """Return the next batch once it is full or has waited long enough; none once the queue is closed and empty."""
        while True:
            with self._lock:
                n = len(self._events)
                left_s = self._first_at_s + self._linger_s - time.monotonic() if n else None
                is_due = left_s is not None and left_s <= 0
                if self.is_closed or n >= self._batch_events or (n and (is_due or self._n_taken < self._hurry_to)):
                    return self._cut()
            self._bell.wait(left_s)

    def _cut(self) -> list[bytes]:
        batch: list[bytes] = []
        n_bytes = 0
        while self._events and len(batch) < self._batch_events:
            n_bytes += len(self._events[0])
            if batch and n_bytes > self._batch_bytes:
                break
            batch.append(self._events.popleft())
        self._n_taken += len(batch)
        return batch

    def settle(self, events: list[bytes]) -> None:
        """Make room for others: these events are stored, or given up."""
        with self._lock:
            self._n_settled += len(events)
            self._n_bytes -= sum(map(len, events))
            if not self._events and self._n_settled >= self._n_taken:
                self._n_put = self._n_taken = self._n_settled
                self._n_bytes = 0
        with self._settled:
            self._settled.notify_all()

    def hurry(self) -> int:
        """Let the events that wait now be taken without delay; return what `wait_settled` takes."""
        with self._lock:
            self._hurry_to = self._n_put
        self._bell.ring()
        return self._hurry_to

    def wait_settled(self, to: int, timeout_s: float | None) -> bool:
        """Return True once what waited when `hurry` returned `to` is settled, or False after `timeout_s`."""
        with self._settled:
            return self._settled.wait_for(lambda: self._n_settled >= to, timeout_s)

    def close(self) -> None:
        """Let what waits be taken without delay, and let the thread that takes end after it."""
        self.is_closed = True
        self._bell.ring()
