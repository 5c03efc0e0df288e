"""Bodies that are made of tiny parts, each of which takes many times its bytes once decoded, are refused before."""

from __future__ import annotations

import numpy as np

from turret_api.collector import body as bodies
from turret_api.errors import invalid

MAX_PARTS = 1_000_000
"""Parts of a protobuf body that hold fewer than `_TINY` bytes."""
_TINY = 6
_PIECE = 256 * 1024
_HOLDS_BYTES = 2
"""The last three bits before the length of a part."""


def refuse_dust(body: bytes, *, is_json: bool) -> None:
    """Raise `ApiError` (413) if `body` may be made of more tiny parts than a small machine has memory for."""
    if is_json:
        bodies.refuse_dust(body)
    elif len(body) > 2 * MAX_PARTS and n_tiny(body) > MAX_PARTS:
        raise invalid(f"The body has more than {MAX_PARTS:,} tiny parts; send fewer spans at once.", status=413)


def n_tiny(body: bytes) -> int:
    """Return how many parts of a protobuf body may hold fewer than `_TINY` bytes, also where bytes only look so."""
    n = 0
    for start in range(0, len(body), _PIECE):
        piece = np.frombuffer(body, np.uint8, min(_PIECE + 1, len(body) - start), start)
        n += int(np.count_nonzero((piece[:-1] & 7 == _HOLDS_BYTES) & (piece[1:] < _TINY)))
    return n
