"""Turns that wait, on the disk of the spool: an answer waits until they are there, so a crash loses none.

Lines are only added. What has become an event since is still in the file until no turn waits; after a crash it becomes
the same event once more, a duplicate by its id.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from turret_api.collector.slots import TURNS_FILE
from turret_api.otlp.memory import Turn
from turret_pipeline import failpoint
from turret_pipeline.lake.files import fsync_folder

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024 * 1024
"""Size from which on the file is written anew."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Turn).decode


class Journal:
    """The turns in `file`. Its methods block; one at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._n_bytes = 0
        self._is_whole = True

    def load(self) -> list[Turn]:
        """Return the turns that an earlier process left, each as it was last."""
        try:
            lines = self._file.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        found: dict[tuple[str, str | None], Turn] = {}
        for line in filter(None, lines):
            try:
                turn = _decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                log.warning("a turn in the journal cannot be read", extra={"reason": str(self._file)})  # it is cut off
                continue
            found[turn.project_id, turn.event_id] = turn
        self._n_bytes, self._is_whole = sum(map(len, lines)), not lines
        return list(found.values())

    def add(self, turns: Iterable[Turn]) -> None:
        """After this call `turns` are on stable storage; raise `OSError` if they cannot be."""
        # Where the last write failed, there may be half a line, which must not take the next one with it.
        lines = (b"" if self._is_whole else b"\n") + _lines(turns)
        is_new = not self._file.exists()
        self._is_whole = False
        self._n_bytes += len(lines)
        _write(self._file, lines, os.O_APPEND)
        self._is_whole = True
        if is_new:
            fsync_folder(self._file.parent)

    def replace(self, turns: Iterable[Turn]) -> None:
        """After this call `turns` are all that is in the file; until then, or on `OSError`, it is as it was."""
        lines = _lines(turns)
        anew = self._file.with_name(f".{TURNS_FILE}.tmp")
        _write(anew, lines, os.O_TRUNC)
        failpoint.reached("turns.before_rename")
        anew.replace(self._file)
        fsync_folder(self._file.parent)
        self._n_bytes, self._is_whole = len(lines), True

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in the file."""
        return self._n_bytes == 0

    @property
    def is_large(self) -> bool:
        """Whether it is time to write the file anew."""
        return self._n_bytes > MOST_BYTES


def _lines(turns: Iterable[Turn]) -> bytes:
    return b"".join([_encode(each) + b"\n" for each in turns])


def _write(file: Path, lines: bytes, how: int) -> None:
    """After this call `lines` are in `file` on stable storage, which is found after a crash if it was there before."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | how, 0o600), "wb") as stream:
        stream.write(lines)
        stream.flush()
        os.fsync(stream.fileno())
