"""A first look at a short text, which lets no other thread run: nearly all events end here, with nothing to mask.

The automata of `sieve` let go of the interpreter's lock while they look. Under load other threads wait for the lock,
and handing it to and fro takes 40 µs, ten times what the look itself takes. So methods of bytes and of `re` look first,
which keep the lock. The gate lets through all in which a recogniser would find something, and more.
"""

from __future__ import annotations

import re
import string

from turret_api.masking.signs import BEGINNINGS, SAYS_SHORT, random_run, runs_of

MOST = 8 * 1024
"""Bytes of a text for which this look costs less than handing over the lock."""
_LEAST_OF_A_KEY = 15
"""Characters in a row that all keys of known makers have, but for those that begin with `eyJ`."""

_letters, _digits = string.ascii_letters.encode(), string.digits.encode()
_SHAPE = bytes.maketrans(_letters + _digits, b"a" * len(_letters) + b"0" * len(_digits))
_WORD = bytes.maketrans(_letters + _digits + b"_-", b"a" * (len(_letters) + len(_digits) + 2))
_KEY = b"a" * _LEAST_OF_A_KEY
_SEPARATORS = b" ./()+-"

_BEGINS = re.compile(rf"[^0-9A-Za-z](?:{'|'.join(BEGINNINGS)})".encode())
_SAYS = re.compile(rf"@|%40|&#x?0*[46]|&commat|::|:[0-9a-f]{{1,4}}(?::[0-9a-f]{{1,4}}){{4}}|eyj|{SAYS_SHORT}".encode())
_NUMBER = re.compile(rb"[^0a](?:a[ -]?)?0(?:[ ./()+-]{0,3}0){6}")
_ESCAPED = re.compile(rb"\\[nrtbf]")
_IP = re.compile(rb"0\.0{1,3}\.0{1,3}\.0")


def lets_through(text: bytes) -> bool:
    """Tell whether there may be something to mask in a text or in JSON that is ASCII and has no codes of characters."""
    # What JSON makes of the end of a line is no letter of the word behind it.
    text = b" " + (_ESCAPED.sub(b" ", text) if b"\\" in text else text)
    shape = text.translate(_SHAPE)
    packed = shape.translate(None, _SEPARATORS)
    return bool(
        (b"0000000" in packed and _NUMBER.search(shape))
        or b"aa00" in shape
        or b"aaaaaa0" in shape
        or b"000000a000" in shape
        or b"aa000000a" in packed
        or _SAYS.search(text.lower())
        or (_KEY in text.translate(_WORD) and (_BEGINS.search(text) or random_run(runs_of(text)) >= 0))
        or (shape.count(b".") > 2 and _IP.search(shape))
    )
