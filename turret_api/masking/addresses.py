"""IP addresses, apart from versions, times and names in code.

Addresses that name no machine to the outside (loopback, unspecified, masks, multicast) stay; private ones do not.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from turret_api.masking.kinds import IP, Found

_PART = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_V4 = re.compile(rf"(?<![\w.])(?<!\d-)(?:{_PART}\.){{3}}{_PART}(?!\w|\.\d|-\d)")
_V6 = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f:]{0,40}\d)(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7}|:(?::[0-9A-Fa-f]{1,4}){1,7})"
    r"(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])"
)
_VERSION = re.compile(
    r"(?i)(?:\b(?:versions?|ver\.?|v\.?|releases?|firmware|build|driver|kernel|section|chapter|clause|paragraph|article"
    r"|rev\.?|revision|upgraded? (?:to|from)|updated? (?:to|from))"
    r"|§|[=><~]=|\^)\W{0,3}$"
)
_CONTEXT = 30


def addresses(text: str) -> Iterator[Found]:
    """Yield the IP addresses."""
    for match in _V4.finditer(text):
        if _says_who(match[0]) and not _VERSION.search(text[max(0, match.start() - _CONTEXT) : match.start()]):
            yield Found(match.start(), match.end(), IP)
    if ":" in text:
        for match in _V6.finditer(text):
            if _says_who(match[0]):
                yield Found(match.start(), match.end(), IP)


def _says_who(text: str) -> bool:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified or found.is_multicast or text.startswith(("255.", "0.")))
