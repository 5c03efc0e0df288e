"""`turret` as the tests start it: with a failpoint, a file system that fails, or a safety taken away.

    python launch.py [--die-at POINT [--after N]] [--without pin|commit] [--fail-fsync-after N] [--disk-full-if FILE]
                     [--clock FILE] [--most-requests N] [--sqlite VERSION] [--otlp-wait SECONDS] serve …

There is no such switch in the product.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path

import apsw

from turret_pipeline import failpoint


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--die-at")
    parser.add_argument("--after", type=int, default=1)
    parser.add_argument("--without", choices=["pin", "commit"])
    parser.add_argument("--clock", help="file that holds the seconds to add to the clock")
    parser.add_argument("--fail-fsync-after", type=int, help="fsyncs of the spool's log after which they fail")
    parser.add_argument("--disk-full-if", help="file: while it is there, the spool's disk is full")
    parser.add_argument("--most-requests", type=int, help="requests that are taken at once")
    parser.add_argument("--sqlite", help="version that SQLite says it has")
    parser.add_argument("--otlp-wait", type=float, help="seconds that a turn of spans waits for its end")
    options, arguments = parser.parse_known_args(words)
    if options.die_at:
        _die_at(options.die_at, options.after)
    if options.clock:
        _shift_clock(Path(options.clock))
    if options.fail_fsync_after is not None:
        _put_spools_on(FailingDisk("failing", options.fail_fsync_after))
    if options.disk_full_if:
        _fill_disk(Path(options.disk_full_if))
    if options.most_requests:
        _limit_requests(options.most_requests)
    if options.sqlite:
        _pretend_sqlite(options.sqlite)
    if options.otlp_wait:
        _wait_for_spans(options.otlp_wait)
    if options.without == "pin":
        _without_pin()
    elif options.without == "commit":
        _without_commit()
    from turret_api.command.main import main as turret

    turret(args=arguments, prog_name="turret")


def _die_at(point: str, after: int) -> None:
    left = after

    def reached(name: str) -> None:
        nonlocal left
        if name == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    failpoint.on_reached = reached


class FailingDisk(apsw.VFS):
    """The default VFS, but that fsync of a log fails always after `n_left` of them."""

    def __init__(self, name: str, n_left: int) -> None:
        super().__init__(name, "")
        self.name = name
        self.n_left = n_left

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _FailingFile(self, name, flags)


class _FailingFile(apsw.VFSFile):
    def __init__(self, disk: FailingDisk, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._is_log = isinstance(name, str) and name.endswith("-wal")

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self._is_log:
            self._disk.n_left -= 1
            if self._disk.n_left < 0:
                raise apsw.IOError("the disk failed")
        super().xSync(flags)


class FullDisk(apsw.VFS):
    """The default VFS, but that there is no room while `mark` is there."""

    def __init__(self, name: str, mark: Path) -> None:
        super().__init__(name, "")
        self.name = name
        self.mark = mark

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _FullFile(self, name, flags)


class _FullFile(apsw.VFSFile):
    def __init__(self, disk: FullDisk, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if self._disk.mark.exists():
            raise apsw.FullError("no room")
        super().xWrite(data, offset)


def _put_spools_on(disk: FailingDisk | FullDisk) -> None:
    from turret_api.collector import collector
    from turret_api.collector.spool import Spool

    collector.Spool = lambda file, _: Spool(file, disk.name)  # type: ignore[assignment, misc]
    global _disk
    _disk = disk  # the VFS lives as long as its object


_disk: apsw.VFS | None = None


def _fill_disk(mark: Path) -> None:
    """A disk that fills without the right to mount one: writes of the spool find no room, and statvfs says so."""
    from turret_api.collector import disk

    _put_spools_on(FullDisk("full", mark))
    real = disk.free_and_reserve

    def free_and_reserve(folder: Path, reserve_bytes: int | None) -> tuple[int, int]:
        free, reserve = real(folder, reserve_bytes)
        return (0 if mark.exists() else free), reserve

    disk.free_and_reserve = free_and_reserve


def _shift_clock(file: Path) -> None:
    """Adds the seconds in `file` to the wall clock, whenever it is asked for."""
    real, real_ns = time.time, time.time_ns

    def shift() -> float:
        try:
            return float(file.read_text() or 0)
        except (OSError, ValueError):
            return 0.0

    time.time = lambda: real() + shift()
    time.time_ns = lambda: real_ns() + int(shift() * 1e9)


def _limit_requests(most: int) -> None:
    from turret_api.collector import intake

    intake.MOST_REQUESTS = most


def _pretend_sqlite(version: str) -> None:
    apsw.sqlite_lib_version = lambda: version


def _wait_for_spans(seconds: float) -> None:
    from turret_api.otlp import turns

    turns.WAIT_S, turns.SPAN_WAIT_S = seconds, seconds / 2


def _without_pin() -> None:
    """Rolls whatever is there now, under a name of its own, as if ranges were not pinned."""
    import itertools

    from turret_api.collector import roller
    from turret_api.collector.rows import Range
    from turret_api.collector.spool import Spool

    numbers = itertools.count()
    real = roller.write_part

    def write_part(lake: object, project_id: str, date: object, name: str, events: object) -> None:
        real(lake, project_id, date, f"{os.getpid()}-{next(numbers)}-{name}", events)  # type: ignore[arg-type]

    def pinned(spool: Spool) -> list[Range]:
        spool._db.execute("DELETE FROM rolls")
        return []

    roller.write_part = write_part  # type: ignore[assignment]
    Spool.pinned = pinned  # type: ignore[method-assign]


def _without_commit() -> None:
    """Answers when the rows are written, but leaves the commit to a later one."""
    import itertools

    from turret_api.collector.spool import Spool

    real_begin, real_commit, turns = Spool.begin, Spool.commit, itertools.count(1)

    def commit(spool: Spool) -> None:
        if next(turns) % 20 == 0:
            real_commit(spool)

    def begin(spool: Spool) -> None:
        if not spool._db.in_transaction:
            real_begin(spool)

    Spool.commit = commit  # type: ignore[method-assign]
    Spool.begin = begin  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
