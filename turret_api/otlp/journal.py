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

from turret_api.otlp.memory import Turn

log = logging.getLogger(__name__)

FILE = "turns.ndjson"
MOST_BYTES = 64 * 1024 * 1024
"""Size from which on the file is written anew."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Turn).decode


class Journal:
    """The turns in `file`. Its methods block; one at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._n_bytes = 0

    def load(self) -> list[Turn]:
        """Return the turns that an earlier process left, each as it was last."""
        try:
            lines = self._file.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        found: dict[tuple[str, str | None], Turn] = {}
        for line in lines:
            try:
                turn = _decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                log.warning("a turn in the journal cannot be read", extra={"reason": str(self._file)})  # it is cut off
                continue
            found[turn.project_id, turn.event_id] = turn
        self._n_bytes = sum(map(len, lines))
        return list(found.values())

    def add(self, turns: Iterable[Turn]) -> None:
        """After this call `turns` are on stable storage; raise `OSError` if they cannot be."""
        self._write(turns, os.O_APPEND)

    def replace(self, turns: Iterable[Turn]) -> None:
        """After this call `turns` are all that is in the file."""
        self._n_bytes = 0
        self._write(turns, os.O_TRUNC)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in the file."""
        return self._n_bytes == 0

    @property
    def is_large(self) -> bool:
        """Whether it is time to write the file anew."""
        return self._n_bytes > MOST_BYTES

    def _write(self, turns: Iterable[Turn], how: int) -> None:
        is_new = not self._file.exists()
        lines = b"".join([_encode(each) + b"\n" for each in turns])
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | how, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        finally:
            self._n_bytes += len(lines)
        if is_new:
            folder = os.open(self._file.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
