"""Forks, and the end of the process: what happens to each sender then.

A forked child has the parent's memory, but of its threads only the one that forked, and locks as they were. So each
sender begins anew in the child. At the end of a process each sender gets some seconds, all together as long as the most
patient of them.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
import weakref
from typing import Any, Protocol


class Ending(Protocol):
    """What begins anew after a fork, and ends with the process."""

    @property
    def exit_s(self) -> float:
        """How long the end of the process may wait for it."""

    def after_fork(self) -> None:
        """Begin anew in a child process."""

    def close(self, timeout_s: float | None) -> bool:
        """Send what waits."""


_senders: weakref.WeakSet[Any] = weakref.WeakSet()


def register(sender: Ending) -> None:
    """From now on `sender` begins anew after a fork, and ends with the process."""
    _senders.add(sender)


def end_with_child() -> None:
    """Close all senders at the end of this process, if it is a child of `multiprocessing`: `atexit` is none for those.

    To be called in the child, which forgets what its parent had registered.
    """
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, end_all, exitpriority=0)


def end_all() -> None:
    """Close all senders."""
    now_s = time.monotonic()
    for sender in list(_senders):
        sender.close(max(0.0, now_s + sender.exit_s - time.monotonic()))


def _after_fork() -> None:
    for sender in list(_senders):
        sender.after_fork()


# `weakref` registers its own end with its first finalizer, and what is registered first runs last. urllib3's finalizers
# close connections that are needed to the end, and while they run no thread may add another.
weakref.finalize(_senders, len, ()).detach()
atexit.register(end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
