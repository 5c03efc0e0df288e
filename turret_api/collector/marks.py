"""Where the marks of JSON stand: the commas, brackets and lines of a body that lie outside of its texts.

A body is looked at piece by piece, for that takes some times the memory of a piece, and no other thread can go on while
bytes are searched.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_PIECE = 256 * 1024
_IS_MARK = np.isin(np.arange(256), list(b",[{\n"))
_IS_PART = np.isin(np.arange(256), list(b",[{}]"))
_STEP = np.zeros(256, np.int8)
_STEP[list(b"[{")], _STEP[list(b"]}")] = 1, -1


def has_more_marks(body: bytes, most: int) -> bool:
    """Tell whether `body` may have more than `most` marks: those in texts count, which costs little to tell."""
    n = 0
    for start in range(0, len(body), _PIECE):
        piece = np.frombuffer(body, np.uint8, min(_PIECE, len(body) - start), start)
        n += int(np.count_nonzero(_IS_MARK[piece]))
        if n > most:
            return True
    return False


def n_marks(body: bytes, size: int = _PIECE) -> int:
    """Return how many commas, opening brackets and ends of lines are in `body`, outside of texts.

    size: bytes that are looked at at a time.
    """
    return sum(int(np.count_nonzero(_IS_MARK[piece] & ~inside)) for piece, inside in _pieces(body, size))


def cuts_of(array: bytes, size: int = _PIECE) -> np.ndarray | None:
    """Return where the elements of `array` are cut apart: its first byte, its own commas, its last byte.

    None if its brackets or quotation marks do not fit, or if it does not begin and end as an array does. It takes time
    in proportion to its length.
    """
    cuts = [np.zeros(1, np.int64)]
    start, depth, is_inside = 0, 0, False
    for piece, inside in _pieces(array, size):
        places = np.flatnonzero(_IS_PART[piece] & ~inside)
        marks = piece[places]
        depths = depth + np.cumsum(_STEP[marks], dtype=np.int32)
        # Only the last byte closes what the first opened.
        ends = places[depths < 1]
        if len(ends) and start + int(ends[0]) != len(array) - 1:
            return None
        cuts.append(start + places[(marks == ord(",")) & (depths == 1)])
        start, is_inside = start + len(piece), bool(inside[-1])
        depth = int(depths[-1]) if len(depths) else depth
    if depth != 0 or is_inside or array[:1] != b"[" or array[-1:] != b"]":
        return None
    return np.concatenate([*cuts, [len(array) - 1]])


def _pieces(body: bytes, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the bytes of `body`, `size` at a time, and for each byte whether it lies in a text or opens one.

    What is escaped is blotted out in the bytes.
    """
    is_inside = is_escaped = False
    for start in range(0, len(body), size):
        plain = body[start : start + size]
        if is_escaped and plain[0] in b'"\\':
            plain = b"_" + plain[1:]
        # A quotation mark that is not escaped begins or ends a text.
        plain = plain.replace(b"\\\\", b"__")
        is_escaped = plain.endswith(b"\\")
        piece = np.frombuffer(plain.replace(b'\\"', b"__"), np.uint8)
        inside = np.bitwise_xor.accumulate(piece == ord('"')) ^ is_inside
        is_inside = bool(inside[-1])
        yield piece, inside
