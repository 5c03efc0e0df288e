"""Running several processes as one: started, watched, started again when they die, ended together.

Mechanism only; which processes Turret consists of stands in `up`. A process that dies is started again after a pause
that doubles with each death in a row, up to `LONGEST_PAUSE_S`. While the whole has never been healthy, a process that
keeps dying ends it instead: then something is wrong that a person must see.
"""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from turret_api.processes import guard

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
"""A process that lived so long starts again as if it had never died."""
MAX_EARLY_DEATHS = 3
POLL_S = 0.2
MAX_LOG_BYTES = 20_000_000


class StartError(Exception):
    """The whole cannot run; the message says which process is at fault, and where its log is."""


@dataclass(frozen=True)
class Component:
    """One process: what to run, with what beside our own environment, and how to see that it is there for others.

    Args:
        port: the TCP port on 127.0.0.1 that it listens on, or None.
        is_healthy: may be called from any thread, at any time; never raises.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    is_healthy: Callable[[], bool]
    port: int | None = None


@dataclass
class _Running:
    component: Component
    process: subprocess.Popen[bytes]
    started_at: float
    deaths: int = 0
    due_at: float | None = None
    """When to start it again, on the monotonic clock; None while it lives."""


@dataclass
class Supervisor:
    """Processes that run for `home` as long as this object does not end. Use as a context manager.

    Args:
        say: is told, in one line each, what a person may want to know.
        on_change: is called after the set of processes has changed.
        grace_s: seconds from SIGTERM to SIGKILL at the end.
    """

    home: Path
    say: Callable[[str], None]
    on_change: Callable[[], None] = lambda: None
    grace_s: float = guard.GRACE_S
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._all_were_healthy = False
        self._failure: str | None = None
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def __enter__(self) -> Supervisor:
        self._guard = guard.start(self.token, self.home)
        self._watcher.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ending.set()
        self._watcher.join()
        guard.end(self.home, self.token, self.grace_s)
        for each in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                each.process.wait(1)
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()

    def start(self, *components: Component) -> None:
        """After this call the components run and are watched."""
        with self._lock:
            for component in components:
                self._running[component.name] = _Running(component, self._spawn(component), time.monotonic())
        self.on_change()

    def wait_until_healthy(self, names: Sequence[str], timeout_s: float) -> None:
        """Return once each named component has been healthy; raise `StartError` when that does not come."""
        deadline = time.monotonic() + timeout_s
        waiting = list(names)
        while True:
            waiting = [name for name in waiting if not self._running[name].component.is_healthy()]
            if not waiting:
                return
            self.check()
            if time.monotonic() > deadline:
                log = self._running[waiting[0]].component.log
                raise StartError(f"{waiting[0]} did not answer within {timeout_s:.0f} s: see {log}{tail(log)}")
            time.sleep(POLL_S)

    def all_are_healthy(self) -> None:
        """Say that the start is over: from now on a process that dies is started again for ever."""
        self._all_were_healthy = True

    def fail(self, reason: str) -> None:
        """From now on `check` says that the whole cannot go on."""
        self._failure = self._failure or reason

    def check(self) -> None:
        """Raise `StartError` when a process kept dying before the whole was ever healthy, or `fail` was called."""
        if self._failure is not None:
            raise StartError(self._failure)

    def pids(self) -> dict[str, int]:
        """Return the pid of each component that lives at this moment."""
        with self._lock:
            return {name: each.process.pid for name, each in self._running.items() if each.process.poll() is None}

    def ports(self) -> dict[str, int]:
        """Return the port of each component that has one."""
        with self._lock:
            components = [each.component for each in self._running.values()]
        return {each.name: each.port for each in components if each.port is not None}

    def _spawn(self, component: Component) -> subprocess.Popen[bytes]:
        component.log.parent.mkdir(parents=True, exist_ok=True)
        if component.log.exists() and component.log.stat().st_size > MAX_LOG_BYTES:
            component.log.replace(component.log.with_suffix(".log.1"))
        with component.log.open("a") as log:
            return subprocess.Popen(
                component.command,
                env={**component.environment, **guard.mark(self.token, self.home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in a terminal goes to the whole foreground group; the order of the end is ours to give.
                start_new_session=True,
            )

    def _watch(self) -> None:
        while not self._ending.wait(POLL_S):
            with self._lock:
                changed = [self._look_after(each) for each in self._running.values()]
            if any(changed):
                self.on_change()

    def _look_after(self, each: _Running) -> bool:
        now = time.monotonic()
        component = each.component
        if each.due_at is not None:
            if now < each.due_at:
                return False
            try:
                each.process, each.started_at, each.due_at = self._spawn(component), now, None
            except OSError as error:
                each.due_at = now + LONGEST_PAUSE_S
                self.say(f"{component.name} cannot be started: {error}; trying again in {LONGEST_PAUSE_S:g} s")
                return False
            self.say(f"{component.name} was started again (pid {each.process.pid})")
            return True
        code = each.process.poll()
        if code is None:
            return False
        each.deaths = 1 if now - each.started_at > STEADY_S else each.deaths + 1
        if not self._all_were_healthy and each.deaths >= MAX_EARLY_DEATHS:
            self._failure = (
                self._failure or f"{component.name} does not start: see {component.log}{tail(component.log)}"
            )
        pause = min(FIRST_PAUSE_S * 2 ** (each.deaths - 1), LONGEST_PAUSE_S)
        each.due_at = now + pause
        how = f"by signal {-code}" if code < 0 else f"with exit status {code}"
        self.say(f"{component.name} ended {how}; starting it again in {pause:g} s (log: {component.log})")
        return True


def tail(log: Path, n_lines: int = 5) -> str:
    """Return the last lines of a log, indented, each on a line of its own; empty where there are none."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()[-n_lines:]
    except OSError:
        lines = []
    return "".join(f"\n    {line}" for line in lines)
