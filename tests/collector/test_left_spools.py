"""A spool that no process has is taken up, unless a worker that is started again comes for it in time."""

from __future__ import annotations

from pathlib import Path

from turret_api.collector.housekeeping import Housekeeping
from turret_api.collector.metrics import Metrics
from turret_api.collector.rows import Row
from turret_api.collector.slots import Slot, take_slot, try_slot
from turret_api.collector.spool import Spool


def make_spool(folder: Path, n_events: int) -> None:
    folder.mkdir()
    spool = Spool(folder / "spool.db")
    spool.begin()
    spool.add([Row("shop", f"e{n}", "s", "u", "said", 1, 2, b"{}") for n in range(n_events)], 1)
    spool.commit()
    spool.close()


def test_a_left_spool_is_taken_up_at_the_second_look_and_until_then_a_worker_may_have_it(tmp_path: Path) -> None:
    for number in range(3):
        make_spool(tmp_path / str(number), 1)
    mine = try_slot(tmp_path / "2")
    assert mine is not None
    taken_up: list[str] = []
    rest: list[str] = []

    def adopt(slot: Slot) -> None:
        taken_up.append(slot.folder.name)
        slot.release()

    house = Housekeeping(mine, Spool(mine.spool_file).reader(), Metrics(), adopt)
    house.on_left = lambda folder: rest.append(folder.name)
    house.look_for_left_spools()
    again = take_slot(tmp_path)
    assert (again.folder.name, taken_up) == ("0", [])
    house.look_for_left_spools()
    assert taken_up == ["1"]
    again.release()
    house.look_for_left_spools()
    assert taken_up == ["1", "1"], "the worker ended only a moment ago"
    house.look_for_left_spools()
    assert taken_up == rest == ["1", "1", "0", "1"]
    mine.release()
