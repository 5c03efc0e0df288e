r"""The lines of logs: whatever a process writes becomes one object of JSON a line, and says which process wrote it.

    {"at": "2026-11-30T05:00:00.123+00:00", "level": "info", "message": "Checking run 0b73…", "process": "daemon", …}

`at` is in UTC. What else a process tells of a line stands beside that: `run` (the id of a run of Dagster's), `trace`
(where an error came from), and the API's own values. Known are our API's lines and Dagster's JSON, Dagster's lines for
people, and those of Postgres; any other line is the message itself, at the time that it came. The lines of a traceback
are one message.

A process's output goes through a pipe to who started it, and from there to the file. So nothing that a process or one
of its libraries prints, down to the last words of one that crashes, escapes the form.

Only the standard library is imported: the keeper of the embedded Postgres, which must stay small, uses this too.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

LAST_WORDS_S = 2.0
MAX_BYTES = 20_000_000
"""Size at which a log becomes `….log.1`, in the place of the one before."""
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_DAGSTER = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}) - (\S+) - ([A-Z]+) - (.*)", re.DOTALL)
_POSTGRES = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC \[(\d+)\] ([A-Z0-9]+): +(.*)", re.DOTALL)
_RUN = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")
_LEVELS = {"critical": "critical", "fatal": "critical", "panic": "critical", "warn": "warning", "log": "info"}
_LEVELS |= {name: name for name in ("error", "warning", "info", "debug")}
_TRACEBACK = "Traceback (most recent call last):"


def line_of(text: str, process: str, now: dt.datetime) -> str:
    """Return one line of JSON, without its end, for what `process` wrote: a line, or the lines of a traceback."""
    plain = _COLOR.sub("", text)
    return json.dumps({**_parsed(plain, now), **_run(plain), "process": process}, ensure_ascii=False, default=str)


def message_of(line: str) -> str:
    """Return the message of a line of a log, for a person; the line itself where it is not of this form."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(line)["message"])
    return line


class Log:
    """A log that one process fills: `copy` reads its output until that ends.

    Args:
        file: is appended to, and set aside once it is large.
        process: the name of who writes.
    """

    def __init__(self, file: Path, process: str) -> None:
        self._file = file
        self._process = process
        self._copies: list[threading.Thread] = []
        # Children of an earlier process may still write while the next one does.
        self._lock = threading.Lock()

    def copy(self, source: IO[bytes]) -> None:
        """From this call on all that comes from `source` is in the file, a moment later, until it ends."""
        thread = threading.Thread(target=self._copy, args=(source,), name=f"log of {self._process}", daemon=True)
        thread.start()
        self._copies = [*(each for each in self._copies if each.is_alive()), thread]

    def wait(self, timeout_s: float = LAST_WORDS_S) -> None:
        """After this call the file has what has come, if those who wrote it have ended."""
        for copy in self._copies:
            copy.join(timeout_s)

    def write(self, text: str) -> None:
        """After this call the file has a line with this text. A file that cannot be written stops nothing."""
        with self._lock, contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if self._file.exists() and self._file.stat().st_size > MAX_BYTES:
                self._file.replace(self._file.with_suffix(".log.1"))
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(line_of(text, self._process, dt.datetime.now(dt.UTC)) + "\n")

    def _copy(self, source: IO[bytes]) -> None:
        with source:
            for text in _messages(source):
                self.write(text)


def _messages(source: IO[bytes]) -> Iterator[str]:
    """Yield each line that says something, and each traceback as one."""
    trace: list[str] = []
    for raw in source:
        text = raw.decode(errors="replace").rstrip()
        if trace:
            trace.append(text)
            # A traceback ends with the first line that is not indented, which names the error.
            if text and not text.startswith(" "):
                yield "\n".join(trace)
                trace = []
        elif text == _TRACEBACK:
            trace = [text]
        elif text:
            yield text
    if trace:
        yield "\n".join(trace)


def _parsed(text: str, now: dt.datetime) -> dict[str, Any]:
    if text.startswith("{"):
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            return _of_json(json.loads(text))
    if found := _DAGSTER.fullmatch(text):
        at = dt.datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S %z")
        return {"at": _utc(at), "level": _level(found[3]), "logger": found[2], "message": found[4]}
    if found := _POSTGRES.fullmatch(text):
        at = dt.datetime.fromisoformat(found[1]).replace(tzinfo=dt.UTC)
        return {"at": _utc(at), "level": _level(found[3]), "pid": int(found[2]), "message": found[4]}
    if text.startswith(_TRACEBACK):
        return {"at": _utc(now), "level": "error", "message": text.rpartition("\n")[2], "trace": text}
    return {"at": _utc(now), "level": "info", "message": text}


def _of_json(found: dict[str, Any]) -> dict[str, Any]:
    """Return a line of our own as it is, and one of Dagster's (structlog) under our names."""
    if "at" in found:
        return {"at": found["at"], "level": found["level"], "message": found["message"]} | found
    at = dt.datetime.fromisoformat(found.pop("timestamp"))
    level, message = _level(found.pop("level")), found.pop("event")
    if "exception" in found:
        found["trace"] = found.pop("exception")
    return {"at": _utc(at), "level": level, "message": message, **found}


def _run(text: str) -> dict[str, str]:
    found = _RUN.search(text)
    return {"run": found[0]} if found else {}


def _level(word: str) -> str:
    return _LEVELS.get(word.lower(), "info")


def _utc(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds")
