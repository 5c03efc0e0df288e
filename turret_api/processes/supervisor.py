"""Several processes run as one: started, watched, started again when they die, ended together.

Mechanism only; which processes Turret consists of stands in `turret_api.command.system`. Each is kept by a
`KeptProcess`. What it and its children write goes through a pipe to its log (`log_lines`). Until the whole has once
been healthy, a process that keeps dying ends the whole: something is then wrong that a person must see. After that,
what dies is started again without end.
"""

from __future__ import annotations

import functools
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from turret_api.processes import guard
from turret_api.processes.kept import Died, KeptProcess, NotRestarted, Restarted
from turret_api.processes.log_lines import Log, message_of

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
MAX_EARLY_DEATHS = 3
POLL_S = 0.2


class StartError(Exception):
    """The whole cannot run; the message says which process is at fault, and where its log is."""


@dataclass(frozen=True)
class Component:
    """One process: the command, its whole environment, its log, and how to see that it serves others.

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
class Supervisor:
    """Processes that run for `home` inside its `with` block.

    Args:
        say: gets what a person may want to know, one line a call.
        on_change: is called after the set of processes has changed.
        grace_s: seconds from SIGTERM to SIGKILL at the end.
    """

    home: Path
    say: Callable[[str], None]
    on_change: Callable[[], None] = lambda: None
    grace_s: float = guard.GRACE_S
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        self._components: dict[str, Component] = {}
        self._kept: dict[str, KeptProcess] = {}
        self._logs: dict[str, Log] = {}
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
        for kept in self._kept.values():
            kept.end(1)
        for log in self._logs.values():
            log.wait()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()

    def start(self, *components: Component) -> None:
        """After this call the components run and are watched."""
        with self._lock:
            for component in components:
                kept = KeptProcess(
                    functools.partial(self._spawn, component),
                    first_pause_s=FIRST_PAUSE_S,
                    longest_pause_s=LONGEST_PAUSE_S,
                    steady_s=STEADY_S,
                )
                kept.start()
                self._components[component.name], self._kept[component.name] = component, kept
        self.on_change()

    def wait_until_healthy(self, names: Sequence[str], timeout_s: float) -> None:
        """Return once each named component has been healthy; raise `StartError` when that does not come."""
        deadline = time.monotonic() + timeout_s
        waiting = list(names)
        while True:
            waiting = [name for name in waiting if not self._components[name].is_healthy()]
            if not waiting:
                return
            self.check()
            if time.monotonic() > deadline:
                log = self._components[waiting[0]].log
                raise StartError(f"{waiting[0]} did not answer within {timeout_s:.0f} s: see {log}{tail(log)}")
            time.sleep(POLL_S)

    def all_are_healthy(self) -> None:
        """End the start: from now on a process that dies is started again without end."""
        self._all_were_healthy = True

    def fail(self, reason: str) -> None:
        """From now on `check` says that the whole cannot go on."""
        self._failure = self._failure or reason

    def check(self) -> None:
        """Raise `StartError` if a process kept dying before the whole was ever healthy, or `fail` was called."""
        if self._failure is not None:
            raise StartError(self._failure)

    def pids(self) -> dict[str, int]:
        """Return the pid of each component that lives at this moment."""
        with self._lock:
            pids = {name: kept.pid for name, kept in self._kept.items()}
        return {name: pid for name, pid in pids.items() if pid is not None}

    def ports(self) -> dict[str, int]:
        """Return the port of each component that has one."""
        with self._lock:
            components = list(self._components.values())
        return {each.name: each.port for each in components if each.port is not None}

    def _spawn(self, component: Component) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            component.command,
            env={**component.environment, **guard.mark(self.token, self.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C in a terminal goes to the whole foreground group; the order of the end is ours to give.
            start_new_session=True,
        )
        assert process.stdout is not None
        self._logs.setdefault(component.name, Log(component.log, component.name)).copy(process.stdout)
        return process

    def _watch(self) -> None:
        while not self._ending.wait(POLL_S):
            with self._lock:
                changed = [self._look_after(component) for component in self._components.values()]
            if any(changed):
                self.on_change()

    def _look_after(self, component: Component) -> bool:
        """Tell whether the component's process is another than before, or gone."""
        name = component.name
        match self._kept[name].poll():
            case Died(status, n_deaths, pause_s):
                if not self._all_were_healthy and n_deaths >= MAX_EARLY_DEATHS:
                    self._logs[name].wait()
                    self.fail(f"{name} does not start: see {component.log}{tail(component.log)}")
                how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
                self.say(f"{name} ended {how}; starting it again in {pause_s:g} s (log: {component.log})")
                return True
            case Restarted(pid):
                self.say(f"{name} was started again (pid {pid})")
                return True
            case NotRestarted(error, pause_s):
                self.say(f"{name} cannot be started: {error}; trying again in {pause_s:g} s")
        return False


def tail(log: Path, n_lines: int = 5) -> str:
    """Return the messages of a log's last lines, indented, each on a line of its own; empty where there are none."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()[-n_lines:]
    except OSError:
        lines = []
    return "".join(f"\n    {message_of(line)}" for line in lines)
