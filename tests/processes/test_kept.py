"""The laws of keeping a process, on a clock that moves when the test says so; and one real process."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_api.processes.kept import Died, GaveUpError, KeptProcess, NotRestarted, Restarted

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
LIVES_S = st.floats(0, 1000)


class Body:
    """A process that lives until the test ends it, or a signal that it does not ignore."""

    def __init__(self, pid: int, ignores: Sequence[int] = ()) -> None:
        self.pid = pid
        self.status: int | None = None
        self.signals: list[int] = []
        self.ignores = ignores

    def poll(self) -> int | None:
        return self.status

    def send_signal(self, sig: int) -> None:
        self.signals.append(sig)
        if self.status is None and sig not in self.ignores:
            self.status = -sig

    def wait(self, timeout: float | None = None) -> int:
        if self.status is None:
            assert timeout is not None, "waits for ever"
            raise subprocess.TimeoutExpired("body", timeout)
        return self.status


class World:
    """A clock, and the processes that were started on it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.bodies: list[Body] = []
        self.started_at: list[float] = []
        self.error: OSError | None = None

    def clock(self) -> float:
        return self.now_s

    def spawn(self) -> Body:
        if self.error is not None:
            raise self.error
        self.bodies.append(Body(len(self.bodies) + 1))
        self.started_at.append(self.now_s)
        return self.bodies[-1]

    def die(self, kept: KeptProcess) -> Died:
        """End the process that runs now, and return what `poll` says of it."""
        self.bodies[-1].status = 1
        died = kept.poll()
        assert isinstance(died, Died) and kept.pid is None
        return died

    def die_and_come_back(self, kept: KeptProcess) -> Died:
        """End the process, wait for its pause to the instant, and return what its death was."""
        died = self.die(kept)
        self.now_s = math.nextafter(self.now_s + died.pause_s, 0.0)
        assert kept.poll() is None or died.pause_s == 0, "a pause is waited for to its end"
        self.now_s = math.nextafter(self.now_s, math.inf)
        if kept.pid is None:
            assert kept.poll() == Restarted(self.bodies[-1].pid)
        return died


@pytest.fixture
def world() -> World:
    return World()


def test_a_process_that_lives_is_left_alone(world: World) -> None:
    kept = KeptProcess(world.spawn, clock=world.clock)
    assert kept.pid is None and kept.poll() is None, "nothing runs before the start"
    kept.start()
    kept.start()
    world.now_s = 1e6
    assert kept.poll() is None and kept.pid == 1 and len(world.bodies) == 1


def test_the_pause_doubles_with_each_death_in_a_row_up_to_the_longest(world: World) -> None:
    kept = KeptProcess(world.spawn, first_pause_s=0.5, longest_pause_s=3, clock=world.clock)
    kept.start()
    assert [world.die_and_come_back(kept) for _ in range(5)] == [
        Died(1, 1, 0.5),
        Died(1, 2, 1.0),
        Died(1, 3, 2.0),
        Died(1, 4, 3),
        Died(1, 5, 3),
    ]


def test_a_death_after_a_steady_life_counts_as_the_first(world: World) -> None:
    kept = KeptProcess(world.spawn, first_pause_s=0.5, steady_s=60, clock=world.clock)
    kept.start()
    world.die_and_come_back(kept)
    world.now_s += 60
    assert world.die_and_come_back(kept).n_deaths == 2, "as long as the steady time is not longer"
    world.now_s += 60.001
    died = world.die_and_come_back(kept)
    assert (died.n_deaths, died.pause_s) == (1, 0.5)


@given(lives=st.lists(LIVES_S, max_size=80), first=st.floats(0, 5), longest=st.floats(0, 60), steady=st.floats(0, 100))
def test_any_row_of_lives_follows_the_law_of_the_pauses(
    lives: list[float], first: float, longest: float, steady: float
) -> None:
    world = World()
    kept = KeptProcess(
        world.spawn, first_pause_s=first, longest_pause_s=longest, steady_s=steady, window_s=10, clock=world.clock
    )
    kept.start()
    n_deaths = 0
    for life_s in lives:
        started_at = world.started_at[-1]
        world.now_s += life_s
        n_deaths = 1 if world.now_s - started_at > steady else n_deaths + 1
        died = world.die_and_come_back(kept)
        assert died.n_deaths == n_deaths
        assert died.pause_s == min(first * 2.0 ** (n_deaths - 1), longest)


def test_thousands_of_deaths_in_a_row_still_have_a_pause(world: World) -> None:
    kept = KeptProcess(world.spawn, clock=world.clock)
    kept.start()
    for _ in range(3000):
        died = world.die_and_come_back(kept)
    assert died == Died(1, 3000, 30.0)


@given(lives=st.lists(LIVES_S, min_size=1, max_size=80), most=st.integers(1, 6), window=st.floats(1, 500))
def test_there_are_never_more_starts_within_the_window_than_the_limit(
    lives: list[float], most: int, window: float
) -> None:
    world = World()
    kept = KeptProcess(
        world.spawn, first_pause_s=0, longest_pause_s=0, most_starts=most, window_s=window, clock=world.clock
    )
    kept.start()
    gave_up = False
    for life_s in lives:
        world.now_s += life_s
        world.die(kept)
        recent = [at for at in world.started_at if at > world.now_s - window]
        if len(recent) < most:
            assert isinstance(kept.poll(), Restarted)
            continue
        with pytest.raises(GaveUpError, match=f"started {most} times within {window:g} s"):
            kept.poll()
        gave_up = True
        break
    for at in world.started_at:
        assert sum(at - window < other <= at for other in world.started_at) <= most
    if gave_up:
        world.now_s += 1e6
        assert kept.poll() is None and kept.pid is None, "what was given up stays down"


def test_a_start_that_the_machine_refuses_is_tried_again_after_the_longest_pause(world: World) -> None:
    kept = KeptProcess(world.spawn, first_pause_s=1, longest_pause_s=30, clock=world.clock)
    kept.start()
    world.die(kept)
    world.now_s, world.error = 1.0, OSError("no memory")
    assert kept.poll() == NotRestarted(world.error, 30)
    world.now_s, world.error = 30.9, None
    assert kept.poll() is None
    world.now_s = 31.0
    assert kept.poll() == Restarted(2)


def test_a_first_start_that_fails_is_the_callers_to_know(world: World) -> None:
    world.error = OSError("no such program")
    with pytest.raises(OSError, match="no such program"):
        KeptProcess(world.spawn, clock=world.clock).start()


@pytest.mark.parametrize(
    ("ignores", "signals", "status"),
    [
        ((), [signal.SIGINT], -signal.SIGINT),
        ((signal.SIGINT,), [signal.SIGINT, signal.SIGQUIT], -signal.SIGQUIT),
        ((signal.SIGINT, signal.SIGQUIT), [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL], -signal.SIGKILL),
    ],
)
def test_the_end_gets_harder_only_for_what_does_not_hear(
    world: World, ignores: tuple[int, ...], signals: list[int], status: int
) -> None:
    kept = KeptProcess(world.spawn, end_signals=(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL), clock=world.clock)
    kept.start()
    world.bodies[0].ignores = ignores
    kept.ask_to_end()
    assert kept.end(5) == status
    assert world.bodies[0].signals == signals, "each is sent once"
    world.now_s = 1e6
    assert kept.poll() is None and kept.end(5) is None


def test_what_is_ended_in_a_pause_does_not_come_back_until_it_is_started(world: World) -> None:
    kept = KeptProcess(world.spawn, first_pause_s=1, clock=world.clock)
    kept.start()
    world.die(kept)
    assert kept.end(5) is None
    world.now_s = 100
    assert kept.poll() is None and len(world.bodies) == 1
    kept.start()
    assert kept.pid == 2
    assert world.die(kept).n_deaths == 1


def test_a_real_process_is_started_again_and_killed_when_it_does_not_hear() -> None:
    started: list[subprocess.Popen[bytes]] = []

    def spawn() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE))
        return started[-1]

    def heard(process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        with process.stdout as stream:
            return stream.readline()

    kept = KeptProcess(spawn, first_pause_s=0)
    kept.start()
    assert heard(started[0]) == b"deaf\n"
    started[0].kill()
    started[0].wait()
    assert kept.poll() == Died(-signal.SIGKILL, 1, 0)
    assert kept.poll() == Restarted(started[1].pid)
    assert heard(started[1]) == b"deaf\n"
    assert kept.end(0.2) == -signal.SIGKILL
