"""Asking the collectors of this host to forget turns that wait: they are in their memory, and in a file of theirs.

An erasure is another process. It leaves a note in the folder of each collector's spool, which the collector's
housekeeping looks for every two seconds, and removes once it has done what it says. What the spool itself holds needs
no help: SQLite lets another process delete rows.

    no note ──ask──▶ a note ──the collector forgets──▶ no note
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

FORGET_FILE = "forget.json"


class Forget(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be forgotten of one project: what is of any of these users, sessions or events; or all of it."""

    project_id: str
    user_ids: frozenset[str] = frozenset()
    session_ids: frozenset[str] = frozenset()
    event_ids: frozenset[str] = frozenset()
    is_all: bool = False

    def is_of(self, project_id: str, user_id: str | None, session_id: str | None, event_id: str | None) -> bool:
        """Tell whether what has these ids is to be forgotten."""
        return project_id == self.project_id and (
            self.is_all or user_id in self.user_ids or session_id in self.session_ids or event_id in self.event_ids
        )


def ask(folder: Path, wanted: Forget) -> None:
    """After this call there is a note for the collector whose spool is in `folder`, which its owner alone can read."""
    temporary = folder / f".{FORGET_FILE}.{os.getpid()}"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(msgspec.json.encode(wanted))
    temporary.replace(folder / FORGET_FILE)


def asked(folder: Path) -> Forget | None:
    """Return what the note in `folder` says; None: there is none, or none that can be read."""
    try:
        return msgspec.json.decode((folder / FORGET_FILE).read_bytes(), type=Forget)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def answer(folder: Path) -> None:
    """After this call the note is gone: what it says is done."""
    (folder / FORGET_FILE).unlink(missing_ok=True)


def is_answered(folder: Path, within_s: float) -> bool:
    """Wait until the note is gone, at most for this long; return whether it is."""
    deadline = time.monotonic() + within_s
    while (folder / FORGET_FILE).exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
