"""One process that is to run: started, started again when it dies, and ended.

    idle ───start()───▶ running ───it dies───▶ pausing ───the pause is over───▶ running
      ▲                    │                      │
      └───────end()────────┴───────end()──────────┤
                                                  └───too many starts───▶ idle, with GaveUpError

`poll` walks along these arrows, at most one a call, and returns what happened. A pause doubles with each death in a
row, up to a longest one. A process that lived for long dies as if for the first time.

Only the standard library is imported: the keeper of the embedded Postgres, which must stay small, uses this too.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Process(Protocol):
    """What is needed of a process: the part of `subprocess.Popen` that is used here."""

    @property
    def pid(self) -> int:
        """The process's id."""

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while the process lives."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once there is one; raise `subprocess.TimeoutExpired` after `timeout` seconds."""

    def send_signal(self, sig: int, /) -> None:
        """Send a signal; do nothing if the process has ended."""


@dataclass(frozen=True)
class Died:
    """The process ended with `status` (negative: by that signal), the `n_deaths`th time in a row."""

    status: int
    n_deaths: int
    pause_s: float


@dataclass(frozen=True)
class Restarted:
    """The process runs again, as `pid`."""

    pid: int


@dataclass(frozen=True)
class NotRestarted:
    """The process cannot be started now, because of `error`; that is tried again after `pause_s`."""

    error: OSError
    pause_s: float


class GaveUpError(Exception):
    """The process was started `n_starts` times within `window_s` seconds, and died each time."""

    def __init__(self, n_starts: int, window_s: float) -> None:
        super().__init__(f"the process was started {n_starts} times within {window_s:g} s and did not stay up")
        self.n_starts = n_starts
        self.window_s = window_s


class KeptProcess:
    """Keeps the process that `spawn` starts. One thread at a time.

    Args:
        spawn: starts the process and returns it; may raise `OSError`.
        first_pause_s: seconds from a first death to the next start; doubles with each further death in a row.
        longest_pause_s: what the pause grows to, and what follows a start that failed with `OSError`.
        steady_s: a process that lived for longer dies as if for the first time.
        most_starts: starts within `window_s` after which the next one raises `GaveUpError`; None: no limit.
        end_signals: sent in turn by `end`; the last one must be sure to work.
        clock: seconds, never going back.
    """

    def __init__(
        self,
        spawn: Callable[[], Process],
        *,
        first_pause_s: float = 0.5,
        longest_pause_s: float = 30.0,
        steady_s: float = 60.0,
        most_starts: int | None = None,
        window_s: float = 60.0,
        end_signals: Sequence[int] = (signal.SIGTERM, signal.SIGKILL),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spawn = spawn
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._steady_s = steady_s
        self._most_starts = most_starts
        self._window_s = window_s
        self._end_signals = end_signals
        self._clock = clock
        self._process: Process | None = None
        self._is_asked_to_end = False
        self._starts: list[float] = []
        self._n_deaths = 0
        self._pause_s = 0.0
        self._due_at: float | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process that lives now; None if none does."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """After this call the process runs; it is started now if it does not, whatever pause was left.

        Raise `GaveUpError` if it was started too often, and what `spawn` raises.
        """
        if self.pid is not None:
            return
        self._due_at = None
        now = self._clock()
        self._starts = [each for each in self._starts if each > now - self._window_s]
        if self._most_starts is not None and len(self._starts) >= self._most_starts:
            raise GaveUpError(len(self._starts), self._window_s)
        self._starts.append(now)
        self._process = self._spawn()
        self._is_asked_to_end = False

    def poll(self) -> Died | Restarted | NotRestarted | None:
        """Notice a death, or start the process again if its pause is over; return what happened, None if nothing.

        Raise `GaveUpError` instead of one start too many; after that the process stays down.
        """
        if self._due_at is not None:
            return self._restart() if self._clock() >= self._due_at else None
        status = None if self._process is None else self._process.poll()
        if status is None:
            return None
        now = self._clock()
        self._process = None
        if self._n_deaths == 0 or now - self._starts[-1] > self._steady_s:
            self._n_deaths, self._pause_s = 1, min(self._first_pause_s, self._longest_pause_s)
        else:
            self._n_deaths, self._pause_s = self._n_deaths + 1, min(2 * self._pause_s, self._longest_pause_s)
        self._due_at = now + self._pause_s
        return Died(status, self._n_deaths, self._pause_s)

    def ask_to_end(self) -> None:
        """Send the first of the end's signals, once, and go on: with several processes, each ends meanwhile."""
        if self._process is not None and not self._is_asked_to_end:
            self._is_asked_to_end = True
            self._process.send_signal(self._end_signals[0])

    def end(self, grace_s: float) -> int | None:
        """After this call the process has ended, and stays down until `start`; return its exit status.

        It has `grace_s` seconds after each signal but the last. Return None if no process ran.
        """
        self.ask_to_end()
        process, self._process, self._due_at, self._n_deaths = self._process, None, None, 0
        if process is None:
            return None
        for number in self._end_signals[1:]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(grace_s)
            process.send_signal(number)
        return process.wait()

    def _restart(self) -> Restarted | NotRestarted:
        try:
            self.start()
        except OSError as error:
            self._due_at = self._clock() + self._longest_pause_s
            return NotRestarted(error, self._longest_pause_s)
        assert self._process is not None
        return Restarted(self._process.pid)
