"""E-mail addresses, of all scripts, apart from places in code and names of files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from turret_api.masking.kinds import EMAIL, Found

AT = re.compile("@|%40|&#0{0,4}64;|&#x0{0,4}40;|&commat;", re.IGNORECASE)
"""The @ as it stands in texts, in addresses of pages, and in HTML."""
_LOCAL = re.compile(r"[\w.+%'~-]{1,64}\Z")
_DOMAIN = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[0-9a-z-]{2,59}|[^\W\d_]{2,24})(?![\w])|\[(?:\d{1,3}\.){3}\d{1,3}\]"
)
_MOST_LOCAL = 64
_NOT_PEOPLE = ("git",)
"""Names before the @ that are a place in code: git@github.com:owner/name."""
_FILES = re.compile(r"\d(?:\.\d)?x\.[a-z]{3,4}$")
"""logo@2x.png."""


def emails(text: str) -> Iterator[Found]:
    """Yield the e-mail addresses, also of other scripts, with `%40` or `&#64;` for the @ as pages have it."""
    behind = 0
    for at in AT.finditer(text):
        start, end = at.start(), at.end()
        local = _LOCAL.search(text[max(behind, start - _MOST_LOCAL) : start])
        domain = _DOMAIN.match(text, end)
        if local is None or domain is None:
            continue
        name = local[0].lstrip("'.%-").rstrip("'.")
        if not name or name.lower() in _NOT_PEOPLE or _FILES.match(domain[0]):
            continue
        behind = domain.end()
        yield Found(start - len(local[0]) + local[0].index(name), behind, EMAIL)
