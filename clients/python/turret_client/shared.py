"""One client for the process, made from the environment at its first use, for those who do not want to hold one."""

from __future__ import annotations

import os
import threading
from typing import Any

from turret_client.client import Client
from turret_client.tally import log

_client: Client | None = None
_lock = threading.RLock()
_is_broken = False


def shared_client() -> Client:
    """Return the client that `track` uses; raise `ValueError` if `TURRET_URL` or `TURRET_WRITE_KEY` cannot work."""
    global _client
    if _client is None:
        with _lock:
            if _client is None:
                _client = Client()
    return _client


def track(
    name: str,
    metadata: Any,
    *,
    session_id: Any = None,
    user_id: Any = None,
    timestamp: Any = None,
    event_id: Any = None,
) -> None:
    """Send an event as `Client.track` does, with the client of the process."""
    global _is_broken
    try:
        client = shared_client()
    except ValueError as error:
        if not _is_broken:
            _is_broken = True
            log.error("Nothing is sent to Turret: %s", error)
        return
    client.track(name, metadata, session_id=session_id, user_id=user_id, timestamp=timestamp, event_id=event_id)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def flush(timeout: float | None = 10.0) -> bool:
    """Return as `Client.flush` does, for the client of the process."""
    return _client is None or _client.flush(timeout)
