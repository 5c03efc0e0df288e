"""`Client`: what an application holds."""

from __future__ import annotations

import asyncio
import os
import re
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

import urllib3

from turret_client.event import UnsendableError, encode_event
from turret_client.sender import Options, Sender
from turret_client.tally import Loss, Stats, Tally
from turret_client.values import MAX_TEXT

DEFAULT_URL = "http://127.0.0.1:8000"
SETTINGS = {
    "TURRET_URL": "where Turret listens, such as `https://turret.example.org`",
    "TURRET_WRITE_KEY": "the project's write key, `tw_…`",
}
"""Variables of the environment that a client reads where its arguments say nothing."""


class Client:
    """Sends events to Turret. Make one for each process and project, and use it from any thread or task.

    After a fork the child's client begins anew, with an empty queue and a thread of its own, so it may be made before
    a server forks its workers.

    Args:
        url: where Turret listens; default `TURRET_URL`, or else `DEFAULT_URL`.
        key: the project's write key; default `TURRET_WRITE_KEY`. Without one nothing is sent, and the log says so.
        most_events: events that may wait; what is tracked while so many wait is lost.
        most_bytes: bytes of events that may wait.
        batch_events: events of one request, at most 1,000.
        batch_bytes: bytes of one request before it is packed, unless a single event is larger.
        linger_s: how long the first event of a batch waits for others.
        timeout_s: how long an answer may take.
        exit_s: how long the end of the process waits for what is still to be sent.
        max_text: characters after which a text is cut; the server's `TURRET_MAX_TEXT`.
        on_loss: called with each `Loss`, in the thread where it is noticed.
        make_pool: makes the connection pool, where proxies or certificates need one of their own.

    Raise `ValueError` for arguments that cannot work.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        most_events: int = 100_000,
        most_bytes: int = 64 * 2**20,
        batch_events: int = 500,
        batch_bytes: int = 2**20,
        linger_s: float = 0.5,
        timeout_s: float = 30.0,
        exit_s: float = 5.0,
        max_text: int = MAX_TEXT,
        on_loss: Callable[[Loss], object] | None = None,
        make_pool: Callable[[], urllib3.PoolManager] | None = None,
    ) -> None:
        url = (url or os.environ.get("TURRET_URL") or DEFAULT_URL).strip().rstrip("/")
        if not re.fullmatch(r"https?://[^/?#\s@]+(/[^?#\s]*)?", url):
            raise ValueError(f"url: {url} is no address such as {DEFAULT_URL}")
        key = (key or os.environ.get("TURRET_WRITE_KEY") or "").strip()
        if not re.fullmatch(r"[!-~]*", key):
            raise ValueError("key: a write key has visible characters of ASCII only, such as tw_…")
        for name, value in {
            "most_events": most_events, "most_bytes": most_bytes, "batch_bytes": batch_bytes,
            "timeout_s": timeout_s, "max_text": max_text,
        }.items():  # fmt: skip
            if not value > 0:
                raise ValueError(f"{name}: {value} is not above 0")
        if not 1 <= batch_events <= 1000:
            raise ValueError(f"batch_events: {batch_events} is not between 1 and 1,000")
        self._is_on = bool(key)
        self._max_text = max_text
        self._sender = Sender(
            Options(
                f"{url.removesuffix('/track')}/track",
                key,
                most_events,
                most_bytes,
                batch_events,
                batch_bytes,
                max(0.0, linger_s),
                timeout_s,
                max(0.0, exit_s),
                make_pool or _make_pool,
            ),
            lambda: Tally(on_loss),
        )
        # A client that is dropped sends what it has; then its thread ends.
        weakref.finalize(self, self._sender.retire).atexit = False

    def track(
        self,
        name: str,
        metadata: Any,
        *,
        session_id: Any = None,
        user_id: Any = None,
        timestamp: Any = None,
        event_id: Any = None,
    ) -> None:
        """Send an event, later and from another thread. Never blocks and never raises.

        Args:
            name: the event's name, such as `user_prompt`.
            metadata: what belongs to it: a dict, a dataclass, or a model of pydantic, attrs or msgspec. Any values.
            session_id: the session that it is part of.
            user_id: who did it.
            timestamp: when it happened: a `datetime`, Unix seconds, or ISO 8601 with an offset; None: now.
            event_id: an id of your own, unique in the project: the same again is stored once.
        """
        try:
            if not self._is_on:
                self._sender.tally.lost("off", "There is no write key: set TURRET_WRITE_KEY, or give `key`")
                return
            try:
                event = encode_event(name, metadata, session_id, user_id, timestamp, event_id, max_text=self._max_text)
            except UnsendableError as error:
                self._sender.tally.lost("unsendable", f"track: {error}")
                return
            except Exception as error:
                self._sender.tally.lost("unsendable", f"track: the event cannot be made into JSON: {error!r}")
                return
            self._sender.put(event)
        except Exception as error:
            self._sender.tally.say("track", f"An error that was not expected: {error!r}", with_traceback=True)

    def flush(self, timeout: float | None = 10.0) -> bool:
        """Return True once all that was tracked before is stored or lost, or False after `timeout` seconds."""
        return self._sender.flush(timeout)

    def close(self, timeout: float | None = 10.0) -> bool:
        """Send what waits for `timeout` seconds at most, and end. Return True if nothing was given up."""
        return self._sender.close(timeout)

    async def aflush(self, timeout: float | None = 10.0) -> bool:
        """Return as `flush` does, while other tasks go on."""
        return await asyncio.to_thread(self.flush, timeout)

    async def aclose(self, timeout: float | None = 10.0) -> bool:
        """Return as `close` does, while other tasks go on."""
        return await asyncio.to_thread(self.close, timeout)

    def stats(self) -> Stats:
        """Return what has become of the events of this process."""
        return self._sender.stats()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()


def _make_pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(num_pools=1, maxsize=1)
