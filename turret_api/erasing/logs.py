"""Out of the logs of a home: lines that quote what was erased.

Texts of events are not logged by us; but a library may put a value into its error, and what a run prints is its own. A
that quotes something is overwritten where it stands, with as many bytes: processes add lines to the files meanwhile.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from turret_api.erasing.erased import Done
from turret_api.erasing.words import ERASED, Words

PLACE = "logs of this home"
_AT_ONCE = 2_000
_KEPT = ("at", "level", "process", "run")
"""What stays of a line of our own."""


def erase_from_logs(home: Path, words: Words) -> list[Done]:
    """After this call no line of a log quotes one of `words`; raise `OSError` where a log cannot be written."""
    n = sum(_overwrite(file, words) for file in log_files(home))
    return [Done(PLACE, "lines overwritten", n)]


def log_files(home: Path) -> Iterator[Path]:
    """Yield the logs of our processes, those that were set aside too, and what Dagster kept of the output of runs."""
    for folder in (home / "logs", home / "dagster"):
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not file.is_symlink() and file.suffix not in (".yaml", ".pid"):
                yield file


def _overwrite(file: Path, words: Words) -> int:
    """Overwrite the lines that quote one of the words; return how many."""
    n = 0
    with file.open("r+b") as stream:
        for start, lines in _batches(stream):
            at = start
            for line, quotes in zip(lines, words.are_in_bytes(lines), strict=True):
                if quotes:
                    os.pwrite(stream.fileno(), _without(line), at)
                    n += 1
                at += len(line)
        if n:
            os.fsync(stream.fileno())
    return n


def _batches(stream: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Yield lines, some at a time, with the place in the file where they begin."""
    start, lines = 0, list[bytes]()
    for line in stream:
        lines.append(line)
        if len(lines) >= _AT_ONCE:
            yield start, lines
            start, lines = start + sum(map(len, lines)), []
    yield start, lines


def _without(line: bytes) -> bytes:
    """Return a line of the same length that says when, from where, and that it was erased, as far as it has room."""
    end = b"\n" if line.endswith(b"\n") else b""
    room = len(line) - len(end)
    text = ERASED
    try:
        said = json.loads(line)
        kept = {name: said[name] for name in _KEPT if name in said}
        text = json.dumps({**kept, "message": ERASED}, ensure_ascii=False)
    except (ValueError, TypeError):
        pass
    new = text.encode()
    return (new if len(new) <= room else b"").ljust(room) + end
