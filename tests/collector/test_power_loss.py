"""Nothing acknowledged is lost and nothing is doubled, wherever the power goes.

The real spool, writer and roller run over a disk that loses what was not fsynced (`lossy_disk`). At random steps, in
the middle of writes and rolls, what the disk might then hold is kept; afterwards a new process's worth of spool,
writer and roller recovers from each such state, and what is in the lake is compared with what had been acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from turret_api.accounts.plans import Plan
from turret_api.collector.event import check
from turret_api.collector.ledger import Ledger
from turret_api.collector.metrics import Metrics
from turret_api.collector.roller import Roller
from turret_api.collector.spool import Spool, SpoolBrokenError
from turret_api.collector.submission import Parked, Submission
from turret_api.collector.writer import Writer
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake

from .lossy_disk import LossyDisk

PROJECT = "project"
_numbers = itertools.count(1)


@dataclass
class State:
    """What the disk held at one moment, and which events had been acknowledged by then."""

    files: dict[str, bytes]
    acknowledged: list[str]


@dataclass
class Outcome:
    """Over all states: how many there were, and events acknowledged, lost, doubled, and stored but not counted."""

    states: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    miscounted: int = 0
    forgotten: int = 0


class Machine:
    """One collector's writer and roller over the spool and lake in `folder`."""

    def __init__(self, folder: Path, vfs: str) -> None:
        self.lake = Lake(str(folder / "lake"))
        self.lake.make()
        self.spool = Spool(folder / "spool.db", vfs)
        # So that the log is folded into the file many times in a short test.
        self.spool._db.execute("PRAGMA wal_autocheckpoint=30")
        plan = Plan("enterprise", None, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        plans = SimpleNamespace(version=0, plan=lambda _: plan)
        ledger = Ledger(plans, self.spool.quota())
        self.writer = Writer(self.spool, ledger, Metrics(), self._park, lambda: None, self._broken)
        self.reader = self.spool.reader()
        self.roller = Roller(self.writer, self.reader, self.spool.collector_id, self.lake, Metrics(), 3600)
        self.error: Exception | None = None
        self.writer.start()

    def _broken(self, error: Exception) -> None:
        self.error = error

    def _park(self, parked: Parked) -> None:
        raise AssertionError(f"a plan without a limit has room for all: {parked}")

    def stop(self) -> None:
        self.writer.stop()
        self.reader.close()
        self.spool.close()

    def events(self) -> pl.DataFrame:
        return read_parts(self.lake, list_parts(self.lake, PROJECT))


def run_until_the_power_went(folder: Path, disk: LossyDisk, n_states: int, without: str, seed: int) -> list[State]:
    """Send events and roll them, and return what was on the disk at `n_states` moments."""
    chance = random.Random(seed)
    acknowledged: list[str] = []
    states: list[State] = []
    n_rolled = 0

    def on_step() -> None:
        # Not before something is in the lake, so that every state has something to lose there, too.
        if n_rolled and len(states) < n_states and chance.random() < 0.1:
            so_far = list(acknowledged)
            states.append(State(disk.after_power_loss(chance), so_far))

    machine = Machine(folder, disk.name)
    if without == "fsync of the log":
        machine.spool._db.execute("PRAGMA synchronous=OFF")
    disk.on_step = on_step

    async def client(name: str) -> None:
        loop = asyncio.get_running_loop()
        for n in itertools.count():
            if len(states) >= n_states:
                return
            ids = [f"{name}-{n}-{each}" for each in range(1 + n % 3)]
            events = [check({"name": "n", "metadata": {"a": 1}, "event_id": each}, 100) for each in ids]
            submission = Submission(PROJECT, events, 100, loop)
            machine.writer.submit(submission)
            await asyncio.wait_for(submission.future, 20)
            acknowledged.extend(ids)

    async def roll() -> None:
        nonlocal n_rolled
        while len(states) < n_states:
            await asyncio.to_thread(machine.writer.call, lambda spool: spool.pin(10_000, 2**20))
            n_rolled += await asyncio.to_thread(machine.roller.recover)
            await asyncio.sleep(0.02)

    async def run() -> None:
        await asyncio.wait_for(asyncio.gather(roll(), *(client(f"c{n}") for n in range(4))), 120)

    asyncio.run(run())
    disk.on_step = lambda: None
    machine.stop()
    return states


def recover(state: State, folder: Path, vfs: str, outcome: Outcome) -> None:
    """Start anew from `state` and count what became of it."""
    for name, content in state.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    outcome.states += 1
    outcome.acknowledged += len(state.acknowledged)
    try:
        machine = Machine(folder, vfs)
        try:
            machine.roller.roll_everything()
            stored = Counter(machine.events()["event_id"].to_list())
            used = sum(used for _, used in machine.spool.quota().values())
            seen = machine.spool.seen([(PROJECT, each) for each in state.acknowledged])
        finally:
            machine.stop()
    except Exception:
        # A spool or a part that cannot be read has lost all.
        outcome.lost += len(state.acknowledged)
        return
    outcome.lost += len(set(state.acknowledged) - set(stored))
    outcome.doubled += sum(n - 1 for n in stored.values())
    outcome.miscounted += abs(used - len(stored))
    outcome.forgotten += len(set(state.acknowledged)) - len(seen)


@contextlib.contextmanager
def lossy(folder: Path, without: str) -> Iterator[LossyDisk]:
    disk = LossyDisk(f"lossy-{next(_numbers)}", folder)
    real = os.fsync

    def fsync(descriptor: int) -> None:
        is_folder = Path(f"/proc/self/fd/{descriptor}").is_dir()
        if without != ("fsync of the folder" if is_folder else "fsync of the part"):
            disk.fsync(descriptor)

    os.fsync = fsync
    try:
        yield disk
    finally:
        os.fsync = real
        disk.unregister()


def lose_power(tmp_path: Path, n_states: int, without: str = "nothing", seed: int = 1) -> Outcome:
    """Return what became of the events over `n_states` power losses, `without` one safety."""
    outcome = Outcome()
    home = tmp_path / "home"
    home.mkdir()
    with lossy(home, without) as disk:
        states = run_until_the_power_went(home, disk, n_states, without, seed)
        for n, state in enumerate(states):
            recover(state, tmp_path / f"state-{n}", disk.name, outcome)
    return outcome


@pytest.mark.slow
def test_no_acknowledged_event_is_lost_or_doubled_by_200_power_losses(tmp_path: Path) -> None:
    outcome = lose_power(tmp_path, 200)

    assert (outcome.states, outcome.lost, outcome.doubled) == (200, 0, 0)
    assert (outcome.miscounted, outcome.forgotten) == (0, 0)
    assert outcome.acknowledged > 2_000


@pytest.mark.slow
@pytest.mark.parametrize("without", ["fsync of the log", "fsync of the part", "fsync of the folder"])
def test_the_test_sees_losses_without_one_of_the_fsyncs(tmp_path: Path, without: str) -> None:
    assert lose_power(tmp_path, 40, without).lost > 0


def test_a_range_whose_events_are_gone_ends_the_collector(tmp_path: Path) -> None:
    async def store() -> None:
        submission = Submission(
            PROJECT, [check({"name": "n", "metadata": {"a": 1}}, 100)], 100, asyncio.get_running_loop()
        )
        machine.writer.submit(submission)
        await asyncio.wait_for(submission.future, 20)

    with lossy(tmp_path, "nothing") as disk:
        machine = Machine(tmp_path, disk.name)
        asyncio.run(store())
        machine.writer.call(lambda spool: spool.pin(10, 2**20))
        machine.writer.call(lambda spool: spool._db.execute("DELETE FROM batches"))

        with pytest.raises(SpoolBrokenError, match="damaged"):
            machine.roller.roll_everything()

        machine.stop()
        assert isinstance(machine.error, SpoolBrokenError)
