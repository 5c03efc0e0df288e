"""`turret` as the tests start it: with a failpoint, a file system that fails, or a safety taken away.

    python launch.py [--die-at POINT [--after N]] [--vfs lossy:FOLDER] [--without pin|fsync|commit] serve …

There is no such switch in the product.
"""

from __future__ import annotations

import argparse
import os
import signal

from turret_pipeline.lake import failpoint


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--die-at")
    parser.add_argument("--after", type=int, default=1)
    parser.add_argument("--without", choices=["pin", "commit"])
    parser.add_argument("--clock", help="file that holds the seconds to add to the clock")
    options, arguments = parser.parse_known_args()
    if options.die_at:
        _die_at(options.die_at, options.after)
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


def _without_pin() -> None:
    """Rolls whatever is there now, under a name of its own, as if ranges were not pinned."""
    import itertools

    from turret_api.collector import roller
    from turret_api.collector.spool import Range, Spool

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
