"""A damaged spool is noticed before it is used, never written over, and what can be read of it is taken over."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from turret_api.accounts import Accounts
from turret_api.collector.collector import Collector
from turret_api.collector.rows import Range, Row
from turret_api.collector.salvage import batches_in
from turret_api.collector.slots import KEYS_FILE
from turret_api.collector.spool import Spool, SpoolDamagedError, SpoolReader
from turret_api.collector.spool_file import fault_of
from turret_api.doctor.spools import faults_of_spools, mend_spool
from turret_api.freshness import Freshness
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings

N_BATCHES, N_EVENTS = 60, 40
NOWHERE = "postgresql+psycopg2://nobody@127.0.0.1:1/nothing"


def row(number: int) -> Row:
    text = secrets.token_hex(20 if number % 500 else 9000)  # now and then one that takes pages of its own
    return Row("shop", f"e{number}", "s", "u", "said", 1, 2, b'{"prompt":"%s"}' % text.encode())


@pytest.fixture
def file(settings: Settings) -> Path:
    """A spool with events, and with a copy of the keys as a collector leaves one."""
    file = settings.home / "spool/0/spool.db"
    file.parent.mkdir(parents=True)
    (file.parent / KEYS_FILE).write_text("{}")
    spool = Spool(file)
    for batch in range(N_BATCHES):
        spool.begin()
        spool.add([row(batch * N_EVENTS + n) for n in range(N_EVENTS)], 5)
        spool.set_quota("shop", "2026-11", 1000, 500)
        spool.commit()
    spool.close()
    return file


def blot(file: Path, start: int, size: int) -> None:
    with file.open("r+b") as stream:
        stream.seek(start)
        stream.write(secrets.token_bytes(size))


DAMAGES: dict[str, tuple[Callable[[Path], object], int]] = {
    "emptied": (lambda file: file.write_bytes(b""), 0),
    "cut in half": (
        lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 8192 * 4096]),
        N_BATCHES // 3,
    ),
    "without its head": (lambda file: blot(file, 0, 100), N_BATCHES),
    "without its first page": (lambda file: blot(file, 0, 4096), N_BATCHES),
    "with a page of other bytes": (lambda file: blot(file, 4096 * 40, 4096), N_BATCHES * 3 // 4),
}
"""What is done to the file, and how many batches must come back at least."""


@pytest.mark.parametrize("name", DAMAGES)
def test_what_can_be_read_of_a_damaged_spool_goes_on_and_the_file_stays(
    settings: Settings, file: Path, name: str
) -> None:
    was = set(batches_in(file))
    assert len(was) == N_BATCHES
    assert fault_of(file) is None
    damage, least = DAMAGES[name]
    damage(file)
    os.utime(file, (1_700_000_000, 1_700_000_000))  # nobody writes to it any more
    content = file.read_bytes()
    (fault,) = faults_of_spools(settings.home)
    assert (fault.what, fault.where) == ("spool", str(file))
    assert Freshness(Lake(str(settings.home / "lake")), settings.home / "spool", 600).damage() != []
    with pytest.raises(SpoolDamagedError, match="turret doctor --mend"):
        Spool(file)
    assert file.read_bytes() == content
    mend_spool(file)
    assert list(faults_of_spools(settings.home)) == []
    found = set(batches_in(file))
    assert found <= was and len(found) >= least
    aside = [each for each in file.parent.iterdir() if each.name.startswith("spool.db.damaged-")]
    assert content in [each.read_bytes() for each in aside]
    spool = Spool(file)
    assert spool.next_seq > N_BATCHES * N_EVENTS or not found
    rows = [each.event_id for _, batch in SpoolReader(file).batches(Range(1, 10**9)) for each in batch]
    assert len(rows) == len(set(rows)) == len(found) * N_EVENTS
    spool.close()


def test_a_mend_that_was_cut_off_loses_no_event_that_it_had_read(
    file: Path, interrupted_at: Callable[[str], contextlib.AbstractContextManager[None]]
) -> None:
    damage, least = DAMAGES["with a page of other bytes"]
    damage(file)
    with interrupted_at("doctor.before_swap"):
        mend_spool(file)
    assert fault_of(file) is not None, "the doctor finds it again"
    mend_spool(file)
    assert fault_of(file) is None and len(set(batches_in(file))) >= least
    assert sorted(each.name for each in file.parent.glob("mended*")) == []


def test_a_changed_byte_is_noticed_or_costs_no_event(file: Path) -> None:
    content = file.read_bytes()
    for position in range(0, len(content), len(content) // 60):
        file.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        if fault_of(file) is None:
            with contextlib.closing(SpoolReader(file)) as reader:
                assert sum(len(batch) for _, batch in reader.batches(Range(1, 10**9))) == N_BATCHES * N_EVENTS


def test_a_collector_takes_the_next_spool_where_one_is_damaged(settings: Settings, file: Path) -> None:
    blot(file, 0, 100)
    content = file.read_bytes()
    collector = Collector(settings, Accounts(NOWHERE))
    try:
        assert collector.slot.folder.name == "1"
        assert file.read_bytes() == content
        mend_spool(file)  # no process uses it
    finally:
        collector._reader.close()
        collector._spool.close()
        collector.slot.release()
