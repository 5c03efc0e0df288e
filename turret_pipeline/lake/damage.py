"""Damage: a file of the lake that does not hold what was written, and the notes about damage that was found.

A reader that comes upon damage raises `DamageError`; nothing reads on with other data. Whatever finds damage leaves a
note in the lake's folder `damaged`, so that other processes can tell a person. A note is no verdict: whatever tells of
it looks at the file again first (`lake.inspection.standing`), and a note about what was mended goes.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
from dataclasses import dataclass

import msgspec

from turret_pipeline.lake import files, heads
from turret_pipeline.lake.paths import Lake

MEND = "turret doctor --mend"
"""The command that mends what can be mended."""
ANEW = "is being made anew"
"""Reason of a note about a project's rows that were taken out of a table and are not built again yet."""


@dataclass(frozen=True, order=True)
class Damage:
    """One damaged file.

    file: its name in the lake, as `tables/topics/_delta_log/….json`. reason: what is wrong with it, in words.
    """

    file: str
    reason: str

    @property
    def table(self) -> str | None:
        """Name of the table that it belongs to."""
        folder, *names = self.file.split("/")
        return names[0] if folder == "tables" and names else None

    @property
    def project_id(self) -> str | None:
        """The project that it belongs to; None: it concerns all."""
        named = (name.partition("=") for name in self.file.split("/"))
        return next((value for key, _, value in named if key in ("project", "project_id")), None)

    @property
    def received_date(self) -> dt.date | None:
        """The day of receipt that it belongs to, where it is a raw part."""
        day = self.file.rpartition("/")[0].rpartition("/date=")[2]
        return dt.date.fromisoformat(day) if self.is_part else None

    @property
    def is_part(self) -> bool:
        """Whether it is a raw part."""
        return self.file.startswith("events/")

    @property
    def is_of_log(self) -> bool:
        """Whether it belongs to a table's log, without which none of the table can be read."""
        return self.table is not None and "/_delta_log" in self.file

    @property
    def thing(self) -> str:
        """What is damaged, in words: the table, or the kind of file."""
        if self.table is not None:
            return f"the table {self.table}"
        if self.is_part:
            return f"a raw part of {self.received_date}"
        return "the embedding model" if self.file.startswith("models/") else "the lake"

    @property
    def words(self) -> str:
        """What is damaged, where and how, and the command that mends it, in one sentence."""
        thing = self.thing[0].upper() + self.thing[1:]
        return f"{thing} is damaged: {self.file} {self.reason}; `{MEND}` mends it."


class DamageError(Exception):
    """A file of the lake is damaged, so that what was asked for cannot be had; `damage` says which, and how."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(damage)
        self.damage = damage

    def __str__(self) -> str:
        """Return the words that people are told everywhere."""
        return self.damage.words


class _Note(msgspec.Struct):
    file: str
    reason: str


def note(lake: Lake, damage: Damage) -> None:
    """After this call the lake bears a note about the damage. A lake that cannot be written stops nothing here."""
    with contextlib.suppress(OSError):
        address = _address(lake, damage.file)
        content = msgspec.json.encode(_Note(damage.file, damage.reason))
        if _read(lake, address) != content:
            files.write(lake, address, content)
            heads.moved(lake, "damaged")


def notes(lake: Lake) -> list[Damage]:
    """Return the damage that notes tell of, in order, whether it still is or not."""
    found = []
    for name in files.names(lake, lake.damaged_folder):
        with contextlib.suppress(msgspec.DecodeError):
            told = msgspec.json.decode(_read(lake, f"{lake.damaged_folder}/{name}") or b"", type=_Note)
            found.append(Damage(told.file, told.reason))
    return sorted(found)


def forget(lake: Lake, damage: Damage) -> None:
    """After this call no note tells of the damage."""
    with contextlib.suppress(OSError):
        files.remove(lake, _address(lake, damage.file))
        heads.moved(lake, "damaged")


def _address(lake: Lake, file: str) -> str:
    return f"{lake.damaged_folder}/{hashlib.blake2b(file.encode(), digest_size=12).hexdigest()}.json"


def _read(lake: Lake, address: str) -> bytes | None:
    try:
        return files.read(lake, address)
    except FileNotFoundError:
        return None
