"""Results that are kept while there is room for them.

    computing ──> kept ──> dropped, when those used since then need its room

Whatever a key stands for never changes, so nothing that is kept is ever wrong.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

from turret_api.errors import UnavailableError

CACHED_BYTES = 512 << 20
PATIENCE_S = 20.0
"""Longest time in seconds that a question waits for its turn; then its client is told to come back."""

Result = TypeVar("Result")


class Cache:
    """Results by key, least recently used first out; each key is computed by one thread at a time."""

    def __init__(self, limit_bytes: int = CACHED_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._kept: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._size_bytes = 0
        self._lock = threading.Lock()
        self._busy: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, compute: Callable[[], Result], size_bytes: Callable[[Result], int]) -> Result:
        """Return what `compute` returned for `key`, now or earlier.

        Raise `UnavailableError` if another thread has been computing it for `PATIENCE_S`.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]  # type: ignore[return-value]
            busy = self._busy.setdefault(key, threading.Lock())
        if not busy.acquire(timeout=PATIENCE_S):
            raise UnavailableError("This question is being worked on; ask again.", retry_after_s=5)
        try:
            with self._lock:
                if key in self._kept:
                    return self._kept[key][0]  # type: ignore[return-value]
            result = compute()
            self._keep(key, result, size_bytes(result))
            return result
        finally:
            with self._lock:
                self._busy.pop(key, None)
            busy.release()

    def _keep(self, key: Hashable, result: object, size_bytes: int) -> None:
        with self._lock:
            if size_bytes > self.limit_bytes:
                return
            self._kept[key] = (result, size_bytes)
            self._size_bytes += size_bytes
            while self._size_bytes > self.limit_bytes:
                _, (_, freed) = self._kept.popitem(last=False)
                self._size_bytes -= freed
