"""What has changed in a lake on S3, in one request: a small object, a *head*, for each thing that may change.

To see whether a table has a new commit takes a request, and there are thirty tables. So whatever changes something
gives its head a new content right after (`moved`), and one listing of all heads shows what has changed since an earlier
one (`look`). A lake that bears a look (`Lake.look`) is taken to be as it was then: `remembered` computes anew only what
depends on a head that has moved.

    commit, or part, or note ──▶ killed here: nobody is told ──▶ its head moves
                                       └── each head is distrusted after `TRUSTED_S`, and the thing itself looked at

The tables' logs stay the only truth: whatever writes looks at them, and never at a head. A process of an earlier
version, which moves no heads, is therefore at most `TRUSTED_S` behind for others. A local lake has no heads: there, a
look at a folder is cheap, and one file's time says that anything has changed (`stir`).

Heads, by name: `tables/<table>`, `events/<project>` (a part came, or was taken back), `late/<project>` (it was one of
a day before yesterday), `listed/<project>` (there is a note of its parts), `deleted`, `damaged`, `layout`.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TypeVar

from turret_pipeline.lake import objects
from turret_pipeline.lake.paths import Lake, Look
from turret_pipeline.lake.stir import stirred

TRUSTED_S = 60.0
"""Seconds after which the thing itself is looked at, though its head has not moved."""

Value = TypeVar("Value")

_memory: dict[Hashable, tuple[str, float, object]] = {}
_lock = threading.Lock()


def look(lake: Lake) -> Lake:
    """Return the lake as it is now, for a reader that need not look at each thing; raise `UnreachableError`.

    One request on S3; a local lake, and one that bears a look, is returned as it is.
    """
    if lake.is_local or lake.look is not None:
        return lake
    at = time.monotonic()
    tags = {each.name: each.tag for each in objects.listed(lake, lake.heads_folder)}
    return replace(lake, look=Look(tags, at))


def moved(lake: Lake, head: str) -> str:
    """After this call every later look shows that what the head stands for has changed; return its version (ETag).

    A local lake only shows that something has; the version is "" there.
    """
    if lake.is_local:
        stirred(lake.root)
        return ""
    return objects.write(lake, f"{lake.heads_folder}/{head}", uuid.uuid4().hex.encode())


def remembered(
    lake: Lake, head: str, what: Hashable, compute: Callable[[], Value], trusted_s: float | None = None
) -> Value:
    """Return what `compute` returns, or returned at an earlier look since which the head has not moved.

    head: a head's name; one that ends with `/` stands for which heads there are below it. what: tells values of one
    head apart. trusted_s: age at which it is computed anew all the same; default: `TRUSTED_S`.
    Without a look it always is.
    """
    if lake.look is None:
        return compute()
    key, tag = (lake.root, head, what), lake.look.tag(head)
    with _lock:
        known = _memory.get(key)
    if known is None or known[0] != tag or lake.look.at - known[1] >= (TRUSTED_S if trusted_s is None else trusted_s):
        known = (tag, lake.look.at, compute())
        with _lock:
            _memory[key] = known
    return known[2]  # type: ignore[return-value]
