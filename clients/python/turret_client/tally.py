"""What has become of the events, and the log of it.

Of each kind of trouble the log has one line at once, and then one a minute with how many events it cost meanwhile: a
server that is away for an hour does not fill a disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

log = logging.getLogger("turret_client")

Cause = Literal["off", "unsendable", "full", "refused", "closed"]
"""Why events are lost: there is no key; `track` was given no event; the queue is full; the server does not take it;
they were tracked after the end, or not sent before it."""
LOG_EVERY_S = 60.0


@dataclasses.dataclass(frozen=True)
class Loss:
    """Events that will not be stored.

    Args:
        cause: why, in one word.
        message: why, in a sentence.
        events: each event as JSON; empty where it could not be made.
        n_events: how many there are.
    """

    cause: Cause
    message: str
    events: tuple[bytes, ...]
    n_events: int


@dataclasses.dataclass(frozen=True)
class Stats:
    """What has become of all events since the client was made, or the process forked; nothing is counted twice.

    Args:
        n_sent: stored by the server.
        n_lost: given up; `n_lost_by_cause` says why.
        n_waiting: in the queue, or under way.
        n_failures: requests that did not bring all of their events to an end, and were tried again.
    """

    n_sent: int
    n_lost: int
    n_waiting: int
    n_failures: int
    n_lost_by_cause: dict[str, int]


class Tally:
    """Counts, and tells the log and the application's own function about losses."""

    def __init__(self, on_loss: Callable[[Loss], object] | None) -> None:
        self._on_loss = on_loss
        self._lock = threading.RLock()
        self._said: dict[str, tuple[float, int]] = {}
        self.n_sent = 0
        self.n_failures = 0
        self.n_lost: dict[str, int] = {}

    def sent(self, n_events: int) -> None:
        """Count events that the server has stored."""
        with self._lock:
            self.n_sent += n_events

    def lost(self, cause: Cause, message: str, events: tuple[bytes, ...] = (), *, n_events: int = 1) -> None:
        """Count events that are given up, and tell about them."""
        with self._lock:
            self.n_lost[cause] = self.n_lost.get(cause, 0) + n_events
        self.say(cause, f"{message}; {n_events:,} event{'s' if n_events > 1 else ''} lost", n_events)
        if self._on_loss is not None:
            try:
                self._on_loss(Loss(cause, message, events, n_events))
            except Exception:
                self.say("on_loss", "on_loss raised an error", with_traceback=True)

    def failed(self, message: str, *, with_traceback: bool = False) -> None:
        """Count a request that has to be tried again, and tell about it."""
        with self._lock:
            self.n_failures += 1
        self.say("failed", f"{message}; trying again", with_traceback=with_traceback)

    def say(self, kind: str, message: str, n_events: int = 0, *, with_traceback: bool = False) -> None:
        """Log a line, unless there was one of this kind within the last minute."""
        now_s = time.monotonic()
        with self._lock:
            said_s, n_before = self._said.get(kind, (-LOG_EVERY_S, 0))
            if is_quiet := now_s - said_s < LOG_EVERY_S:
                self._said[kind] = said_s, n_before + n_events
            else:
                self._said[kind] = now_s, 0
        if not is_quiet:
            since = f" (and {n_before:,} more since the last line about this)" if n_before else ""
            # A handler of the application may fail; the thread that sends has to go on.
            with contextlib.suppress(Exception):
                log.warning("%s%s", message, since, exc_info=with_traceback)
